"""One release of a model at a time, and what became of each: lease and journal in one DynamoDB table.

The lease is a conditional put. SSM, which holds the desired version, has no conditional write: a holder renews the
lease right before each of its own writes, so that one who has been overtaken stops there.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import TracebackType

LEASE = "lease"
LEASE_SECONDS = 300
"""A holder that has not renewed for this long is gone; another takes over and finishes what it began."""

BEGAN, SUCCEEDED, ROLLED_BACK, REFUSED = "began", "succeeded", "rolled back", "refused"
INTERRUPTED, FAILED = "interrupted", "failed"
"""Ended before it was done; failed and could not be taken back."""


class BusyError(Exception):
    """Another release of the model is under way."""


@dataclass(frozen=True)
class Entry:
    """A release in the journal. `number` orders them; `cause` is who or what asked, `because` why it ended so.

    `approval` is the number of the approval that asked; `copy_of` the version that was copied, if this is a copy.
    """

    number: int
    version: str
    previous: str
    cause: str
    asked_by: str
    began: str
    outcome: str = BEGAN
    because: str = ""
    seconds: float = 0.0
    approval: int = 0
    copy_of: str = ""

    @property
    def name(self) -> str:
        """The version's number where it was approved; in the account that serves, its copy has one of its own."""
        number = self.version.rsplit("/", 1)[-1]
        return f"{self.copy_of.rsplit('/', 1)[-1]} as {number}" if self.copy_of else number

    def is_of(self, version: str) -> bool:
        """Whether a version is meant that is given by its number or ARN, or by those of what it is a copy of."""
        called = self.copy_of or self.version
        return version in {self.version, called, called.rsplit("/", 1)[-1]}


@dataclass(frozen=True)
class Asked:
    """Who or what wants a release, and for an approval its number among those of the model and environment."""

    cause: str = "command"
    by: str = ""
    approval: int = 0


@dataclass(frozen=True)
class Journal:
    """The releases of one model in one environment."""

    dynamodb: Any
    table: str
    model: str
    now: Callable[[], float] = time.time

    def entries(self) -> list[Entry]:
        """All of them, the newest first. What another Slipway wrote beside is passed over."""
        asked = {
            "TableName": self.table,
            "KeyConditionExpression": "model = :model AND begins_with(entry, :release)",
            "ExpressionAttributeValues": {":model": {"S": self.model}, ":release": {"S": "release#"}},
            "ScanIndexForward": False,
            "ConsistentRead": True,
        }
        pages = self.dynamodb.get_paginator("query").paginate(**asked)
        told = [json.loads(item["told"]["S"]) for page in pages for item in page["Items"]]
        known = {each.name for each in fields(Entry)}
        return [Entry(**{name: value for name, value in one.items() if name in known}) for one in told]

    def begin(self, version: str, previous: str, asked: Asked, copy_of: str = "") -> Entry:
        """Raises BusyError if another has begun an entry meanwhile."""
        newest = next(iter(self.entries()), None)
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.now()))
        number = newest.number + 1 if newest else 1
        entry = Entry(number, version, previous, asked.cause, asked.by, stamp, approval=asked.approval, copy_of=copy_of)
        try:
            self._put(entry, ConditionExpression="attribute_not_exists(entry)")
        except self.dynamodb.exceptions.ConditionalCheckFailedException:
            raise BusyError(f"another release of {self.model} has begun; wait for it (`slipway history`)") from None
        return entry

    def end(self, entry: Entry, outcome: str, because: str, seconds: float) -> Entry:
        ended = replace(entry, outcome=outcome, because=because, seconds=round(seconds, 1))
        self._put(ended)
        return ended

    def _put(self, entry: Entry, **condition: str) -> None:
        key = {"model": {"S": self.model}, "entry": {"S": f"release#{entry.number:09}"}}
        item = {**key, "told": {"S": json.dumps(asdict(entry))}}
        self.dynamodb.put_item(TableName=self.table, Item=item, **condition)

    def lease(self) -> Lease:
        """A context manager; inside it nobody else releases the model. Taken before, it is taken anew."""
        return Lease(self, uuid.uuid4().hex)


@dataclass
class Lease:
    """Held while a release runs. Raises BusyError if another holds it."""

    journal: Journal
    holder: str

    def take(self) -> Self:
        """Raises BusyError if another holds it."""
        self._write("attribute_not_exists(model) OR held_until < :now OR holder = :holder")
        return self

    def __enter__(self) -> Self:
        return self.take()

    def renew(self) -> None:
        """Still at work; raises BusyError if it came too late and another has taken over."""
        self._write("holder = :holder")

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _where: TracebackType | None
    ) -> None:
        journal = self.journal
        conditional = journal.dynamodb.exceptions.ConditionalCheckFailedException
        try:
            journal.dynamodb.delete_item(
                TableName=journal.table,
                Key=self._key,
                ConditionExpression="holder = :holder",
                ExpressionAttributeValues={":holder": {"S": self.holder}},
            )
        except conditional:
            return  # another has taken over; it is theirs to give back

    @property
    def _key(self) -> dict[str, Any]:
        return {"model": {"S": self.journal.model}, "entry": {"S": LEASE}}

    def _write(self, condition: str) -> None:
        journal, now = self.journal, self.journal.now()
        values: dict[str, Any] = {":holder": {"S": self.holder}}
        if ":now" in condition:
            values[":now"] = {"N": str(now)}
        until = {"N": str(now + LEASE_SECONDS)}
        try:
            journal.dynamodb.put_item(
                TableName=journal.table,
                Item={**self._key, "holder": {"S": self.holder}, "held_until": until},
                ConditionExpression=condition,
                ExpressionAttributeValues=values,
            )
        except journal.dynamodb.exceptions.ConditionalCheckFailedException:
            raise BusyError(
                f"another release of {journal.model} is under way; wait for it (`slipway history`), it gives way "
                f"{LEASE_SECONDS} seconds after it was last heard of"
            ) from None


def told(entries: Iterable[Entry]) -> Iterator[str]:
    """The journal for people, a line a release."""
    for entry in entries:
        because = f": {entry.because}" if entry.because else ""
        yield f"{entry.began}  {entry.number:>4}  version {entry.name:<6} {entry.outcome} ({entry.cause}){because}"
