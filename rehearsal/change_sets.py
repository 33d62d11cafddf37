"""What a change set says: each resource that would be added, changed or removed, and why, SSM's values included.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ResourceChange.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal import templates
from rehearsal.resources import provider_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.api import Json
    from rehearsal.deployment import Deployment


def changes(deployment: Deployment) -> list[Json]:
    """As they would be, with what the parameters say now; nothing is changed by asking."""
    deployment.values = deployment.parameters()
    return [{"Type": "Resource", "ResourceChange": change} for change in _changes(deployment)]


def resolved(deployment: Deployment) -> dict[str, str]:
    """What the SSM parameters of the template say now."""
    declared = deployment.template.get("Parameters", {})
    return {
        name: str(deployment.values[name])
        for name, parameter in declared.items()
        if parameter["Type"].startswith("AWS::SSM::Parameter::Value")
    }


def _changes(deployment: Deployment) -> Iterator[Json]:
    template, stack = deployment.template, deployment.stack
    kept = {name for name in templates.in_order(template) if templates.wanted(template, name, deployment)}
    touched = {name for name in kept if name not in stack.resources}
    for name in templates.in_order(template):
        if name not in kept:
            continue
        kind, old = template["Resources"][name]["Type"], stack.resources.get(name)
        if old is None:
            _changed(deployment, name, {}, touched)  # what cannot be evaluated is no change set
            yield {"Action": "Add", "LogicalResourceId": name, "ResourceType": kind}
            continue
        changed = sorted(_changed(deployment, name, old.properties, touched))
        anew = old.type != kind or bool(set(changed) & provider_of(kind).fixed)
        if changed or old.type != kind:
            if anew:
                touched.add(name)
            yield {
                "Action": "Modify",
                "LogicalResourceId": name,
                "PhysicalResourceId": old.physical_id,
                "ResourceType": kind,
                "Replacement": str(anew),
                "Scope": ["Properties"],
                "Details": [{"Target": {"Attribute": "Properties", "Name": key}} for key in changed],
            }
    for name, old in stack.resources.items():
        if name not in kept:
            told = {"LogicalResourceId": name, "PhysicalResourceId": old.physical_id, "ResourceType": old.type}
            yield {"Action": "Remove", **told}


def _changed(deployment: Deployment, name: str, old: Json, touched: set[str]) -> set[str]:
    """The properties that would have another value; one that refers to what is made anew has a value not yet known."""
    declared = deployment.template["Resources"][name].get("Properties", {})
    found = set(old) - set(declared)
    for key, value in declared.items():
        unknown = touched & set(templates.references(value))
        if unknown or _evaluated(deployment, value) != old.get(key, templates.NO_VALUE):
            found.add(key)
    return found


def _evaluated(deployment: Deployment, value: Any) -> Any:
    return templates.evaluate(value, deployment.template, deployment)
