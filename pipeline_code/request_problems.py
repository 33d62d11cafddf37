"""What is wrong with a request, in words a client can act on, and in bounded memory however much it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

SHOWN = 20
"""Problems that are listed; the rest are counted."""

ENOUGH = 50
"""Characters by which a value is recognized."""


@dataclass
class RequestError(Exception):
    """Why a request gets no predictions; `status` is 400, 406, 413 or 415."""

    message: str
    status: int = 400
    problems: list[dict[str, Any]] = field(default_factory=list)


class Problems:
    """All that is wrong is counted, the first of it kept."""

    def __init__(self) -> None:
        self.count = 0
        self._first: list[dict[str, Any]] = []

    def add(self, **told: Any) -> None:
        """One more; `told` is shown to the client as it is."""
        self.count += 1
        if self.count <= SHOWN:
            self._first.append(told)

    def end(self) -> None:
        """Raises RequestError if there are any."""
        if self.count:
            more = f", the first {SHOWN} are listed" if self.count > SHOWN else ""
            raise RequestError(f"{self.count} values cannot be used{more}", problems=self._first)


def short(value: Any) -> str:
    """A value as it is shown; of lists and records no more than what they are, for they may be deep and endless."""
    if isinstance(value, list):
        return f"a list of {len(value)}"
    if isinstance(value, dict):
        return f"a record of {len(value)}"
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= ENOUGH else f"{text[: ENOUGH - 3]}..."
