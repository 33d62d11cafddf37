"""How CloudFormation describes stack sets, their instances and operations in its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.answers import listed

if TYPE_CHECKING:
    from rehearsal.api import Json
    from rehearsal.stack_sets import Instance, Operation, StackSet

MODEL = "SERVICE_MANAGED"


def described(stack_set: StackSet) -> Json:
    """DescribeStackSet's."""
    settings = stack_set.settings
    return {
        **_summary(stack_set),
        "TemplateBody": stack_set.template,
        "Parameters": listed(stack_set.parameters),
        "Capabilities": settings.get("Capabilities") or [],
        "Tags": settings.get("Tags") or [],
        "StackSetARN": stack_set.arn,
        "OrganizationalUnitIds": list(stack_set.regions_of),
        "Regions": sorted({region for regions in stack_set.regions_of.values() for region in regions}),
        "StackSetDriftDetectionDetails": stack_set.drift,
    }


def summary(stack_set: StackSet) -> Json:
    """ListStackSets'."""
    drift = stack_set.drift or {}
    return {
        **_summary(stack_set),
        "DriftStatus": drift.get("DriftStatus", "NOT_CHECKED"),
        "LastDriftCheckTimestamp": drift.get("LastDriftCheckTimestamp"),
    }


def _summary(stack_set: StackSet) -> Json:
    return {
        "StackSetName": stack_set.name,
        "StackSetId": stack_set.id,
        "Description": stack_set.settings.get("Description"),
        "Status": stack_set.status,
        "AutoDeployment": stack_set.settings["AutoDeployment"],
        "PermissionModel": MODEL,
        "ManagedExecution": stack_set.settings.get("ManagedExecution"),
    }


def instance(stack_set: StackSet, each: Instance) -> Json:
    """ListStackInstances'."""
    return {
        "StackSetId": stack_set.id,
        "Region": each.region,
        "Account": each.account,
        "StackId": each.stack,
        "Status": each.status,
        "StatusReason": each.reason,
        "StackInstanceStatus": {"DetailedStatus": each.detailed},
        "OrganizationalUnitId": each.unit,
        "DriftStatus": each.drift,
        "LastDriftCheckTimestamp": each.drift_checked,
        "LastOperationId": each.operation,
    }


def operation(stack_set: StackSet, each: Operation) -> Json:
    """DescribeStackSetOperation's."""
    drift = stack_set.drift if each.action == "DETECT_DRIFT" and each.ended else None
    return {
        **operation_summary(each),
        "StackSetId": stack_set.id,
        "RetainStacks": each.retain,
        "DeploymentTargets": each.targets,
        "StackSetDriftDetectionDetails": drift,
    }


def operation_summary(each: Operation) -> Json:
    """ListStackSetOperations'."""
    return {
        "OperationId": each.id,
        "Action": each.action,
        "Status": each.status,
        "StatusReason": each.reason,
        "CreationTimestamp": each.created,
        "EndTimestamp": each.ended,
        "OperationPreferences": each.preferences,
        "StatusDetails": {"FailedStackInstancesCount": len(each.failures)},
    }


def results(each: Operation) -> list[Json]:
    """ListStackSetOperationResults'."""
    return [
        {
            "Account": found.account,
            "Region": found.region,
            "Status": status,
            "StatusReason": reason,
            "OrganizationalUnitId": found.unit,
        }
        for found, status, reason in each.results.values()
    ]


def drift(stack_set: StackSet, each: Operation) -> Json:
    """What a drift detection found of the stack set as a whole."""
    kinds = [found.drift for found, status, _ in each.results.values() if status == "SUCCEEDED"]
    drifted, failed = kinds.count("DRIFTED"), len(each.failures)
    cancelled = sum(status == "CANCELLED" for _, status, _ in each.results.values())
    return {
        "DriftStatus": "DRIFTED" if drifted else "IN_SYNC",
        "DriftDetectionStatus": {"STOPPED": "STOPPED", "FAILED": "FAILED"}.get(
            each.status, "PARTIAL_SUCCESS" if failed or cancelled else "COMPLETED"
        ),
        "LastDriftCheckTimestamp": each.ended,
        "TotalStackInstancesCount": len(stack_set.instances),
        "DriftedStackInstancesCount": drifted,
        "InSyncStackInstancesCount": kinds.count("IN_SYNC"),
        "InProgressStackInstancesCount": 0,
        "FailedStackInstancesCount": failed,
    }
