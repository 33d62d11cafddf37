"""One door for every request: once, one run a model at a time, the latest waits, a start that breaks loses nothing."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations import handlers
from operations.champion import ChampionPlace
from operations.images import Image, ImageError
from operations.listings import DataPlace
from operations.periods import PeriodError
from operations.starter import ModelPlace, RequestError, Starter
from operations.turns import START_SECONDS, TurnTable

if TYPE_CHECKING:
    from embedded import Client

DIGEST = f"sha256:{'0' * 64}"
PIPELINE = "slipway-dev-flight-delay"
ARN = f"arn:aws:sagemaker:eu-west-1:111111111111:pipeline/{PIPELINE}/execution/"


@dataclass
class FakePipelines:
    """SageMaker's pipelines: starts what is asked for, once for each token."""

    started: dict[str, dict[str, Any]] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    breaks: int = 0

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        if self.breaks:
            self.breaks -= 1
            raise ConnectionError("the line is dead")
        token = request["ClientRequestToken"]
        if token not in self.started:
            self.started[token] = request
            self.states[self.arn(token)] = "Executing"
        return {"PipelineExecutionArn": self.arn(token)}

    def arn(self, token: str) -> str:
        return f"{ARN}{list(self.started).index(token)}"

    def describe_pipeline_execution(self, **request: Any) -> dict[str, str]:
        return {"PipelineExecutionStatus": self.states[request["PipelineExecutionArn"]]}

    def get_paginator(self, _operation: str) -> Any:
        return self

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if "PipelineExecutionArn" in request:
            if request["PipelineExecutionArn"] not in self.states:
                told = {"Error": {"Code": "ResourceNotFound", "Message": "there is no such execution"}}
                raise ClientError(told, "ListPipelineParametersForExecution")
            number = list(self.states).index(request["PipelineExecutionArn"])
            return [{"PipelineParameters": list(self.started.values())[number]["PipelineParameters"]}]
        found = [
            {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status} for arn, status in self.states.items()
        ]
        return [{"PipelineExecutionSummaries": found[::-1]}]

    @property
    def periods(self) -> list[str]:
        """What was started, in order."""
        given = [{p["Name"]: p["Value"] for p in request["PipelineParameters"]} for request in self.started.values()]
        return [values["Period"] for values in given]


@dataclass(frozen=True)
class Desk:
    """A starter over real S3 and DynamoDB APIs and fake pipelines."""

    starter: Starter
    pipelines: FakePipelines
    client: Client

    def ask(self, token: str, period: str | None = None, **more: Any) -> Any:
        asked = {"model": "flight_delay", "reason": "manual", "author": "me", "token": token, "period": period}
        return self.starter.ask({**asked, **more})

    def end(self, number: int, status: str = "Succeeded") -> Any:
        self.pipelines.states[f"{ARN}{number}"] = status
        return self.starter.ended(f"{ARN}{number}")

    def upload(self, period: str, **manifest: Any) -> None:
        body = json.dumps({"files": {}, **manifest}).encode()
        key = f"periods/flight_delay/{period}/_READY.json"
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body)

    @property
    def bucket(self) -> str:
        return self.starter.models["flight_delay"].data.bucket


@pytest.fixture
def desk(client: Client, account: str) -> Desk:
    bucket = f"data-{account}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    client("dynamodb").create_table(
        TableName="turns",
        KeySchema=[{"AttributeName": "model", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "model", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    pipelines = FakePipelines()
    place = ModelPlace(
        PIPELINE,
        DataPlace(bucket, "periods/flight_delay", "listings/flight_delay"),
        ChampionPlace(bucket, "champion/flight_delay"),
        "owner@example.com",
    )
    table = TurnTable(client("dynamodb"), "turns")
    starter = Starter(pipelines, client("s3"), table, {"flight_delay": place}, lambda: DIGEST, {"eta": (0.001, 1)})
    made = Desk(starter, pipelines, client)
    for period in ("2013-01", "2013-02", "2013-03"):
        made.upload(period)
    return made


def test_a_request_starts_the_latest_period_with_its_listing_and_its_reason(desk: Desk) -> None:
    answer = desk.ask("one", started_by="me", parameters={"eta": "0.05"})

    (request,) = desk.pipelines.started.values()
    given = {p["Name"]: p["Value"] for p in request["PipelineParameters"]}
    assert (answer.outcome, answer.period, answer.execution) == ("started", "2013-03", f"{ARN}0")
    assert (given["Period"], given["Reason"], given["StartedBy"], given["eta"]) == ("2013-03", "manual", "me", "0.05")
    key = f"listings/flight_delay/{given['Listing']}/listing.json"
    body = desk.client("s3").get_object(Bucket=desk.bucket, Key=key)
    listed = json.loads(body["Body"].read())
    assert (listed["period"], sorted(listed["manifests"])) == ("2013-03", ["2013-01", "2013-02", "2013-03"])


def authors(desk: Desk) -> list[str]:
    given = [{p["Name"]: p["Value"] for p in r["PipelineParameters"]} for r in desk.pipelines.started.values()]
    return [str(values["Author"]) for values in given]


def test_a_run_by_hand_is_whoever_asked_s_and_any_other_the_owner_s(desk: Desk) -> None:
    desk.ask("one", author="bo")
    desk.ask("two", author="cy")
    desk.end(0)  # what waited keeps its author
    desk.end(1)
    handlers.route(arrival("periods/flight_delay/2013-02/_READY.json"), desk.starter)
    desk.end(2)
    desk.ask("four", reason="drift", author=None)

    assert authors(desk) == ["bo", "cy", "owner@example.com", "owner@example.com"]


@pytest.mark.parametrize(("reason", "author"), [("manual", None), ("manual", ""), ("drift", "bo"), ("arrival", "bo")])
def test_an_author_goes_with_a_run_by_hand_and_with_no_other(desk: Desk, reason: str, author: str | None) -> None:
    with pytest.raises(RequestError, match=f"author {author!r}; a run by hand has one, of any other it is the owner"):
        desk.ask("one", reason=reason, author=author)

    assert desk.pipelines.started == {}


def test_a_run_is_bound_to_what_the_servers_image_is_when_it_starts(desk: Desk) -> None:
    contents = iter(["sha256:1", "sha256:2"])
    later = replace(desk, starter=replace(desk.starter, image_digest=lambda: next(contents)))
    later.ask("one", "2013-01")
    later.ask("two", "2013-02")
    later.end(0)

    given = [{p["Name"]: p["Value"] for p in r["PipelineParameters"]} for r in desk.pipelines.started.values()]
    assert [(values["Period"], values["ServeImageDigest"]) for values in given] == [
        ("2013-01", "sha256:1"),
        ("2013-02", "sha256:2"),
    ]


def test_without_the_servers_image_nothing_starts_and_nothing_waits(desk: Desk, client: Client, account: str) -> None:
    image = Image.of(f"{account}.dkr.ecr.eu-west-1.amazonaws.com/images:tag-serve")
    client("ecr").create_repository(repositoryName="images")
    early = replace(desk, starter=replace(desk.starter, image_digest=lambda: image.digest(client("ecr"))))

    with pytest.raises(ImageError, match="there is no such image; see the image's build in CodeBuild"):
        early.ask("one")

    assert desk.pipelines.started == {}
    assert desk.ask("one").outcome == "started"


def test_the_same_data_has_the_same_listing_and_other_data_another(desk: Desk) -> None:
    def listing() -> str:
        request = list(desk.pipelines.started.values())[-1]
        return {p["Name"]: str(p["Value"]) for p in request["PipelineParameters"]}["Listing"]

    desk.ask("one")
    first = listing()
    desk.end(0)
    desk.ask("two")
    again = listing()
    desk.end(1)
    desk.upload("2013-02", changed=True)
    desk.ask("three")

    assert first == again
    assert listing() != first


def test_the_same_request_is_carried_out_once(desk: Desk) -> None:
    outcomes = [desk.ask("one").outcome for _ in range(3)]
    desk.end(0)

    assert outcomes == ["started", "seen", "seen"]
    assert desk.ask("one").outcome == "seen"
    assert len(desk.pipelines.started) == 1


def test_one_run_at_a_time_and_the_latest_request_waits(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    assert desk.ask("two", "2013-02").outcome == "waits"
    assert desk.ask("three", "2013-03").outcome == "waits"
    assert desk.pipelines.periods == ["2013-01"]

    next_answer = desk.end(0)

    assert next_answer.outcome == "started"
    assert desk.pipelines.periods == ["2013-01", "2013-03"]  # the second request was dropped for the third
    assert desk.end(1) is None
    assert desk.ask("four").outcome == "started"


@pytest.mark.parametrize("status", ["Failed", "Stopped"])
def test_a_run_that_failed_passes_the_turn_on(desk: Desk, status: str) -> None:
    desk.ask("one", "2013-01")
    desk.ask("two", "2013-02")

    desk.end(0, status)

    assert desk.pipelines.periods == ["2013-01", "2013-02"]


def test_an_end_nobody_heard_of_blocks_nothing(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    desk.pipelines.states[f"{ARN}0"] = "Succeeded"

    assert desk.ask("two", "2013-02").outcome == "started"


def test_an_end_that_is_told_twice_or_late_ends_nothing_else(desk: Desk) -> None:
    desk.ask("one", "2013-01")
    desk.end(0)
    desk.ask("two", "2013-02")

    assert desk.end(0) is None
    assert desk.ask("three", "2013-03").outcome == "waits"


def test_a_run_started_past_the_door_has_its_turn_too(desk: Desk) -> None:
    desk.pipelines.started["studio"] = {"PipelineParameters": [{"Name": "Period", "Value": "2012-12"}]}
    desk.pipelines.states[f"{ARN}0"] = "Executing"

    assert desk.ask("one").outcome == "waits"
    assert desk.end(0).outcome == "started"


def test_a_start_that_breaks_gives_the_turn_back_and_can_be_asked_again(desk: Desk) -> None:
    desk.pipelines.breaks = 1
    with pytest.raises(ConnectionError):
        desk.ask("one")

    assert desk.ask("one").outcome == "started"


def test_a_start_that_was_broken_off_is_carried_out_by_whoever_asks_next(desk: Desk) -> None:
    """The function was ended between taking the turn and starting the run."""
    asked = {"model": "flight_delay", "reason": "manual", "author": "me", "token": "lost", "period": "2013-01"}
    desk.starter.table.change("flight_delay", lambda turns: turns.take(asked, now=0))
    late = replace(desk, starter=replace(desk.starter, now=lambda: START_SECONDS + 1.0))

    assert late.ask("two", "2013-02").outcome == "waits"
    assert late.pipelines.periods == ["2013-01"]


def test_many_at_once_start_one(desk: Desk) -> None:
    answers: list[str] = []
    threads = [threading.Thread(target=lambda n=n: answers.append(desk.ask(f"t{n}").outcome)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(answers) == ["started", *["waits"] * 5]
    assert len(desk.pipelines.started) == 1


def test_everything_wrong_with_a_request_is_said_at_once(desk: Desk) -> None:
    with pytest.raises(RequestError) as caught:
        desk.starter.ask({"model": "x", "reason": "whim", "parameters": {"eta": 2, "depth": 1}})

    assert str(caught.value).splitlines() == [
        "model 'x'; models are flight_delay",
        "reason 'whim'; reasons are manual, schedule, arrival, drift",
        "no token; give one that is the same whenever the request is the same",
        "parameter eta is 2; give a number from 0.001 to 1",
        "parameter 'depth' cannot be set; those that can are eta",
    ]


def test_a_period_that_is_not_there_is_refused_and_blocks_nothing(desk: Desk) -> None:
    with pytest.raises(PeriodError, match=r"period 2014-01: no _READY\.json .* Complete before it: 2013-01, 2013-02"):
        desk.ask("one", "2014-01")

    assert desk.ask("two").outcome == "started"


def arrival(key: str, version: str = "v1") -> dict[str, Any]:
    return {"detail-type": "Object Created", "detail": {"object": {"key": key, "version-id": version, "etag": "e"}}}


def test_an_arrival_starts_a_run_on_all_that_is_there(desk: Desk) -> None:
    told = handlers.route(arrival("periods/flight_delay/2013-02/_READY.json"), desk.starter)

    assert (told["outcome"], told["period"]) == ("started", "2013-03")


def test_an_arrival_that_is_told_twice_starts_once(desk: Desk) -> None:
    event = arrival("periods/flight_delay/2013-02/_READY.json")

    assert [handlers.route(event, desk.starter)["outcome"] for _ in range(2)] == ["started", "seen"]


@pytest.mark.parametrize("key", ["periods/other/2013-02/_READY.json", "periods/flight_delay/2013-02/flights.csv"])
def test_other_objects_start_nothing(desk: Desk, key: str) -> None:
    assert handlers.route(arrival(key), desk.starter) == {"outcome": "ignored"}


def test_history_that_is_filled_in_starts_nothing(desk: Desk) -> None:
    desk.upload("2013-04", starts=False)

    assert handlers.route(arrival("periods/flight_delay/2013-04/_READY.json"), desk.starter) == {"outcome": "ignored"}
    assert desk.pipelines.started == {}


def test_the_end_of_another_pipeline_is_not_ours(desk: Desk) -> None:
    event = {
        "detail-type": handlers.ENDED_EVENT,
        "detail": {"pipelineExecutionArn": "arn:aws:sagemaker:eu-west-1:1:pipeline/other/execution/1"},
    }

    assert handlers.route(event, desk.starter) == {"outcome": "ignored"}


@pytest.mark.parametrize(
    ("author", "steps", "refused"),
    [
        (
            "al",
            ("Package", "Register"),
            "trained a model of me, who stays its author; let step Train run again",
        ),
        ("al", ("Train", "Evaluate"), ""),
        ("Me", ("Package", "Register"), ""),
    ],
)
def test_a_model_stays_whose_training_it_was(desk: Desk, author: str, steps: tuple[str, ...], refused: str) -> None:
    """Or two people could each ask for the end of the other's run, and each approve what they trained."""
    desk.upload("2013-04")
    source = desk.ask("one").execution
    desk.end(0)

    if refused:
        with pytest.raises(RequestError, match=refused):
            desk.ask("two", author=author, steps=steps, source=source)
        assert len(desk.pipelines.started) == 1
    else:
        assert desk.ask("two", author=author, steps=steps, source=source).outcome == "started"


def test_a_source_that_is_none_is_named(desk: Desk) -> None:
    desk.upload("2013-04")

    with pytest.raises(RequestError, match="source nothing: there is no such execution"):
        desk.ask("one", steps=("Register",), source="nothing")
