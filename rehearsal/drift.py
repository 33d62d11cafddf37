"""Drift: where what a service says of a resource differs from what its stack's template says.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
Only properties that the template states are compared, and only those that the resource's service is asked for here; a
type that is not asked for any is NOT_CHECKED, as types are in AWS that know no drift detection.
"""

from __future__ import annotations

import json
import uuid
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError
from moto.cloudformation.responses import CloudFormationResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.resources import exists, provider_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.deployment import Resource, Stack

SEEN, MODIFIED, DELETED, UNSEEN = "IN_SYNC", "MODIFIED", "DELETED", "NOT_CHECKED"

DETECTABLE = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_ROLLBACK_FAILED")
"""Stacks that AWS detects drift of."""


class Drifts:
    """The operations, by AWS's names; `stack_of` finds a stack by name or id."""

    def __init__(self, stack_of: Callable[[Caller, str], Stack]) -> None:
        self.stack_of = stack_of
        self.detections: defaultdict[Caller, dict[str, Json]] = defaultdict(dict)
        self.found: dict[str, list[Json]] = {}

    def install(self) -> None:
        operations = {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()}
        install(CloudFormationResponse, operations)

    def DetectStackDrift(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        stack, detection = self.stack_of(caller, request["StackName"]), str(uuid.uuid4())
        if stack.status not in DETECTABLE:
            message = f"Stack {stack.id} is in {stack.status} state, in which drift cannot be detected"
            raise ServiceError("ValidationError", message)
        drifts = self.found[stack.id] = [_drift(stack, resource) for resource in stack.resources.values()]
        drifted = sum(each["StackResourceDriftStatus"] in {MODIFIED, DELETED} for each in drifts)
        self.detections[caller][detection] = {
            "StackId": stack.id,
            "StackDriftDetectionId": detection,
            "StackDriftStatus": "DRIFTED" if drifted else "IN_SYNC",
            "DetectionStatus": "DETECTION_COMPLETE",
            "DriftedStackResourceCount": drifted,
            "Timestamp": clock.now(),
        }
        return {"StackDriftDetectionId": detection}

    def DescribeStackDriftDetectionStatus(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        detection = request["StackDriftDetectionId"]
        if detection not in self.detections[caller]:
            raise ServiceError("ValidationError", f"Drift detection {detection} does not exist")
        return self.detections[caller][detection]

    def DescribeStackResourceDrifts(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        stack = self.stack_of(caller, request["StackName"])
        wanted = request.get("StackResourceDriftStatusFilters") or [SEEN, MODIFIED, DELETED, UNSEEN]
        found = self.found.get(stack.id, [])
        return {"StackResourceDrifts": [each for each in found if each["StackResourceDriftStatus"] in wanted]}


def _drift(stack: Stack, resource: Resource) -> Json:
    status, differences = _compared(stack, resource)
    return {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "PropertyDifferences": differences,
        "StackResourceDriftStatus": status,
        "Timestamp": clock.now(),
    }


def _compared(stack: Stack, resource: Resource) -> tuple[str, list[Json]]:
    about = (stack.place, resource.physical_id, resource.properties)
    if not exists(stack.place, resource.type, resource.physical_id, resource.properties):
        return DELETED, []
    try:
        told = provider_of(resource.type).told(*about)
    except ClientError:
        return DELETED, []
    if told is None:
        return UNSEEN, []
    stated = {key: resource.properties[key] for key in told if key in resource.properties}
    differences = list(_differences("", stated, {key: told[key] for key in stated}))
    return (MODIFIED if differences else SEEN), differences


def _differences(path: str, expected: Any, actual: Any) -> Iterator[Json]:
    """The places where two property trees differ, as CloudFormation writes them."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            yield from _differences(f"{path}/{key}", expected.get(key), actual.get(key))
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for place, (left, right) in enumerate(zip(expected, actual, strict=True)):
            yield from _differences(f"{path}/{place}", left, right)
    elif _text(expected) != _text(actual):
        kind = "ADD" if expected is None else "REMOVE" if actual is None else "NOT_EQUAL"
        values = {"ExpectedValue": _text(expected), "ActualValue": _text(actual)}
        yield {"PropertyPath": path, **values, "DifferenceType": kind}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
