"""Deploys a template: resources in order, events as they happen, and back again when something fails."""

from __future__ import annotations

import copy
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rehearsal import templates
from rehearsal.resources import Json, ReplaceError, provider, provider_of
from rehearsal.rollback import Rollback, Undo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rehearsal.resources import Place


@dataclass(frozen=True)
class Resource:
    """One deployed resource: its properties as evaluated, and what the service named it."""

    logical_id: str
    type: str
    physical_id: str
    properties: Json
    attributes: Json
    retained: bool


@dataclass
class Stack:
    """A stack as CloudFormation keeps it between operations."""

    name: str
    id: str
    place: Place
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    template: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    tags: list[Json] = field(default_factory=list)
    description: str | None = None
    status: str = "REVIEW_IN_PROGRESS"
    reason: str | None = None
    protected: bool = False
    resources: dict[str, Resource] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    outputs: list[Json] = field(default_factory=list)
    events: list[Json] = field(default_factory=list)
    rollback: Rollback | None = None

    def happened(self, status: str, resource: tuple[str, str, str] | None = None, reason: str | None = None) -> None:
        """Add an event, of the stack itself unless (logical id, type, physical id) of a resource are given."""
        logical_id, kind, physical_id = resource or (self.name, "AWS::CloudFormation::Stack", self.id)
        event = {
            "StackId": self.id,
            "EventId": secrets.token_hex(16),
            "StackName": self.name,
            "LogicalResourceId": logical_id,
            "PhysicalResourceId": physical_id,
            "ResourceType": kind,
            "Timestamp": datetime.now(UTC),
            "ResourceStatus": status,
        }
        self.events.append({**event, "ResourceStatusReason": reason} if reason else event)
        if resource is None:
            self.status, self.reason = status, reason


class Deployment:
    """One create or update of a stack; also the scope in which its template is evaluated."""

    def __init__(self, stack: Stack, template: str, parameters: dict[str, str], exports: Mapping[str, str]) -> None:
        self.stack, self.text, self.given, self.exports = stack, template, parameters, exports
        self.template = templates.parse(template)
        self.before = dict(stack.resources)
        self.undo: list[Undo] = []

    def run(self, verb: str) -> None:
        """Carry out; on any failure undo in reverse order and say why. `verb` is CREATE or UPDATE."""
        stack = self.stack
        if stack.status != f"{verb}_IN_PROGRESS":
            stack.happened(f"{verb}_IN_PROGRESS", reason="User Initiated")
        try:
            self.values = self.parameters()
            for name in templates.in_order(self.template):
                if templates.wanted(self.template, name, self):
                    self._deploy(name)
            outputs = self._outputs()
            self._remove_what_is_gone()
        except Exception as error:  # noqa: BLE001 whatever a resource raises is the deployment's reason to roll back
            self._roll_back(verb, error)
            return
        stack.template, stack.parameters, stack.outputs = self.text, self.given, outputs
        stack.values = self.values
        stack.description = self.template.get("Description")
        stack.happened(f"{verb}_COMPLETE")

    @property
    def changes_nothing(self) -> bool:
        """Whether template and parameters are those that are deployed, the values of SSM parameters included."""
        same = self.text == self.stack.template and self.given == self.stack.parameters
        return same and self.parameters() == self.stack.values

    # The scope of the template's functions.

    def ref(self, name: str) -> Any:
        pseudo = {
            "AWS::AccountId": self.stack.place.account,
            "AWS::Region": self.stack.place.region,
            "AWS::Partition": "aws",
            "AWS::URLSuffix": "amazonaws.com",
            "AWS::StackName": self.stack.name,
            "AWS::StackId": self.stack.id,
        }
        if name in pseudo:
            return pseudo[name]
        if name in self.values:
            return self.values[name]
        return self._resource(name).physical_id

    def attribute(self, resource: str, name: str) -> Any:
        found = self._resource(resource)
        if name not in found.attributes:
            raise templates.TemplateError(f"the embedded AWS has no attribute {name} of {found.type} {resource}")
        return found.attributes[name]

    def imported(self, export: str) -> str:
        if export not in self.exports:
            raise templates.TemplateError(f"No export named {export} found.")
        return self.exports[export]

    def zones(self, region: str) -> list[str]:
        described = self.stack.place.client("ec2").describe_availability_zones()["AvailabilityZones"]
        return [zone["ZoneName"] for zone in described if zone["RegionName"] == (region or self.stack.place.region)]

    def _resource(self, name: str) -> Resource:
        if name not in self.stack.resources:
            raise templates.TemplateError(f"Unresolved resource dependencies [{name}] in the template")
        return self.stack.resources[name]

    def parameters(self) -> dict[str, Any]:
        values = {}
        for name, declared in self.template.get("Parameters", {}).items():
            value = self.given.get(name, declared.get("Default"))
            if value is None:
                raise templates.TemplateError(f"Parameters: [{name}] must have values")
            if declared["Type"].startswith("AWS::SSM::Parameter::Value"):
                value = self.stack.place.client("ssm").get_parameter(Name=value)["Parameter"]["Value"]
            values[name] = value.split(",") if declared["Type"] == "CommaDelimitedList" else value
        return values

    def _outputs(self) -> list[Json]:
        outputs = []
        for name, declared in self.template.get("Outputs", {}).items():
            if templates.wanted(self.template, name, self):
                made = {
                    "OutputKey": name,
                    "OutputValue": str(templates.evaluate(declared["Value"], self.template, self)),
                }
                if "Export" in declared:
                    made["ExportName"] = templates.evaluate(declared["Export"]["Name"], self.template, self)
                outputs.append(made)
        return outputs

    def _deploy(self, name: str) -> None:
        declared = self.template["Resources"][name]
        kind, old = declared["Type"], self.stack.resources.get(name)
        self._about = (name, kind, old.physical_id if old else "")
        properties = templates.evaluate(declared.get("Properties", {}), self.template, self)
        provider(kind, properties)
        retained = declared.get("DeletionPolicy", "Delete").startswith("Retain")
        if old is None or old.type != kind:
            self._create(name, kind, properties, retained=retained)
        elif old.properties != properties:
            self._update(old, properties, retained=retained)

    def _create(self, name: str, kind: str, properties: Json, *, retained: bool) -> Resource:
        made, place = provider_of(kind), self.stack.place
        self.stack.happened("CREATE_IN_PROGRESS", (name, kind, ""))
        physical_id = made.create(place, f"{self.stack.name}-{name}-{secrets.token_hex(4)}", copy.deepcopy(properties))
        self.undo.append(Undo((name, kind, physical_id), lambda: self._delete(self.stack.resources[name])))
        resource = Resource(name, kind, physical_id, properties, {}, retained)
        self.stack.resources[name] = resource
        attributes = made.attributes(place, physical_id, properties)
        resource = self.stack.resources[name] = Resource(name, kind, physical_id, properties, attributes, retained)
        self.stack.happened("CREATE_COMPLETE", (name, kind, physical_id))
        return resource

    def _update(self, old: Resource, properties: Json, *, retained: bool) -> None:
        made, place = provider_of(old.type), self.stack.place
        about = (old.logical_id, old.type, old.physical_id)
        self.stack.happened("UPDATE_IN_PROGRESS", about)
        changed = {key for key in {*old.properties, *properties} if old.properties.get(key) != properties.get(key)}
        if changed & made.fixed:
            self._replace(old, properties, retained=retained)
            return
        try:
            made.update(place, old.physical_id, old.properties, properties)
        except ReplaceError:
            self._replace(old, properties, retained=retained)
            return
        self.undo.append(Undo(about, lambda: self._restore(old, properties), needed=True))
        attributes = made.attributes(place, old.physical_id, properties)
        new = Resource(old.logical_id, old.type, old.physical_id, properties, attributes, retained)
        self.stack.resources[old.logical_id] = new
        self.stack.happened("UPDATE_COMPLETE", about)

    def _replace(self, old: Resource, properties: Json, *, retained: bool) -> None:
        """Make the new one first; the old one goes when the whole update has succeeded."""
        self._create(old.logical_id, old.type, properties, retained=retained)
        about = (old.logical_id, old.type, old.physical_id)
        self.undo.append(Undo(about, lambda: self.stack.resources.__setitem__(old.logical_id, old)))
        self.undo[-1], self.undo[-2] = self.undo[-2], self.undo[-1]
        self.before.pop(old.logical_id)
        if self.template["Resources"][old.logical_id].get("UpdateReplacePolicy", "Delete") == "Delete":
            self.before[f"{old.logical_id} (replaced)"] = old

    def _restore(self, old: Resource, properties: Json) -> None:
        provider_of(old.type).update(self.stack.place, old.physical_id, properties, old.properties)
        self.stack.resources[old.logical_id] = old

    def _remove_what_is_gone(self) -> None:
        kept = {resource.physical_id for resource in self.stack.resources.values() if self._declared(resource)}
        for resource in reversed(self.before.values()):
            if resource.physical_id not in kept and not resource.retained:
                self._delete(resource)
        self.stack.resources = {name: r for name, r in self.stack.resources.items() if self._declared(r)}

    def _declared(self, resource: Resource) -> bool:
        declared = resource.logical_id in self.template["Resources"]
        return declared and templates.wanted(self.template, resource.logical_id, self)

    def _delete(self, resource: Resource) -> None:
        provider_of(resource.type).delete(self.stack.place, resource.physical_id, resource.properties)
        if self.stack.resources.get(resource.logical_id) == resource:
            del self.stack.resources[resource.logical_id]
        self.stack.happened("DELETE_COMPLETE", (resource.logical_id, resource.type, resource.physical_id))

    def _roll_back(self, verb: str, error: Exception) -> None:
        about = getattr(self, "_about", None)
        if about:
            self.stack.happened(f"{verb}_FAILED", about, reason=str(error))
            if about[0] in self.stack.resources:  # its service refused the change, or took it back by itself
                self.undo.append(Undo(about, lambda: None, needed=True))
        rollback = Rollback(self.stack, verb, self.undo, str(error))
        rollback.begin(str(error))
        rollback.run()


def delete(stack: Stack) -> None:
    """Delete a stack's resources, the last made first; retained ones stay."""
    stack.happened("DELETE_IN_PROGRESS", reason="User Initiated")
    for resource in reversed(list(stack.resources.values())):
        about = (resource.logical_id, resource.type, resource.physical_id)
        if resource.retained:
            stack.happened("DELETE_SKIPPED", about)
            continue
        try:
            provider_of(resource.type).delete(stack.place, resource.physical_id, resource.properties)
        except Exception as error:  # noqa: BLE001 the service's refusal is the stack's reason
            stack.happened("DELETE_FAILED", about, reason=str(error))
            stack.happened("DELETE_FAILED", reason=f"The following resource(s) failed to delete: [{about[0]}].")
            return
        del stack.resources[resource.logical_id]
        stack.happened("DELETE_COMPLETE", about)
    stack.happened("DELETE_COMPLETE")
