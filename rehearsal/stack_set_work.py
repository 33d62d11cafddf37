"""How an operation goes through a stack set: region after region, some accounts at a time, until too many have failed.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html, "StackSet operation options"
"""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rehearsal.api import Json
    from rehearsal.stack_sets import Instance, Operation

TOO_MANY_FAILED = "Cancelled since failure tolerance has exceeded"
STOPPED = "Cancelled since the operation was stopped"
SUSPENDED = "SKIPPED_SUSPENDED_ACCOUNT"


class InstanceError(Exception):
    """What was to be done in one account and region was not; says why."""


@dataclass(frozen=True)
class Pace:
    """How many accounts of a region may fail, and how many are worked on at a time."""

    tolerated: int
    together: int
    strict: bool

    @classmethod
    def of(cls, preferences: Json, accounts: int) -> Pace:
        """Percentages are rounded down; no less than one account is worked on."""
        tolerated = int(preferences.get("FailureToleranceCount") or 0)
        tolerated = tolerated or int(preferences.get("FailureTolerancePercentage") or 0) * accounts // 100
        together = int(preferences.get("MaxConcurrentCount") or 0)
        together = together or int(preferences.get("MaxConcurrentPercentage") or 0) * accounts // 100
        soft = preferences.get("ConcurrencyMode") == "SOFT_FAILURE_TOLERANCE"
        return cls(tolerated, max(together, 1), not soft)

    def next(self, failed: int) -> int:
        """Strictly, no more are begun than could fail without one failure too many beyond the first."""
        return max(1, min(self.together, self.tolerated + 1 - failed)) if self.strict else self.together


class Work:
    """One operation, carried out; `do` raises InstanceError where it fails, `suspended` tells accounts to pass over."""

    def __init__(self, operation: Operation, do: Callable[[Instance], None], suspended: Callable[[str], bool]) -> None:
        self.operation, self.do, self.suspended = operation, do, suspended

    def run(self, instances: Sequence[Instance]) -> None:
        """To its end, whose status is SUCCEEDED if no region had more failures than are tolerated."""
        for instance in instances:
            instance.operation = self.operation.id
            self._note(instance, "PENDING")
        sequential = self.operation.preferences.get("RegionConcurrencyType") != "PARALLEL"
        too_many = False
        for region in self._regions(instances):
            here = [instance for instance in instances if instance.region == region]
            if too_many and sequential:
                self._cancel(here, TOO_MANY_FAILED)
            else:
                too_many = self._in_region(here) or too_many
        if self.operation.stopped.is_set():
            self.operation.end("STOPPED")
        else:
            self.operation.end("FAILED" if too_many else "SUCCEEDED")

    def _regions(self, instances: Iterable[Instance]) -> list[str]:
        there = list(dict.fromkeys(instance.region for instance in instances))
        first = [region for region in self.operation.preferences.get("RegionOrder") or [] if region in there]
        return first + [region for region in there if region not in first]

    def _in_region(self, instances: Sequence[Instance]) -> bool:
        """Whether too many failed."""
        pace, failed, left = Pace.of(self.operation.preferences, len(instances)), 0, iter(instances)
        while batch := list(itertools.islice(left, pace.next(failed))):
            if self.operation.stopped.is_set():
                self._cancel([*batch, *left], STOPPED)
                return False
            with ThreadPoolExecutor(len(batch)) as together:
                failed += sum(not done for done in together.map(self._one, batch))
            if failed > pace.tolerated:
                self._cancel(left, TOO_MANY_FAILED)
                return True
        return False

    def _one(self, instance: Instance) -> bool:
        """Whether it went well."""
        if self.suspended(instance.account):
            instance.became(SUSPENDED)
            self.operation.noted(instance, "SUCCEEDED")
            return True
        self._note(instance, "RUNNING")
        try:
            self.do(instance)
        except InstanceError as error:
            self._note(instance, "FAILED", str(error))
            return False
        self._note(instance, "SUCCEEDED")
        return True

    def _cancel(self, instances: Iterable[Instance] | Iterator[Instance], reason: str) -> None:
        for instance in instances:
            self._note(instance, "CANCELLED", reason)

    def _note(self, instance: Instance, status: str, reason: str | None = None) -> None:
        instance.became(status, reason)
        self.operation.noted(instance, status, reason)
