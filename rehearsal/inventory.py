"""Reads back every deployed resource from its own service: a stack's green tick is no proof."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from rehearsal import templates
from rehearsal.resources import Place, exists

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

METADATA = "AWS::CDK::Metadata"
RECORDED_ONLY = frozenset({"AWS::Chatbot::SlackChannelConfiguration", "AWS::CodeStarNotifications::NotificationRule"})
"""Types that the embedded AWS accepts and cannot really make."""


class Where(Protocol):
    """What has an account and a region."""

    @property
    def account(self) -> str: ...

    @property
    def region(self) -> str: ...


@dataclass
class Inventory:
    """declared = created + recorded only + waiting; what is none of them is `missing`.

    Waiting are resources whose condition does not hold yet: an endpoint, until a version is released.
    """

    declared: int = 0
    created: int = 0
    waiting: list[dict[str, str]] = field(default_factory=list)
    recorded_only: list[dict[str, str]] = field(default_factory=list)
    missing: list[dict[str, str]] = field(default_factory=list)


def inventory(client: Callable[[str, str, str], Any], stacks: Sequence[tuple[Where, str]]) -> Inventory:
    """Compare templates with what the services themselves say is there; `client` takes service, account, region."""
    found = Inventory()
    for site, stack in stacks:
        place = Place(site.account, site.region, _clients(client, site))
        cloudformation = place.client("cloudformation")
        template = cloudformation.get_template(StackName=stack)["TemplateBody"]
        if isinstance(template, str):  # boto3 reads JSON; without a bucket to put it in, the CLI sends YAML
            template = templates.parse(template)
        physical = {
            resource["LogicalResourceId"]: resource["PhysicalResourceId"]
            for resource in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
        }
        for name, declared in template["Resources"].items():
            if declared["Type"] != METADATA:
                properties = _named(declared.get("Properties", {}), physical)
                if "Condition" in declared and name not in physical:
                    found.declared += 1
                    found.waiting.append({"type": declared["Type"], "logical_id": name, "stack": stack})
                else:
                    _look_up(found, place, (name, declared["Type"]), properties, physical.get(name))
    return found


def _clients(client: Callable[[str, str, str], Any], site: Where) -> Callable[[str], Any]:
    return lambda service: client(service, site.account, site.region)


def _named(value: Any, physical: dict[str, str]) -> Any:
    """Properties with references to resources replaced by their physical ids; all a look-up needs."""
    if isinstance(value, dict):
        named = value.get("Ref") or value.get("Fn::GetAtt", [None])[0]
        if named in physical:
            return physical[named]
        return {key: _named(inner, physical) for key, inner in value.items()}
    return [_named(inner, physical) for inner in value] if isinstance(value, list) else value


def _look_up(
    found: Inventory, place: Place, resource: tuple[str, str], properties: dict[str, Any], physical_id: str | None
) -> None:
    found.declared += 1
    name, kind = resource
    about = {"type": kind, "logical_id": name}
    if kind in RECORDED_ONLY:
        found.recorded_only.append(about)
    elif physical_id and exists(place, kind, physical_id, properties):
        found.created += 1
    else:
        found.missing.append(about)
