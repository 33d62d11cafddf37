"""Whether accounts still are as the roll-out made them: each stack set's own drift detection, waited for and read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from operations.rollout import RolloutError, every

if TYPE_CHECKING:
    from collections.abc import Iterator

UNDER_WAY = frozenset({"RUNNING", "QUEUED", "STOPPING"})
LOOK = {"FailureTolerancePercentage": 100, "MaxConcurrentPercentage": 100, "RegionConcurrencyType": "PARALLEL"}
"""Looking harms nothing, so one account that cannot be looked at stops no other."""

GOOD, SAME = "SUCCEEDED", "IN_SYNC"
DIFFERENT = ["MODIFIED", "DELETED"]


@dataclass(frozen=True)
class Finding:
    """One instance of a stack set: how its last operation went, and where it differs from its template."""

    stack_set: str
    account: str
    region: str
    status: str
    reason: str
    drift: str
    differences: tuple[str, ...] = ()

    @property
    def good(self) -> bool:
        return self.status == GOOD and self.drift == SAME


def look_for_drift(cloudformation: Any, stack_set: str, call_as: str, *, every_seconds: float = 5) -> Iterator[Finding]:
    """Detect drift now, wait until it is known, and say of every instance how it is."""
    asked = {"StackSetName": stack_set, "CallAs": call_as}
    before = {_place(each): each for each in every(cloudformation, "list_stack_instances", asked)}
    operation = cloudformation.detect_stack_set_drift(**asked, OperationPreferences=LOOK)["OperationId"]
    _wait(cloudformation, asked, operation, every_seconds)
    for told in every(cloudformation, "list_stack_instances", asked):
        drift = told.get("DriftStatus", "NOT_CHECKED")
        yield Finding(
            stack_set,
            *_place(told),
            *_last(before.get(_place(told), told)),
            drift,
            tuple(_differences(cloudformation, asked, told, operation)) if drift == "DRIFTED" else (),
        )


def _last(before: dict[str, Any]) -> tuple[str, str]:
    """How the roll-out went and why; a drift detection is an operation, too, and would hide it."""
    if before["Status"] == "CURRENT":
        return GOOD, ""
    detailed = before["StackInstanceStatus"]["DetailedStatus"]
    return before["Status"] if detailed == GOOD else detailed, before.get("StatusReason") or ""


def _wait(cloudformation: Any, asked: dict[str, str], operation: str, every_seconds: float) -> None:
    while True:
        told = cloudformation.describe_stack_set_operation(**asked, OperationId=operation)["StackSetOperation"]
        if told["Status"] not in UNDER_WAY:
            break
        time.sleep(every_seconds)
    if told["Status"] == "STOPPED":
        raise RolloutError(f"somebody stopped the drift detection of {asked['StackSetName']}; run it again")


def _differences(cloudformation: Any, asked: dict[str, str], told: dict[str, Any], operation: str) -> Iterator[str]:
    place = {"StackInstanceAccount": told["Account"], "StackInstanceRegion": told["Region"], "OperationId": operation}
    request = {**asked, **place, "StackInstanceResourceDriftStatuses": DIFFERENT}
    for resource in every(cloudformation, "list_stack_instance_resource_drifts", request):
        about = f"{resource['LogicalResourceId']} ({resource['ResourceType']})"
        if resource["StackResourceDriftStatus"] == "DELETED":
            yield f"{about} was deleted"
        for change in resource.get("PropertyDifferences", []):
            yield f"{about} {change['PropertyPath']}: {change['ActualValue']} instead of {change['ExpectedValue']}"


def _place(told: dict[str, Any]) -> tuple[str, str]:
    return told["Account"], told["Region"]
