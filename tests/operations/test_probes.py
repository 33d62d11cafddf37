"""What a release asks an endpoint, whom it blames for the answers, and that it holds its lease meanwhile."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from operations import asking, probes
from operations.asking import AskError, Served
from operations.journal import LEASE_SECONDS
from operations.versions import Checked

GOOD = b'{"predictions": [{"probability": 0.5}]}'
CHECKED = Checked("a", ("1", "2"), (0.5, 0.5), "image", "sha256:1")


def nothing() -> None:
    """Whoever asks here holds no lease."""


def failed(status: int, code: str = "ModelError") -> ClientError:
    answer: Any = {"Error": {"Code": code, "Message": "it failed"}, "OriginalStatusCode": status}
    return ClientError(answer, "InvokeEndpoint")


@dataclass
class Account:
    """A runtime that answers what it is told to, an endpoint that goes over to `coming`, what CloudWatch is told."""

    answers: list[bytes | Exception]
    coming: str | None = "new"
    told: list[dict[str, Any]] = field(default_factory=list)

    def client(self, _service: str) -> Any:
        return self

    def invoke_endpoint(self, **_: Any) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return {"Body": io.BytesIO(answer)}

    def describe_endpoint(self, **_: Any) -> Any:
        if self.coming is None:
            raise failed(0, "ValidationException")
        return {"PendingDeploymentSummary": {"EndpointConfigName": self.coming}} if self.coming else {}

    def put_metric_data(self, **request: Any) -> None:
        self.told += request["MetricData"]

    def served(self, form: str = "realtime") -> Served:
        return Served(self.client, "e", "s", form)


ODD = [b'{"predictions": [{"probability": "x"}]}', b'{"predictions": []}', b"[]", b"<html>", b'{"predictions": null}']


@pytest.mark.parametrize("body", [*ODD, b'{"predictions": [{"probability": NaN}]}'])
def test_answers_that_are_none_fail_the_smoke_test(body: bytes) -> None:
    told = probes.smoke(Account([GOOD, body]).served(), CHECKED, nothing)

    assert told is not None
    assert told.startswith("smoke test: ")


def test_odd_answers_are_told_of_the_endpoint_and_of_the_fleet_that_comes() -> None:
    account = Account([b"[]", failed(400)])

    probes.probe(account.served(), CHECKED, nothing, blames=True)

    names = [{each["Name"]: each["Value"] for each in told["Dimensions"]} for told in account.told]
    assert names == [{"EndpointName": "e"}, {"EndpointName": "e", "EndpointConfigName": "new"}]
    assert [told["Value"] for told in account.told] == [2, 2]


@pytest.mark.parametrize(
    "answer", [*ODD, failed(400), failed(0), ReadTimeoutError(endpoint_url="e")], ids=lambda answer: repr(answer)[:30]
)
def test_what_sagemaker_counts_for_no_fleet_is_told(answer: bytes | Exception) -> None:
    account = Account([GOOD, answer])

    probes.probe(account.served(), CHECKED, nothing, blames=True)

    assert [told["Value"] for told in account.told] == [1, 1]


@pytest.mark.parametrize("answer", [failed(500), failed(503), failed(0, "ValidationError"), GOOD])
def test_errors_that_sagemaker_counts_by_fleet_are_left_to_it(answer: bytes | Exception) -> None:
    """The fleet before may fail now and then: its errors must not be the new one's."""
    account = Account([answer, GOOD])

    probes.probe(account.served(), CHECKED, nothing, blames=True)

    assert account.told == []


@pytest.mark.parametrize("coming", ["", None], ids=["goes nowhere", "is not there"])
def test_an_endpoint_that_goes_nowhere_is_not_asked(coming: str | None) -> None:
    account = Account([], coming)

    probes.probe(account.served(), CHECKED, nothing, blames=True)

    assert account.told == []


def probed(account: Account, *, new: bool) -> list[dict[str, Any]]:
    probes.probing(account.served(), CHECKED, nothing, new=new)()
    return account.told


def test_the_new_fleet_is_blamed_when_what_was_live_had_answered_every_row() -> None:
    assert probed(Account([GOOD, GOOD, b"[]", b"[]"]), new=True)


@pytest.mark.parametrize("answer", [*ODD, failed(500), failed(400), ReadTimeoutError(endpoint_url="e")], ids=repr)
def test_nobody_is_blamed_when_what_is_live_is_odd_itself(answer: bytes | Exception) -> None:
    assert probed(Account([GOOD, answer, b"[]", b"[]"]), new=True) == []


def test_a_version_that_was_live_before_is_asked_and_not_blamed() -> None:
    account = Account([b"[]", b"[]"])

    assert probed(account, new=False) == []
    assert account.answers == []


@pytest.mark.parametrize("form", ["async", "batch"])
def test_what_answers_later_or_never_is_not_asked_meanwhile(form: str) -> None:
    account = Account([])

    probes.probing(account.served(form), CHECKED, nothing, new=True)()

    assert account.told == []


def test_the_lease_is_renewed_before_each_row() -> None:
    """A row may be long in coming, and a lease that has run out is another's to take."""
    asked: list[str] = []
    account = Account([GOOD] * 6)
    invoke = account.invoke_endpoint

    def invoke_endpoint(**request: Any) -> Any:
        asked.append("asked")
        return invoke(**request)

    account.invoke_endpoint = invoke_endpoint  # type: ignore[method-assign]

    probes.probing(account.served(), CHECKED, lambda: asked.append("renewed"), new=True)()
    assert probes.smoke(account.served(), CHECKED, lambda: asked.append("renewed")) is None

    assert asked == ["renewed", "asked"] * 6


class Unanswered:
    """A queue that is never worked on, and a clock that goes a minute on whenever it is looked at."""

    class exceptions:  # noqa: N801 boto3's name
        class NoSuchKey(Exception):  # noqa: N818
            pass

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        self.now += 60
        return self.now

    def sleep(self, _seconds: float) -> None:
        """The clock goes by itself."""

    def put_object(self, **_: Any) -> None:
        """Nobody reads it."""

    def invoke_endpoint_async(self, **_: Any) -> Any:
        return {"OutputLocation": "s3://b/o", "FailureLocation": "s3://b/f"}

    def get_object(self, **_: Any) -> Any:
        raise self.exceptions.NoSuchKey


def test_a_queue_is_waited_for_less_long_than_a_lease_is_good_for(monkeypatch: pytest.MonkeyPatch) -> None:
    queue = Unanswered()
    monkeypatch.setattr(asking, "time", queue)

    with pytest.raises(AskError, match="no answer to s3://b/requests/"):
        Served(lambda _: queue, "e", "s", "async", "s3://b/requests").ask("1")

    assert queue.now - 60 < LEASE_SECONDS
