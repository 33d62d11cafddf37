"""How SageMaker's lists are cut: filters by time, name and status, order, pages."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import TYPE_CHECKING, Any

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Json = dict[str, Any]
PAGE = 100


def page(key: str, found: Sequence[Any], request: Json, *, newest_first: bool = True) -> Json:
    """One answer of a list operation: the page the request asks for, and the token of the next if there is one.

    `found` is in order of creation; what SortBy names beside it is not told apart here.
    """
    descending = request.get("SortOrder", "Descending" if newest_first else "Ascending") == "Descending"
    ordered = list(reversed(found)) if descending else list(found)
    start, size = _start(request.get("NextToken")), int(request.get("MaxResults") or PAGE)
    answer: Json = {key: ordered[start : start + size]}
    if start + size < len(ordered):
        answer["NextToken"] = base64.urlsafe_b64encode(f"from-{start + size}".encode()).decode()
    return answer


def lower_page(key: str, found: Sequence[Any], request: Json, *, newest_first: bool = True) -> Json:
    """The same for services whose names begin with a small letter."""
    asked = {"NextToken": request.get("nextToken"), "MaxResults": request.get("maxResults")}
    if "sortOrder" in request:
        newest_first = request["sortOrder"] != "ASCENDING"
    answer = page(key, found, asked, newest_first=newest_first)
    return {key: answer[key], **({"nextToken": answer["NextToken"]} if "NextToken" in answer else {})}


def between(request: Json, created: Callable[[Json], datetime], found: Sequence[Json]) -> list[Json]:
    """Those created after and before the times of a request."""
    after, before = _time(request, "After"), _time(request, "Before")
    return [
        item
        for item in found
        if (after is None or created(item) > after) and (before is None or created(item) < before)
    ]


def _time(request: Json, side: str) -> datetime | None:
    value = request.get(f"Created{side}") or request.get(f"CreationTime{side}")
    if value is None or isinstance(value, datetime):
        return value
    return datetime.fromtimestamp(float(value)).astimezone()


def _start(token: str | None) -> int:
    if not token:
        return 0
    try:
        return int(base64.urlsafe_b64decode(token).decode().removeprefix("from-"))
    except ValueError:
        raise ServiceError("ValidationException", f"Invalid NextToken {token!r}") from None
