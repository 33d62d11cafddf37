"""Stack sets as resources: made, rolled out to what their groups of instances name, and waited for."""

from __future__ import annotations

import time
from typing import Any

from rehearsal.resources import Json, Place, Provider, call

LOOK_SECONDS = 0.05
SETTINGS = (
    "AutoDeployment",
    "CallAs",
    "Capabilities",
    "Description",
    "ManagedExecution",
    "Parameters",
    "PermissionModel",
    "Tags",
    "TemplateBody",
    "TemplateURL",
)


class StackSetError(Exception):
    """An operation that failed; in CloudFormation's words."""


class StackSet(Provider):
    type = "AWS::CloudFormation::StackSet"
    known = frozenset({*SETTINGS, "OperationPreferences", "StackInstancesGroup", "StackSetName"})
    fixed = frozenset({"CallAs", "PermissionModel", "StackSetName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        client, given = place.client("cloudformation"), _settings(properties)
        made = call(client, "create_stack_set", StackSetName=properties["StackSetName"], **given)["StackSetId"]
        try:
            for group in properties.get("StackInstancesGroup", []):
                _operate(client, "create_stack_instances", made, properties, _group(group))
        except Exception:
            self.delete(place, made, properties)
            raise
        return str(made)

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        client = place.client("cloudformation")
        _take_back(client, physical_id, old, _everywhere(old) - _everywhere(new))
        if _settings(old) != _settings(new):
            _operate(client, "update_stack_set", physical_id, new, _settings(new))
        for group in new.get("StackInstancesGroup", []):
            if group not in old.get("StackInstancesGroup", []):
                _operate(client, "create_stack_instances", physical_id, new, _group(group))

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        client = place.client("cloudformation")
        found = client.describe_stack_set(StackSetName=physical_id, **_acting(properties))["StackSet"]
        return found["Status"] == "ACTIVE"

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        client, acting = place.client("cloudformation"), _acting(properties)
        there = client.list_stack_set_auto_deployment_targets(StackSetName=physical_id, **acting)["Summaries"]
        places = {(each["OrganizationalUnitId"], region) for each in there for region in each["Regions"]}
        _take_back(client, physical_id, properties, places)
        client.delete_stack_set(StackSetName=physical_id, **acting)

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"StackSetId": physical_id}


def _settings(properties: Json) -> Json:
    return {key: properties[key] for key in SETTINGS if key in properties}


def _acting(properties: Json) -> Json:
    return {"CallAs": properties["CallAs"]} if "CallAs" in properties else {}


def _group(group: Json) -> Json:
    return {key: group[key] for key in ("DeploymentTargets", "Regions", "ParameterOverrides") if key in group}


def _everywhere(properties: Json) -> set[tuple[str, str]]:
    """Each targeted unit with each of its regions."""
    return {
        (unit, region)
        for group in properties.get("StackInstancesGroup", [])
        for unit in group["DeploymentTargets"]["OrganizationalUnitIds"]
        for region in group["Regions"]
    }


def _take_back(client: Any, id: str, properties: Json, places: set[tuple[str, str]]) -> None:
    for unit, region in sorted(places):
        targets = {"DeploymentTargets": {"OrganizationalUnitIds": [unit]}, "Regions": [region]}
        _operate(client, "delete_stack_instances", id, properties, {**targets, "RetainStacks": False})


def _operate(client: Any, operation: str, id: str, properties: Json, request: Json) -> None:
    """Begin an operation, as the properties would have it carried out, and wait for its end."""
    preferences = {key: properties[key] for key in ("OperationPreferences",) if key in properties}
    acting = _acting(properties)
    begun = call(client, operation, StackSetName=id, **{**preferences, **acting, **request})["OperationId"]
    while True:
        told = client.describe_stack_set_operation(StackSetName=id, OperationId=begun, **acting)["StackSetOperation"]
        if told["Status"] not in {"RUNNING", "QUEUED", "STOPPING"}:
            break
        time.sleep(LOOK_SECONDS)
    if told["Status"] != "SUCCEEDED":
        results = client.list_stack_set_operation_results(StackSetName=id, OperationId=begun, **acting)["Summaries"]
        reasons = [told.get("StatusReason"), *(f"{each['Account']}: {each.get('StatusReason')}" for each in results)]
        raise StackSetError(
            f"Resource of type 'Stack set operation [{begun}] was unexpectedly stopped or failed. "
            f"status reason(s): [{', '.join(str(reason) for reason in reasons if reason)}]' "
            f"with identifier '{id}' did not stabilize."
        )
