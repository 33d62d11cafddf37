"""Whose turn it is: one run a model at a time, the latest request waits, the same request is carried out once.

The state of a model is one item of a DynamoDB table; a change is written only if nobody changed it meanwhile.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

REMEMBERED = 50
"""Requests whose tokens are kept, to know one that comes twice."""

START_SECONDS = 300
"""A start that was begun longer ago and has no execution yet was broken off; it is carried out again."""

TRIES = 20


class TurnError(Exception):
    """The state of a model changes faster than it can be written."""


@dataclass(frozen=True)
class Turns:
    """What runs (the request and, once started, its execution's ARN), since when, what waits, what was seen."""

    request: dict[str, Any] | None = None
    execution: str = ""
    since: float = 0
    waiting: dict[str, Any] | None = None
    seen: tuple[str, ...] = ()

    def take(self, request: dict[str, Any], now: float) -> Turns:
        """The turn goes to this request; one that waited stays unless it is this one."""
        return replace(self, request=request, execution="", since=now, seen=self._remembered(request))

    def running(self, execution: str) -> Turns:
        """The request that has the turn was started."""
        return replace(self, execution=execution)

    def wait(self, request: dict[str, Any]) -> Turns:
        """The latest request waits; an earlier one is dropped, for it would train on less."""
        return replace(self, waiting=request, seen=self._remembered(request))

    def pass_on(self, now: float) -> Turns:
        """Nothing runs any more, or what waited does."""
        free = replace(self.rest(), waiting=None)
        return free.take(self.waiting, now) if self.waiting else free

    def rest(self) -> Turns:
        """Nothing runs any more, and what waits waits for something else."""
        return replace(self, request=None, execution="", since=0)

    def broken_off(self, now: float) -> bool:
        """Whether a start was begun and never finished."""
        return self.request is not None and not self.execution and now - self.since > START_SECONDS

    @property
    def waits_for_an_image(self) -> bool:
        """Whether a request waits though nobody has the turn."""
        return self.request is None and self.waiting is not None

    def _remembered(self, request: dict[str, Any]) -> tuple[str, ...]:
        token = request["token"]
        return (*(seen for seen in self.seen if seen != token), token)[-REMEMBERED:]


@dataclass(frozen=True)
class TurnTable:
    """The table; `dynamodb` is a client."""

    dynamodb: Any
    name: str

    def change(self, model: str, step: Callable[[Turns], Turns]) -> tuple[Turns, Turns]:
        """Read, change, write; again if somebody else wrote meanwhile. Returns the state before and after."""
        for _ in range(TRIES):
            before, version = self._read(model)
            after = step(before)
            if after == before or self._write(model, after, version):
                return before, after
        raise TurnError(f"{model}: its turn in {self.name} changes all the time; try again")

    def read(self, model: str) -> Turns:
        return self._read(model)[0]

    def _read(self, model: str) -> tuple[Turns, int]:
        found = self.dynamodb.get_item(TableName=self.name, Key=_key(model), ConsistentRead=True).get("Item")
        if found is None:
            return Turns(), 0
        held = json.loads(found["state"]["S"])
        return Turns(**{**held, "seen": tuple(held["seen"])}), int(found["version"]["N"])

    def _write(self, model: str, turns: Turns, version: int) -> bool:
        item = {"state": {"S": json.dumps(asdict(turns))}, "version": {"N": str(version + 1)}}
        try:
            self.dynamodb.put_item(
                TableName=self.name,
                Item={**_key(model), **item},
                ConditionExpression="attribute_not_exists(version) OR version = :read",
                ExpressionAttributeValues={":read": {"N": str(version)}},
            )
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True


def _key(model: str) -> dict[str, Any]:
    return {"model": {"S": model}}
