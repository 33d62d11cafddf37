"""One release of a model at a time, and what became of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from embedded import Client

from operations.journal import LEASE_SECONDS, SUCCEEDED, Asked, BusyError, Journal


@pytest.fixture
def journal(client: Client) -> Journal:
    dynamodb = client("dynamodb")
    keys = [("model", "HASH"), ("entry", "RANGE")]
    dynamodb.create_table(
        TableName="releases",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
        BillingMode="PAY_PER_REQUEST",
    )
    return Journal(dynamodb, "releases", "m", now=lambda: 1_000.0)


def later(journal: Journal, seconds: float) -> Journal:
    at: Callable[[], float] = lambda: 1_000.0 + seconds  # noqa: E731
    return replace(journal, now=at)


def test_two_do_not_release_at_once(journal: Journal) -> None:
    with journal.lease(), pytest.raises(BusyError, match="another release of m is under way"):
        journal.lease().__enter__()

    with journal.lease():  # it was given back
        pass


def test_models_do_not_wait_for_each_other(journal: Journal) -> None:
    with journal.lease(), replace(journal, model="n").lease():
        pass


def test_who_is_not_heard_of_is_gone(journal: Journal) -> None:
    gone = journal.lease().__enter__()

    with pytest.raises(BusyError):
        later(journal, LEASE_SECONDS - 1).lease().__enter__()
    with later(journal, LEASE_SECONDS + 1).lease(), pytest.raises(BusyError):
        gone.renew()  # it wakes up and must not go on


def test_who_came_too_late_does_not_give_back_what_is_anothers(journal: Journal) -> None:
    gone = journal.lease().__enter__()
    taken = later(journal, LEASE_SECONDS + 1).lease().__enter__()

    gone.__exit__(None, None, None)

    taken.renew()


def test_releases_are_numbered_and_keep_their_outcome(journal: Journal) -> None:
    first = journal.begin("a", "none", Asked("command", "me"))
    journal.end(first, SUCCEEDED, "", 1.234)
    journal.begin("b", "a", Asked("event", approval=7))

    newest, oldest = journal.entries()

    assert (newest.number, newest.version, newest.previous, newest.outcome) == (2, "b", "a", "began")
    assert (oldest.number, oldest.outcome, oldest.seconds, oldest.asked_by) == (1, SUCCEEDED, 1.2, "me")
    assert (newest.approval, oldest.approval) == (7, 0)
    assert oldest.began == "1970-01-01T00:16:40Z"
