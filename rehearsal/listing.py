"""What every List operation of SageMaker does: filter, sort, and answer page by page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal.api import Json, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

PAGE_SIZE = 10
"""Items an answer holds unless MaxResults says otherwise; callers that do not page miss the rest, as in AWS."""

AFTER = {
    "CreationTimeAfter": "CreationTime",
    "CreatedAfter": "CreationTime",
    "LastModifiedTimeAfter": "LastModifiedTime",
}
BEFORE = {key.replace("After", "Before"): member for key, member in AFTER.items()}
CARRIED_OUT = {*AFTER, *BEFORE, "NameContains", "SortBy", "SortOrder", "NextToken", "MaxResults"}


@dataclass(frozen=True)
class Listing:
    """How one kind of item is listed; all strings are members of the item.

    `sorts` maps values of SortBy to members, the first is the default; `equal` and `prefix` map filters of the request
    to members; `own` are the members of the request that the operation itself deals with.
    """

    answer: str
    name: str
    sorts: Mapping[str, str] = field(default_factory=lambda: {"CreationTime": "CreationTime"})
    equal: Mapping[str, str] = field(default_factory=dict)
    prefix: Mapping[str, str] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    ascending: bool = False

    def page(self, items: Iterable[Json], request: Json) -> Json:
        """One page of the items that the request asks for; raises ServiceError for what cannot be asked for."""
        unknown = sorted(set(request) - CARRIED_OUT - set(self.equal) - set(self.prefix) - self.own)
        if unknown:
            raise ServiceError("NotImplemented", f"the embedded AWS does not carry out {', '.join(unknown)}")
        by = self.sorts[request.get("SortBy", next(iter(self.sorts)))]
        order = request.get("SortOrder", "Ascending" if self.ascending else "Descending")
        found = sorted((item for item in items if self._wanted(item, request)), key=lambda item: item[by])
        if order == "Descending":
            found.reverse()
        start, size = _start(request.get("NextToken")), request.get("MaxResults", PAGE_SIZE)
        page: Json = {self.answer: found[start : start + size]}
        return {**page, "NextToken": str(start + size)} if len(found) > start + size else page

    def _wanted(self, item: Json, request: Json) -> bool:
        return (
            all(_naive(item[member]) > request[key] for key, member in AFTER.items() if key in request)
            and all(_naive(item[member]) < request[key] for key, member in BEFORE.items() if key in request)
            and all(item.get(member) == request[key] for key, member in self.equal.items() if key in request)
            and all(item[member].startswith(request[key]) for key, member in self.prefix.items() if key in request)
            and request.get("NameContains", "") in item[self.name]
        )


def _naive(moment: datetime) -> datetime:
    """As moto reads the timestamps of a request: UTC without saying so."""
    return moment.replace(tzinfo=None)


def _start(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isdigit():
        raise ServiceError("ValidationException", f"NextToken {token!r} was not given by this operation")
    return int(token)
