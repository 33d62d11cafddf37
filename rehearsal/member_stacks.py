"""What a stack set has in one account and region: a stack like any other, of that account's own CloudFormation."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from rehearsal import templates
from rehearsal.api import Caller
from rehearsal.clock import clock
from rehearsal.stack_set_work import InstanceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.api import Json
    from rehearsal.resources import Place
    from rehearsal.stack_sets import Instance, StackSet

LOOK_SECONDS = 0.05
NOT_UPDATED = "No updates are to be performed"
UNCHANGEABLE = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "REVIEW_IN_PROGRESS")
"""Stacks that were never whole: StackSets makes them anew."""

NAMED = {
    "AWS::IAM::Group": "GroupName",
    "AWS::IAM::ManagedPolicy": "ManagedPolicyName",
    "AWS::IAM::Role": "RoleName",
    "AWS::IAM::User": "UserName",
}
"""IAM resources; with a name of their own they need CAPABILITY_NAMED_IAM.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateStackSet.html, "Capabilities"
"""


@dataclass(frozen=True)
class MemberStacks:
    """`place` gives the clients of an account and region, as the service's own role there has them."""

    place: Callable[[Caller], Place]

    def deploy(self, stack_set: StackSet, instance: Instance) -> None:
        """Make the stack, or change it to what the stack set says; raises InstanceError."""
        instance.status = "OUTDATED"
        self._check_capabilities(stack_set)
        given = {**stack_set.parameters, **instance.overrides}
        request = {
            "TemplateBody": stack_set.template,
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in given.items()],
            "Capabilities": stack_set.settings.get("Capabilities") or [],
            "Tags": stack_set.settings.get("Tags") or [],
        }
        client = self._client(instance)
        if instance.stack and _status(client, instance.stack) in UNCHANGEABLE:
            self.remove(instance)
        try:
            self._update(client, instance, request) if instance.stack else _create(client, stack_set, instance, request)
        except ClientError as error:
            raise InstanceError(error.response["Error"]["Message"]) from None
        instance.status = "CURRENT"

    def remove(self, instance: Instance) -> None:
        """Delete the stack; raises InstanceError, and the instance is INOPERABLE, if something of it cannot be."""
        if instance.stack is None:
            return
        client = self._client(instance)
        client.delete_stack(StackName=instance.stack)
        if _settled(client, instance.stack) != "DELETE_COMPLETE":
            instance.status = "INOPERABLE"
            raise InstanceError(_why(client, instance.stack))
        instance.stack = None

    def look_for_drift(self, instance: Instance) -> None:
        """Ask what differs from the template; raises InstanceError for a stack that is not there."""
        if instance.stack is None:
            raise InstanceError("The stack instance has no stack")
        client = self._client(instance)
        try:
            detection = client.detect_stack_drift(StackName=instance.stack)["StackDriftDetectionId"]
        except ClientError as error:
            raise InstanceError(error.response["Error"]["Message"]) from None
        while (told := client.describe_stack_drift_detection_status(StackDriftDetectionId=detection))[
            "DetectionStatus"
        ] == "DETECTION_IN_PROGRESS":
            time.sleep(LOOK_SECONDS)
        instance.drift, instance.drift_checked = told["StackDriftStatus"], clock.now()
        instance.drifts = client.describe_stack_resource_drifts(StackName=instance.stack)["StackResourceDrifts"]

    @staticmethod
    def _update(client: Any, instance: Instance, request: Json) -> None:
        stack = str(instance.stack)
        try:
            client.update_stack(StackName=stack, **request)
        except ClientError as error:
            if NOT_UPDATED not in error.response["Error"]["Message"]:
                raise
            return
        if _settled(client, stack) != "UPDATE_COMPLETE":
            raise InstanceError(_why(client, stack))

    @staticmethod
    def _check_capabilities(stack_set: StackSet) -> None:
        given = set(stack_set.settings.get("Capabilities") or [])
        needed = set()
        for resource in templates.parse(stack_set.template)["Resources"].values():
            if resource["Type"] in NAMED:
                named = NAMED[resource["Type"]] in resource.get("Properties", {})
                needed.add("CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM")
        if "CAPABILITY_NAMED_IAM" in given or needed <= given:
            return
        raise InstanceError(f"Requires capabilities : [{', '.join(sorted(needed - given))}]")

    def _client(self, instance: Instance) -> Any:
        return self.place(Caller(instance.account, instance.region)).client("cloudformation")


def _create(client: Any, stack_set: StackSet, instance: Instance, request: Json) -> None:
    name = f"StackSet-{stack_set.name}-{uuid.uuid4()}"
    instance.stack = client.create_stack(StackName=name, **request)["StackId"]
    if _settled(client, str(instance.stack)) != "CREATE_COMPLETE":
        raise InstanceError(_why(client, str(instance.stack)))


def _status(client: Any, stack: str) -> str:
    return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])


def _settled(client: Any, stack: str) -> str:
    """The stack's status, when it is its last."""
    while (status := _status(client, stack)).endswith("_IN_PROGRESS"):
        time.sleep(LOOK_SECONDS)
    return status


def _why(client: Any, stack: str) -> str:
    """As StackSets words it: what failed first since the last thing that was asked of the stack."""
    first = None
    for event in client.describe_stack_events(StackName=stack)["StackEvents"]:
        if event.get("ResourceStatusReason") == "User Initiated":
            break
        if event["ResourceStatus"].endswith("_FAILED") and event["PhysicalResourceId"] != event["StackId"]:
            first = event
    if first is None:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0].get("StackStatusReason", ""))
    return (
        f"ResourceLogicalId:{first['LogicalResourceId']}, ResourceType:{first['ResourceType']}, "
        f"ResourceStatusReason:{first.get('ResourceStatusReason', '')}."
    )
