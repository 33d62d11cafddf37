"""CloudFormation resource types: one file a service, one class a type; a type without a class cannot be deployed.

A provider turns properties into calls of the service's own API, so botocore checks them, and reads the resource back
through that API, so a green tick is never taken on trust.
"""

from __future__ import annotations

import pkgutil
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from botocore.model import Shape

Json = dict[str, Any]


class UnsupportedError(Exception):
    """A type or property the embedded AWS does not know; never skipped in silence."""


class ReplaceError(Exception):
    """This change needs a new resource; CloudFormation calls it replacement."""


def _nobody(role: str) -> Callable[[str], Any]:
    raise NotImplementedError(f"only the embedded AWS itself can act as {role}")


@dataclass(frozen=True)
class Place:
    """Where a resource is made: the account, the region and a client for each service there."""

    account: str
    region: str
    client: Callable[[str], Any]
    become: Callable[[str], Callable[[str], Any]] = _nobody

    def acting_as(self, role: str) -> Place:
        """The same place, seen with a role's own keys: what a service does there in the name of that role."""
        return replace(self, client=self.become(role))

    def arn(self, service: str, resource: str, *, region: bool = True) -> str:
        return f"arn:aws:{service}:{self.region if region else ''}:{self.account}:{resource}"


class Provider(ABC):
    """One resource type. `known` lists the properties it carries out; `fixed` those that need a replacement."""

    type: ClassVar[str]
    known: ClassVar[frozenset[str]]
    fixed: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def create(self, place: Place, name: str, properties: Json) -> str:
        """Make the resource and return its physical id, which is what `Ref` yields; `name` is free to use."""

    @abstractmethod
    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        """What the service's API says of it; a falsy answer or a ClientError means that it is not there."""

    @abstractmethod
    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        """Remove it."""

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        """Carry out a change in place; by default a change needs a replacement."""
        raise ReplaceError(f"{physical_id}: {sorted(k for k in {*old, *new} if old.get(k) != new.get(k))}")

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        """What `Fn::GetAtt` may ask for."""
        return {}

    def told(self, place: Place, physical_id: str, properties: Json) -> Json | None:
        """Properties as the service tells them now, for drift; None where nobody asks."""
        return None


@cache
def providers() -> dict[str, Provider]:
    """All types, by listing the folder."""
    for module in pkgutil.iter_modules(__path__):
        import_module(f"{__name__}.{module.name}")
    return {kind.type: kind() for kind in _below(Provider) if hasattr(kind, "type")}


def _below(kind: type[Any]) -> list[type[Any]]:
    """The classes that are made of one, and of those."""
    return [each for below in kind.__subclasses__() for each in (below, *_below(below))]


CUSTOM, CUSTOM_RESOURCE = "Custom::", "AWS::CloudFormation::CustomResource"


def provider_of(kind: str) -> Provider:
    """The provider of a type; raises UnsupportedError for one that nobody carries out."""
    found = providers().get(CUSTOM_RESOURCE if kind.startswith(CUSTOM) else kind)
    if found is None:
        raise UnsupportedError(f"the embedded AWS has no resource type {kind}")
    return found


def provider(kind: str, properties: Json) -> Provider:
    """The provider of a type; raises UnsupportedError naming an unknown type or property."""
    found = provider_of(kind)
    if found.type == CUSTOM_RESOURCE:
        return found
    unknown = sorted(set(properties) - found.known - {"Tags"})
    if unknown:
        raise UnsupportedError(f"the embedded AWS does not carry out {kind} {', '.join(unknown)}")
    return found


def exists(place: Place, kind: str, physical_id: str, properties: Json) -> bool:
    """Whether the service itself says that the resource is there."""
    try:
        return bool(provider_of(kind).read(place, physical_id, properties))
    except ClientError:
        return False


def conform(value: Any, shape: Shape) -> Any:
    """A property tree in the spelling and types of an API's input shape; unknown keys stay, botocore names them."""
    if shape.type_name == "structure" and isinstance(value, dict):
        spelling = {name.lower(): name for name in shape.members}
        return {
            spelling.get(key.lower(), key): conform(inner, shape.members[spelling[key.lower()]])
            if key.lower() in spelling
            else inner
            for key, inner in value.items()
        }
    if shape.type_name == "list" and isinstance(value, list):
        return [conform(inner, shape.member) for inner in value]
    if shape.type_name == "map" and isinstance(value, dict):
        return {key: conform(inner, shape.value) for key, inner in value.items()}
    scalars: dict[str, Callable[[Any], Any]] = {"integer": int, "long": int, "float": float, "double": float}
    if shape.type_name == "boolean":
        return str(value).lower() == "true"
    if shape.type_name == "string":
        return str(value)
    return scalars[shape.type_name](value) if shape.type_name in scalars else value


def call(client: Any, operation: str, **arguments: Any) -> Json:
    """One API call with CloudFormation's spelling of its arguments."""
    model = client.meta.service_model.operation_model(client.meta.method_to_api_mapping[operation])
    answer: Json = getattr(client, operation)(**conform(arguments, model.input_shape))
    return answer


def tags(properties: Json) -> list[Json]:
    """A resource's tags as Key and Value pairs."""
    found: list[Json] = properties.get("Tags", [])
    return found
