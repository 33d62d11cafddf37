"""How many requests one stands for: a laptop does not make the load of many instances, so a rehearsal may say it."""

from __future__ import annotations


class Load:
    """By endpoint; without an order a request is one request."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}

    def order(self, endpoint: str, requests: int) -> None:
        """From now on each request of this endpoint is told to CloudWatch as so many."""
        self._counts[endpoint] = requests

    def of(self, endpoint: str) -> int:
        return self._counts.get(endpoint, 1)


load = Load()
"""That of this process."""
