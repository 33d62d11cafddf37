"""Whether an answer of ours has the form the service documents: botocore's output shapes, member by member."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from botocore.model import ServiceModel, Shape

KINDS: dict[str, tuple[type, ...]] = {
    "list": (list,),
    "map": (dict,),
    "string": (str,),
    "integer": (int,),
    "long": (int,),
    "float": (int, float),
    "double": (int, float),
    "boolean": (bool,),
    "timestamp": (datetime,),
    "blob": (bytes, str),
}
UNLISTED = {"ResourceStatus": {"REVIEW_IN_PROGRESS"}}
"""Values that AWS answers and its own list of values lacks: a stack's first event, before its change set runs."""


@cache
def output_shape(service: str, operation: str) -> Shape | None:
    """The shape of an operation's answer; None for one without an answer."""
    return _model(service).operation_model(operation).output_shape


@cache
def _model(service: str) -> ServiceModel:
    """A service's model is megabytes: read once."""
    return botocore.session.get_session().get_service_model(service)


def problems(answer: Any, shape: Shape | None, path: str = "answer") -> Iterator[str]:
    """Every member that is unknown, missing or of another type, with its path."""
    if shape is None:
        yield from [f"{path}: nothing is answered"] if answer else []
    elif shape.type_name == "structure":
        yield from _structure(answer, shape, path)
    elif shape.type_name == "list" and isinstance(answer, list):
        for index, inner in enumerate(answer):
            yield from problems(inner, shape.member, f"{path}[{index}]")
    elif shape.type_name == "map" and isinstance(answer, dict):
        for key, inner in answer.items():
            yield from problems(inner, shape.value, f"{path}.{key}")
    elif not _fits(answer, shape):
        yield f"{path}: {answer!r} is no {shape.type_name}"


def _structure(answer: Any, shape: Any, path: str) -> Iterator[str]:
    if not isinstance(answer, dict):
        yield f"{path}: {answer!r} is no structure"
        return
    missing = [name for name in shape.required_members if answer.get(name) is None]
    yield from (f"{path}.{name}: missing" for name in missing)
    for name, inner in answer.items():
        if inner is None:
            continue
        if name not in shape.members:
            yield f"{path}.{name}: {shape.name} has no such member"
        else:
            yield from problems(inner, shape.members[name], f"{path}.{name}")


def _fits(answer: Any, shape: Any) -> bool:
    kinds = KINDS[shape.type_name]
    if isinstance(answer, bool) and bool not in kinds:
        return False
    allowed = getattr(shape, "enum", None)
    listed = not allowed or answer in allowed or answer in UNLISTED.get(shape.name, ())
    return isinstance(answer, kinds) and listed
