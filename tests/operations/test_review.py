"""The review: what is written and told, who agrees, and what no longer holds."""

import io
import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from operations.changes import Change, Changes, StackChanges
from operations.review import Review, ReviewError

Json = dict[str, Any]
PLAIN = Changes(
    "dev",
    (
        StackChanges("slipway-dev-Data", new=False, changes=(), widened=()),
        StackChanges("slipway-dev-Serving", False, (Change("Modify", "Alarm", "AWS::X", "True", ("Threshold",)),), ()),
    ),
)
WIDER = Changes("dev", (StackChanges("slipway-dev-Data", False, (), ("Policy: allows <all>",)), *PLAIN.stacks[1:]))


class Aws:
    """S3, CodePipeline and SNS as far as a review asks them."""

    def __init__(self, *states: str, stage: str = "Review-dev", execution: str = "run-1", gone: bool = False) -> None:
        self.states, self.stage, self.execution, self.gone = list(states), stage, execution, gone
        self.objects: dict[str, bytes] = {}
        self.answered: list[Json] = []
        self.told: list[Json] = []

    def __call__(self, _service: str) -> "Aws":
        return self

    def put_object(self, **asked: Any) -> None:
        self.objects[asked["Key"]] = asked["Body"]

    def get_object(self, **asked: str) -> Json:
        return {"Body": io.BytesIO(self.objects[asked["Key"]])}

    def get_pipeline_state(self, **_: str) -> Json:
        token = self.states.pop(0) if self.states else ""
        latest = {"token": token} if token else {}
        waits = {"actionName": "Agree-dev", "latestExecution": latest}
        stage = {
            "stageName": self.stage,
            "latestExecution": {"pipelineExecutionId": self.execution},
            "actionStates": [{"actionName": "Changes-dev"}, waits],
        }
        return {"stageStates": [{"stageName": "Source"}, stage]}

    def put_approval_result(self, **asked: Any) -> None:
        if self.gone:
            raise ClientError({"Error": {"Code": "ApprovalAlreadyCompletedException"}}, "PutApprovalResult")
        self.answered.append(asked)

    def publish(self, **asked: str) -> None:
        self.told.append(asked)


def review(aws: Aws, asks: str = "permissions") -> Review:
    return Review(
        client=aws,
        pipeline="delivery",
        stage="Review-dev",
        execution="run-1",
        environment="dev",
        bucket="bucket",
        prefix="changes",
        topic="arn:topic",
        asks=asks,
        look_seconds=0,
    )


def test_what_widens_nothing_is_agreed_to_by_itself_as_soon_as_somebody_could_be_asked() -> None:
    aws = Aws("", "token-1")

    review(aws).open(PLAIN)

    (answered,) = aws.answered
    assert (answered["token"], answered["actionName"]) == ("token-1", "Agree-dev")
    assert answered["result"]["status"] == "Approved"
    assert aws.told == []


@pytest.mark.parametrize(("changes", "asks"), [(WIDER, "permissions"), (PLAIN, "always"), (WIDER, "always")])
def test_otherwise_a_person_is_told_and_nothing_is_answered(changes: Changes, asks: str) -> None:
    aws = Aws("token-1")

    review(aws, asks).open(changes)

    assert aws.answered == []
    (told,) = aws.told
    assert "s3://bucket/changes/run-1/dev.html" in told["Message"]
    assert ("allows <all>" in told["Message"]) == (changes is WIDER)


def test_another_executions_approval_is_not_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.review.LONGEST_SECONDS", 0.01)
    aws = Aws(*["token-1"] * 100_000, execution="run-2")

    with pytest.raises(ReviewError, match="did not begin to wait"):
        review(aws).open(PLAIN)

    assert aws.answered == []


def test_a_person_who_was_faster_is_no_error() -> None:
    aws = Aws("token-1", gone=True)

    assert review(aws).open(PLAIN).startswith("agreed by itself")


def test_what_was_agreed_to_holds_while_the_same_would_change() -> None:
    aws = Aws("token-1")
    review(aws).open(PLAIN)

    assert review(aws).hold(PLAIN) == f"as agreed: {PLAIN.summary}"


def test_what_changed_since_is_refused_with_the_way_to_ask_again() -> None:
    aws = Aws()
    review(aws, "always").open(PLAIN)

    with pytest.raises(ReviewError, match=r"(?s)not what was agreed to.*retry-stage-execution.*ALL_ACTIONS"):
        review(aws, "always").hold(WIDER)


def test_the_page_says_what_matters_first_and_escapes_it() -> None:
    aws = Aws()
    review(aws, "always").open(WIDER)

    page = aws.objects["changes/run-1/dev.html"].decode()
    assert "allows &lt;all&gt;" in page
    assert "<all>" not in page
    assert page.index("Permissions are widened") < page.index("slipway-dev-Serving")
    assert "made anew" in page
    assert json.loads(aws.objects["changes/run-1/dev.json"])["digest"] == WIDER.digest


def test_the_summary_counts() -> None:
    assert PLAIN.summary == "dev: 1 changed, 1 of them made anew in 1 stack; no permission widened"
    assert Changes("dev", PLAIN.stacks[:1]).summary == "dev: nothing would change"
