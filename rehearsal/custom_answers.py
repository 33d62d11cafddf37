"""Where custom resources answer: an address of this very server stands for CloudFormation's pre-signed one."""

from __future__ import annotations

import queue
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Json = dict[str, Any]

ORDER = "custom-resource"
SECONDS = 60

_waiting: dict[str, queue.Queue[Json]] = {}
_data: dict[str, Json] = {}


def url(endpoint: str, request: str) -> str:
    """Where a request is to be answered."""
    return f"{endpoint}/_rehearsal/{ORDER}/{request}"


@contextmanager
def expect(request: str) -> Iterator[Callable[[], Json | None]]:
    """Gives a function that waits for the answer; it returns None if none comes."""
    _waiting[request] = queue.Queue()
    try:
        yield lambda: _wait(request)
    finally:
        del _waiting[request]


def _wait(request: str) -> Json | None:
    try:
        return _waiting[request].get(timeout=SECONDS)
    except queue.Empty:
        return None


def take(request: str, given: Json) -> Json:
    """An answer has come; one that nobody waits for is dropped, as CloudFormation does."""
    _data[str(given.get("PhysicalResourceId"))] = given.get("Data") or {}
    if request in _waiting:
        _waiting[request].put(given)
    return {}


def data_of(physical_id: str) -> Json:
    """What the resource gave for Fn::GetAtt."""
    return _data.get(physical_id, {})
