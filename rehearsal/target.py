"""A real account, for stories that are otherwise played against the embedded AWS."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rehearsal.person import Person


class TargetError(Exception):
    """What a real account cannot be told to do."""


class RealAccount:
    """One account, by its public endpoints and the credentials that boto3 finds; time passes there by itself.

    It is all that differs: it has what stories ask of the embedded AWS, and refuses what only that can do.
    """

    def __init__(self, account: str) -> None:
        self.account = account
        self._clients: dict[tuple[str, str], Any] = {}

    def client(self, service: str, account: str, region: str) -> Any:
        if account != self.account:
            raise TargetError(f"this is account {self.account}, and nothing is done in {account}")
        if (service, region) not in self._clients:
            self._clients[service, region] = self._session.client(service, region_name=region)
        return self._clients[service, region]

    def environment(self, account: str, region: str) -> dict[str, str]:
        """As it is, with the region: profiles and credentials are the user's own."""
        assert account == self.account  # noqa: S101 plans are made of one account
        return {**os.environ, "AWS_REGION": region, "AWS_DEFAULT_REGION": region}

    def clock(self) -> dict[str, Any]:
        return {"now": datetime.now(UTC).isoformat(), "waits": [], "simulated_seconds": 0.0}

    def take_on(self, person: Person) -> Any:
        raise TargetError(f"{person.user}: nobody plays other people in a real account")

    def skip(self, seconds: float, why: str) -> None:
        raise TargetError(f"{why}: a real account waits its {seconds:.0f} s")

    def order_fault(self, step: str, kind: str, times: int = 1) -> None:
        raise TargetError(f"{kind} in {step}, {times} times: AWS fails when it does")

    def order_load(self, endpoint: str, requests: int) -> None:
        raise TargetError(f"{requests} requests of {endpoint}: load in a real account has to be made")

    @cached_property
    def _session(self) -> Any:
        import boto3

        return boto3.Session()
