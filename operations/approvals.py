"""Approvals become releases: what the registry's events tell is looked up again, put in order, and handed on.

Events may come twice, late, out of order, or several for one change, and every write to a version causes one. So an
event counts only if lifecycle or approval changed, if it tells of an approval, if the version still stands as approved,
and if nothing newer was heard. Approvals are numbered per model and environment; a release acts on a number once.
https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from operations import versions

Json = dict[str, Any]

TELLING = frozenset({"ModelApprovalStatus", "ModelLifeCycle"})
"""Fields of a version whose change may be an approval; our own writes change others."""

GONE = "does not exist"

RACES = 5
"""How often the next number is tried for while other approvals are numbered."""


class ApprovalError(Exception):
    """An approval that could not be put in order; its event is tried again."""


@dataclass(frozen=True)
class Target:
    """An environment that takes versions from this registry, and how far a version must have come for it."""

    environment: str
    stage: str


@dataclass(frozen=True)
class Approvals:
    """Hears the registry's events; `client(service)` gives boto3 clients of the registry's account."""

    sagemaker: Any
    dynamodb: Any
    codepipeline: Any
    table: str
    pipeline: str
    models: dict[str, str]
    targets: tuple[Target, ...]

    def hear(self, event: Json) -> Json:
        """Start the releases that an event asks for; returns what was made of it."""
        detail = event["detail"]
        model = self.models.get(detail.get("ModelPackageGroupName", ""))
        changed = TELLING & set(detail.get("UpdatedModelPackageFields", []))
        if model is None or not changed:
            return _ignored("neither lifecycle nor approval of a version of ours has changed")
        arn = detail["ModelPackageArn"]
        package = self._described(arn)
        if package is None:
            return _ignored(f"{arn} is no more")
        stage = _approved_for(detail, package)
        wanted = [target for target in self.targets if target.stage == stage != versions.STAGES[0]]
        try:
            for target in wanted:
                versions.check_stage(package, target.stage, again=False)
        except versions.VersionError as error:
            return _ignored(str(error))
        approval = _Approval(arn, str(package.get("LastModifiedTime", "")), event["id"], event["time"])
        started = [self._release(model, target.environment, approval) for target in wanted]
        return {"outcome": "heard", "releases": [release for release in started if release]}

    def _described(self, arn: str) -> Json | None:
        """The version as it stands now; None if it was deleted, which no later try would change."""
        try:
            found: Json = self.sagemaker.describe_model_package(ModelPackageName=arn)
        except ClientError as error:
            if GONE in str(error):
                return None
            raise
        return found

    def _release(self, model: str, environment: str, approval: _Approval) -> Json | None:
        """Number the approval and start its release; None for an event that something newer has overtaken.

        One that was numbered before is started again under the same token: it may have been killed in between.
        """
        number = self._number(model, environment, approval)
        if number is None:
            return None
        told = {"version": approval.version, "environment": environment, "model": model, "approval": str(number)}
        token = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        started = self.codepipeline.start_pipeline_execution(
            name=self.pipeline,
            variables=[{"name": name, "value": value} for name, value in told.items()],
            clientRequestToken=token,
        )
        return {**told, "execution": started["pipelineExecutionId"]}

    def _number(self, model: str, environment: str, approval: _Approval) -> int | None:
        """The approval's number, a new one or the one it has; None if something newer was heard before it."""
        key = {"model": {"S": model}, "entry": {"S": f"approval#{environment}"}}
        for _ in range(RACES):
            found = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
            last: Json = json.loads(found["told"]["S"]) if found else NOTHING_HEARD
            known = approval.number_in(last)
            if known is not None or last["time"] > approval.time:
                return known
            told = approval.after(last)
            number = {"number": {"N": str(told["number"])}}
            condition: Json = {"ConditionExpression": "attribute_not_exists(model)"}
            if found:
                condition = {
                    "ConditionExpression": "#number = :last",
                    "ExpressionAttributeNames": {"#number": "number"},
                    "ExpressionAttributeValues": {":last": {"N": str(last["number"])}},
                }
            try:
                self.dynamodb.put_item(
                    TableName=self.table, Item={**key, **number, "told": {"S": json.dumps(told)}}, **condition
                )
            except self.dynamodb.exceptions.ConditionalCheckFailedException:
                continue
            return int(told["number"])
        raise ApprovalError(
            f"{approval.version} for {environment}: other approvals were numbered {RACES} times in between"
        )


@dataclass(frozen=True)
class _Approval:
    """What makes an approval the same one: its event, or the version as it was changed last."""

    version: str
    changed: str
    event: str
    time: str

    def number_in(self, last: Json) -> int | None:
        """The number it has already. Several events may tell of one change, and a second has more than one event."""
        if self.event in last["heard"]:
            return int(last["heard"][self.event])
        same = self.changed and (last["version"], last["changed"]) == (self.version, self.changed)
        return int(last["number"]) if same else None

    def after(self, last: Json) -> Json:
        """The entry that numbers it; events of the same second stay known, for their time does not tell them apart."""
        number, heard = int(last["number"]) + 1, last["heard"] if last["time"] == self.time else {}
        kept = {"version": self.version, "changed": self.changed, "time": self.time}
        return {"number": number, "heard": {**heard, self.event: number}, **kept}


NOTHING_HEARD: Json = {"number": 0, "heard": {}, "version": "", "changed": "", "time": ""}


def _ignored(because: str) -> Json:
    return {"outcome": "ignored", "because": because}


def _approved_for(detail: Json, package: Json) -> str | None:
    """The stage that an event approves a version for: meanwhile it may have been asked for the next one.

    An event that names no lifecycle is taken for what the registry says now.
    """
    life = detail.get("ModelLifeCycle") or package.get("ModelLifeCycle", {})
    stage = life.get("Stage")
    return stage if life.get("StageStatus") in versions.PASSED.get(stage, ()) else None


def replay(sqs: Any, functions: Any, *, queue: str, function: str) -> list[Json]:
    """Hand every event that could not be heard to the function again; one that it takes leaves the queue.

    Raises ApprovalError naming each that it does not take; those stay in the queue, the others have been heard.
    """
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    done: list[Json] = []
    failed: dict[str, str] = {}
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        new = [message for message in messages if message["MessageId"] not in failed]
        if not new:
            break
        for message in new:
            answer = functions.invoke(FunctionName=function, Payload=message["Body"].encode())
            told = json.loads(answer["Payload"].read())
            if "FunctionError" in answer:
                failed[message["MessageId"]] = f"message {message['MessageId']}: {told['errorMessage']}"
                continue
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            done.append(told)
    if failed:
        raise ApprovalError(
            f"{function} heard {len(done)} events; {len(failed)} it could not, they stay in {queue}: "
            f"{'; '.join(failed.values())}; mend the cause and replay again"
        )
    return done
