"""Approvals become releases once, in order, whatever becomes of their events on the way."""

from __future__ import annotations

import io
import json
import threading
import uuid
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from operations.approvals import ApprovalError, Approvals, Target, replay

if TYPE_CHECKING:
    from embedded import Client

GROUP, TABLE, PIPELINE = "versions", "releases", "release"
STAGING, PRODUCTION = Target("staging", "Staging"), Target("prod", "Production")


@dataclass(frozen=True)
class Desk:
    """A consumer over the embedded registry, table and pipeline; events are made as the registry announces them."""

    approvals: Approvals
    client: Client

    @property
    def registry(self) -> Any:
        return self.client("sagemaker")

    def register(self) -> str:
        made = self.registry.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus="PendingManualApproval",
            ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
        )
        return str(made["ModelPackageArn"])

    def change(self, arn: str, at: int = 0, **fields: Any) -> dict[str, Any]:
        """Change a version and return the event of it, as if it had been sent in the second `at`."""
        self.registry.update_model_package(ModelPackageArn=arn, **fields)
        told = self.registry.describe_model_package(ModelPackageName=arn)
        detail = {key: told[key] for key in ("ModelPackageGroupName", "ModelPackageArn", "ModelApprovalStatus")}
        detail |= {"ModelLifeCycle": told["ModelLifeCycle"], "UpdatedModelPackageFields": list(fields)}
        return {"id": str(uuid.uuid4()), "time": f"2026-01-01T00:00:{at:02}Z", "detail": detail}

    def approve(self, arn: str, at: int = 0, stage: str = "Staging") -> dict[str, Any]:
        life = {"Stage": stage, "StageStatus": "Approved"}
        return self.change(arn, at, ModelLifeCycle=life, ModelApprovalStatus="Approved")

    def ask(self, arn: str, at: int = 0, stage: str = "Staging") -> dict[str, Any]:
        return self.change(arn, at, ModelLifeCycle={"Stage": stage, "StageStatus": "PendingApproval"})

    def hear(self, event: dict[str, Any]) -> list[tuple[str, int]]:
        """Where an event releases to, under which number."""
        releases = self.approvals.hear(event).get("releases", [])
        return [(release["environment"], int(release["approval"])) for release in releases]

    def executions(self) -> list[dict[str, str]]:
        """The variables of every execution, the oldest first."""
        pipelines = self.client("codepipeline")
        listed = pipelines.list_pipeline_executions(pipelineName=PIPELINE)["pipelineExecutionSummaries"]
        found = [
            pipelines.get_pipeline_execution(pipelineName=PIPELINE, pipelineExecutionId=one["pipelineExecutionId"])
            for one in reversed(listed)
        ]
        return [
            {each["name"]: each["resolvedValue"] for each in one["pipelineExecution"]["variables"]} for one in found
        ]


@pytest.fixture
def desk(client: Client, account: str) -> Desk:
    client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    keys = [("model", "HASH"), ("entry", "RANGE")]
    client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    _pipeline(client, account)
    services = {service: client(service) for service in ("sagemaker", "dynamodb", "codepipeline")}
    heard = Approvals(**services, table=TABLE, pipeline=PIPELINE, models={GROUP: "m"}, targets=(STAGING, PRODUCTION))
    return Desk(heard, client)


def _pipeline(client: Client, account: str) -> None:
    """What an execution does is none of these tests' business: its source is not there."""
    source = {
        "name": "Source",
        "actionTypeId": {"category": "Source", "owner": "AWS", "provider": "S3", "version": "1"},
        "configuration": {"S3Bucket": "nowhere", "S3ObjectKey": "nothing.zip"},
        "outputArtifacts": [{"name": "Source"}],
    }
    role = client("iam").create_role(RoleName="pipeline", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client("codepipeline").create_pipeline(
        pipeline={
            "name": PIPELINE,
            "roleArn": role,
            "artifactStore": {"type": "S3", "location": f"store-{account}"},
            "pipelineType": "V2",
            "executionMode": "PARALLEL",
            "variables": [{"name": name} for name in ("version", "environment", "model", "approval")],
            "stages": [
                {"name": "Source", "actions": [source]},
                {"name": "Stop", "actions": [{**source, "name": "Again", "outputArtifacts": [{"name": "Again"}]}]},
            ],
        }
    )


def test_an_approval_starts_one_execution_that_names_it(desk: Desk) -> None:
    arn = desk.register()

    assert desk.hear(desk.approve(arn)) == [("staging", 1)]
    assert desk.executions() == [{"version": arn, "environment": "staging", "model": "m", "approval": "1"}]


def test_environments_of_one_stage_are_all_released_to(desk: Desk) -> None:
    both = replace(desk, approvals=replace(desk.approvals, targets=(STAGING, Target("second", "Staging"), PRODUCTION)))

    assert both.hear(both.approve(both.register())) == [("staging", 1), ("second", 1)]


def test_an_event_that_comes_twice_starts_one_execution(desk: Desk) -> None:
    event = desk.approve(desk.register())

    assert [desk.hear(event) for _ in range(3)] == [[("staging", 1)]] * 3
    assert len(desk.executions()) == 1


def test_several_events_of_one_change_start_one_execution(desk: Desk) -> None:
    """SageMaker may send more than one, each with an id of its own."""
    event = desk.approve(desk.register())

    desk.hear(event)
    desk.hear({**event, "id": "another", "time": "2026-01-01T00:00:09Z"})

    assert len(desk.executions()) == 1


def test_an_event_that_something_newer_has_overtaken_starts_nothing(desk: Desk) -> None:
    old, new = desk.approve(desk.register(), at=1), desk.approve(desk.register(), at=2)

    assert desk.hear(new) == [("staging", 1)]
    assert desk.hear(old) == []
    assert len(desk.executions()) == 1


def test_approvals_of_one_second_both_count_and_each_of_them_once(desk: Desk) -> None:
    first, second = desk.approve(desk.register(), at=1), desk.approve(desk.register(), at=1)

    numbers = [desk.hear(event) for event in (first, second, first, second)]

    assert numbers == [[("staging", 1)], [("staging", 2)], [("staging", 1)], [("staging", 2)]]
    assert len(desk.executions()) == 2


def test_a_version_that_is_approved_anew_is_released_anew(desk: Desk) -> None:
    arn = desk.register()
    desk.hear(desk.approve(arn, at=1))
    desk.change(arn, ModelApprovalStatus="Rejected")

    assert desk.hear(desk.approve(arn, at=3)) == [("staging", 2)]


def test_our_own_writes_of_metadata_start_nothing(desk: Desk) -> None:
    arn = desk.register()
    desk.approve(arn)

    told = desk.approvals.hear(desk.change(arn, CustomerMetadataProperties={"note": "x"}))

    assert told["outcome"] == "ignored"
    assert desk.executions() == []


def test_asking_starts_nothing_even_if_it_is_heard_after_the_approval(desk: Desk) -> None:
    arn = desk.register()
    asked = desk.ask(arn, at=1)
    approved = desk.approve(arn, at=2)

    assert desk.hear(asked) == []
    assert desk.hear(approved) == [("staging", 1)]


def test_an_approval_that_is_heard_after_the_next_stage_was_asked_for_is_not_lost(desk: Desk) -> None:
    arn = desk.register()
    approved = desk.approve(arn, at=1)
    asked = desk.ask(arn, at=2, stage="Production")

    assert desk.hear(asked) == []
    assert desk.hear(approved) == [("staging", 1)]


def test_a_version_that_was_rejected_after_its_event_was_sent_is_not_released(desk: Desk) -> None:
    arn = desk.register()
    event = desk.approve(arn)
    desk.change(arn, ModelApprovalStatus="Rejected")

    told = desk.approvals.hear(event)

    assert (told["outcome"], desk.executions()) == ("ignored", [])
    assert "is Rejected" in told["because"]


def test_a_version_that_was_deleted_meanwhile_is_not_waited_for(desk: Desk) -> None:
    arn = desk.register()
    event = desk.approve(arn)
    desk.registry.delete_model_package(ModelPackageName=arn)

    assert desk.approvals.hear(event) == {"outcome": "ignored", "because": f"{arn} is no more"}


def test_an_approval_for_the_stage_that_trains_starts_nothing(desk: Desk) -> None:
    arn = desk.register()

    assert desk.hear(desk.approve(arn, stage="Development")) == []


def test_versions_of_other_groups_are_not_ours(desk: Desk) -> None:
    event = desk.approve(desk.register())
    event["detail"]["ModelPackageGroupName"] = "another"

    assert desk.approvals.hear(event)["outcome"] == "ignored"


def test_functions_that_number_at_once_give_each_approval_its_own(desk: Desk) -> None:
    events = [desk.approve(desk.register(), at=5) for _ in range(3)]
    numbers: list[list[tuple[str, int]]] = []
    threads = [threading.Thread(target=lambda e=event: numbers.append(desk.hear(e))) for event in events]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(numbers) == [[("staging", 1)], [("staging", 2)], [("staging", 3)]]
    assert len({run["version"] for run in desk.executions()}) == 3


def test_one_that_always_comes_second_gives_up_and_is_tried_again(desk: Desk) -> None:
    real = desk.client("dynamodb")

    class Behind:
        """What it reads is always older than what others have written."""

        exceptions, put_item = real.exceptions, real.put_item

        def get_item(self, **_: Any) -> dict[str, Any]:
            return {}

    desk.hear(desk.approve(desk.register(), at=1))
    late = replace(desk, approvals=replace(desk.approvals, dynamodb=Behind()))

    with pytest.raises(ApprovalError, match="other approvals were numbered 5 times in between"):
        late.hear(desk.approve(desk.register(), at=2))
    assert len(desk.executions()) == 1


def test_killed_between_numbering_and_starting_the_same_event_starts_it(desk: Desk) -> None:
    class Dead:
        def start_pipeline_execution(self, **_: Any) -> None:
            raise ConnectionError("the function was ended")

    event = desk.approve(desk.register())
    with pytest.raises(ConnectionError):
        replace(desk.approvals, codepipeline=Dead()).hear(event)
    assert desk.executions() == []

    assert [desk.hear(event) for _ in range(2)] == [[("staging", 1)]] * 2
    assert len(desk.executions()) == 1


# The queue of what could not be heard.

TAKES = """
import json
def handle(event, context):
    if event.get("bad"): raise ValueError(f"cannot hear {event['bad']}")
    return {"outcome": "heard", "releases": [], "of": event["n"]}
"""


@pytest.fixture
def unheard(client: Client) -> Any:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("entry.py", TAKES)
    role = client("iam").create_role(RoleName="hears", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    client("lambda").create_function(
        FunctionName="hears",
        Runtime="python3.13",
        Role=role,
        Handler="entry.handle",
        Code={"ZipFile": packed.getvalue()},
    )
    return client("sqs").create_queue(QueueName="unheard")["QueueUrl"]


def test_what_could_not_be_heard_is_heard_again_and_leaves_the_queue(client: Client, unheard: str) -> None:
    for n in range(12):
        client("sqs").send_message(QueueUrl=unheard, MessageBody=json.dumps({"n": n}))

    done = replay(client("sqs"), client("lambda"), queue="unheard", function="hears")

    assert sorted(told["of"] for told in done) == list(range(12))
    assert _left(client, unheard) == 0


def test_an_event_that_still_fails_stays_and_keeps_none_of_the_others(client: Client, unheard: str) -> None:
    for event in ({"n": 1}, {"bad": "x"}, {"n": 2}, {"bad": "y"}):
        client("sqs").send_message(QueueUrl=unheard, MessageBody=json.dumps(event))

    with pytest.raises(ApprovalError) as caught:
        replay(client("sqs"), client("lambda"), queue="unheard", function="hears")

    assert "heard 2 events; 2 it could not, they stay in unheard" in str(caught.value)
    assert {"cannot hear x", "cannot hear y"} <= {part.split(": ")[-1] for part in str(caught.value).split(";")}
    assert _left(client, unheard) == 2


def _left(client: Client, url: str) -> int:
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(found[name]) for name in names)
