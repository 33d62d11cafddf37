"""Approvals become releases: what the registry's events tell is looked up again, put in order, and handed on.

Events may come twice, late, or out of order, and every write to a version causes one. So an event only says where to
look: it counts if lifecycle or approval changed, if the version still stands as approved, and if nothing newer was
heard. Approvals are numbered per model and environment; a release acts on a number once.
https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from operations import versions

Json = dict[str, Any]

TELLING = frozenset({"ModelApprovalStatus", "ModelLifeCycle"})
"""Fields of a version whose change may be an approval; our own writes change others."""

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
            return {"outcome": "ignored", "because": "neither lifecycle nor approval of a version of ours has changed"}
        told = detail.get("ModelLifeCycle", {}).get("StageStatus", versions.APPROVED)
        if told != versions.APPROVED:  # somebody asked; the approval, if it came by now, has an event of its own
            return {"outcome": "ignored", "because": f"the event tells of {told}"}
        arn = detail["ModelPackageArn"]
        package = self.sagemaker.describe_model_package(ModelPackageName=arn)
        stage = package.get("ModelLifeCycle", {}).get("Stage")
        wanted = [target for target in self.targets if target.stage == stage != versions.STAGES[0]]
        try:
            for target in wanted:
                versions.check_stage(package, target.stage, again=False)
        except versions.VersionError as error:
            return {"outcome": "ignored", "because": str(error)}
        started = [self._release(model, target.environment, arn, event) for target in wanted]
        return {"outcome": "heard", "releases": [release for release in started if release]}

    def _release(self, model: str, environment: str, arn: str, event: Json) -> Json | None:
        """Number the approval and start its release; None for an event that something newer has overtaken.

        One that was numbered before is started again under the same token: it may have been killed in between.
        """
        number = self._number(model, environment, arn, event)
        if number is None:
            return None
        told = {"version": arn, "environment": environment, "model": model, "approval": str(number)}
        token = hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
        started = self.codepipeline.start_pipeline_execution(
            name=self.pipeline,
            variables=[{"name": name, "value": value} for name, value in told.items()],
            clientRequestToken=token,
        )
        return {**told, "execution": started["pipelineExecutionId"]}

    def _number(self, model: str, environment: str, arn: str, event: Json) -> int | None:
        key = {"model": {"S": model}, "entry": {"S": f"approval#{environment}"}}
        for _ in range(RACES):
            found = self.dynamodb.get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
            last: Json = json.loads(found["told"]["S"]) if found else {"number": 0, "event": "", "time": ""}
            if last["event"] == event["id"]:
                return int(last["number"])
            if last["time"] > event["time"]:
                return None
            number = int(last["number"]) + 1
            told = {"number": number, "event": event["id"], "time": event["time"], "version": arn}
            values = {":last": {"N": str(last["number"])}} if found else None
            try:
                self.dynamodb.put_item(
                    TableName=self.table,
                    Item={**key, "number": {"N": str(number)}, "told": {"S": json.dumps(told)}},
                    ConditionExpression="#number = :last" if found else "attribute_not_exists(model)",
                    **({"ExpressionAttributeNames": {"#number": "number"}} if found else {}),
                    **({"ExpressionAttributeValues": values} if values else {}),
                )
            except self.dynamodb.exceptions.ConditionalCheckFailedException:
                continue
            return number
        raise ApprovalError(f"{arn} for {environment}: other approvals were numbered {RACES} times in between")


def replay(sqs: Any, functions: Any, *, queue: str, function: str) -> list[Json]:
    """Hand every event that could not be heard to the function again; one that it takes leaves the queue.

    Raises ApprovalError for the first that it does not take; that one and those behind it stay.
    """
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    done: list[Json] = []
    while True:
        messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1).get("Messages", [])
        if not messages:
            return done
        for message in messages:
            answer = functions.invoke(FunctionName=function, Payload=message["Body"].encode())
            told = json.loads(answer["Payload"].read())
            if "FunctionError" in answer:
                raise ApprovalError(f"{function} could not take an event, it stays in {queue}: {told['errorMessage']}")
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            done.append(told)
