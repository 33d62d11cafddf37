"""How CloudFormation describes stacks, resources, parameters and changes in its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.api import Json
    from rehearsal.deployment import Stack


def parameters(stack: Stack, request: Json) -> dict[str, str]:
    """What the request gives; a previous value that was only the template's default stays the default."""
    given = {}
    for parameter in request.get("Parameters") or []:
        name = parameter["ParameterKey"]
        if not parameter.get("UsePreviousValue"):
            given[name] = parameter["ParameterValue"]
        elif name in stack.parameters:
            given[name] = stack.parameters[name]
    return given


def listed(parameters: dict[str, str], resolved: dict[str, str] | None = None) -> list[Json]:
    """As given; of SSM parameters also what they say, whether they were given or are the template's default."""
    values = [{"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()]
    known = {value["ParameterKey"]: value for value in values}
    for name, value in (resolved or {}).items():
        known.setdefault(name, {"ParameterKey": name})["ResolvedValue"] = value
    return list(known.values())


def described(stack: Stack) -> Json:
    return {
        "StackId": stack.id,
        "StackName": stack.name,
        "Description": stack.description,
        "Parameters": listed(stack.parameters),
        "CreationTime": stack.created,
        "LastUpdatedTime": stack.events[-1]["Timestamp"],
        "StackStatus": stack.status,
        "StackStatusReason": stack.reason,
        "EnableTerminationProtection": stack.protected,
        "Outputs": stack.outputs,
        "Tags": stack.tags,
        "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"],
    }


def resources(stack: Stack, timestamp: str) -> list[Json]:
    """Each with what happened to it last."""
    last = {event["LogicalResourceId"]: event for event in stack.events}
    return [
        {
            "StackName": stack.name,
            "StackId": stack.id,
            "LogicalResourceId": resource.logical_id,
            "PhysicalResourceId": resource.physical_id,
            "ResourceType": resource.type,
            "ResourceStatus": last[resource.logical_id]["ResourceStatus"],
            "ResourceStatusReason": last[resource.logical_id].get("ResourceStatusReason"),
            timestamp: last[resource.logical_id]["Timestamp"],
        }
        for resource in stack.resources.values()
    ]


def as_event(stack: Stack) -> dict[str, Any]:
    """The detail of "CloudFormation Stack Status Change".

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/event-detail-stack-status-change.html
    """
    details = {"status": stack.status, "status-reason": stack.reason or ""}
    return {"stack-id": stack.id, "status-details": details, "client-request-token": ""}
