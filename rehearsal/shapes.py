"""SageMaker's operations put behind its API, each request held against its shape first, as the service does."""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import Caller, Json, ServiceError, install

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from botocore.model import Shape

PYTHON_TYPES: dict[str, type | tuple[type, ...]] = {
    "structure": dict,
    "map": dict,
    "list": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "long": int,
    "float": (int, float),
    "double": (int, float),
}


def install_operations(owner: object) -> None:
    """Answer each operation that `owner` has a method for, named as AWS names it: (caller, request) -> answer."""
    names = [name for name in dir(owner) if name[0].isupper()]
    install(SageMakerResponse, {name: _checked(name, getattr(owner, name)) for name in names})


def check(operation: str, request: Json) -> None:
    """Raises ValidationException with every violation, in the words of the service."""
    found = list(violations(request, _service().operation_model(operation).input_shape))
    if found:
        count = "1 validation error" if len(found) == 1 else f"{len(found)} validation errors"
        raise ServiceError("ValidationException", f"{count} detected: {'; '.join(found)}")


def violations(value: Any, shape: Shape, path: str = "") -> Iterator[str]:
    """What of a request breaks its shape: missing, unknown, of a wrong type, not in an enum, too long, malformed."""
    kind = shape.type_name
    wanted = PYTHON_TYPES.get(kind)
    if wanted and (not isinstance(value, wanted) or (isinstance(value, bool) and kind != "boolean")):
        yield f"Value {value!r} at '{path}' failed to satisfy constraint: Member must be of type {kind}"
    elif kind == "structure":
        yield from _structure(value, shape, path)
    elif kind == "list":
        yield from _size(len(value), shape, path, value, "length")
        for number, member in enumerate(value, 1):
            yield from violations(member, shape.member, f"{path}.{number}.member")
    elif kind == "map":
        yield from _size(len(value), shape, path, value, "length")
        for key, member in value.items():
            yield from violations(key, shape.key, f"{path}.key")
            yield from violations(member, shape.value, f"{path}.{key}")
    elif kind == "string":
        yield from _string(value, shape, path)
    elif kind in {"integer", "long", "float", "double"}:
        yield from _size(value, shape, path, value, "value")


def _structure(value: Json, shape: Shape, path: str) -> Iterator[str]:
    for name in shape.required_members:
        if value.get(name) is None:
            yield f"Value null at '{_below(path, name)}' failed to satisfy constraint: Member must not be null"
    for name, member in value.items():
        if name not in shape.members:
            yield f"Unknown member '{_below(path, name)}'; known are {', '.join(shape.members)}"
        elif member is not None:
            yield from violations(member, shape.members[name], _below(path, name))


def _string(value: str, shape: Shape, path: str) -> Iterator[str]:
    rules = shape.metadata
    told = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must satisfy"
    if rules.get("enum") and value not in rules["enum"]:
        yield f"{told} enum value set: [{', '.join(rules['enum'])}]"
    pattern = _compiled(rules.get("pattern", ""))
    if pattern and not pattern.fullmatch(value):
        yield f"{told} regular expression pattern: {rules['pattern']}"
    yield from _size(len(value), shape, path, value, "length")


def _size(size: float, shape: Shape, path: str, value: Any, of: str) -> Iterator[str]:
    told = f"Value '{value}' at '{path}' failed to satisfy constraint: Member must have {of}"
    if size < shape.metadata.get("min", size):
        yield f"{told} greater than or equal to {shape.metadata['min']}"
    if size > shape.metadata.get("max", size):
        yield f"{told} less than or equal to {shape.metadata['max']}"


@cache
def _compiled(pattern: str) -> re.Pattern[str] | None:
    """AWS writes Java patterns; those with Unicode classes, which Python lacks, are not checked."""
    if not pattern or r"\p{" in pattern:
        return None
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return None


@cache
def _service() -> Any:
    return botocore.session.get_session().get_service_model("sagemaker")


def _below(path: str, name: str) -> str:
    lowered = name[:1].lower() + name[1:]
    return f"{path}.{lowered}" if path else lowered


def _checked(name: str, operation: Callable[[Caller, Json], Json]) -> Callable[[Caller, Json], Json]:
    def checked(caller: Caller, request: Json) -> Json:
        check(name, request)
        return operation(caller, request)

    return checked
