"""People ask the endpoint all the while it is released: nobody meets an error, everybody an answer of a version."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

from operations.release import Releaser
from operations.serving_stack import ReleaseError
from rehearsal.faults import FAILING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from serving_world import Serving, Version

    from rehearsal.embedded import EmbeddedAws

PEOPLE = 3
PAUSE_SECONDS = 0.02
LONGEST_SECONDS = 120
FLOOR = 5
"""So many answers each person has while one fleet takes over from another, and of each fleet when it serves alone."""


@dataclass
class Crowd:
    """People who ask, one request after the other, and what they were told."""

    serving: Serving
    version: Version
    told: list[list[tuple[int, float]]] = field(default_factory=lambda: [[] for _ in range(PEOPLE)])
    errors: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def ask(self, person: int) -> None:
        number = person
        while not self.over.wait(PAUSE_SECONDS):
            number = (number + 1) % len(self.version.rows)
            try:
                answer = self.serving.runtime.invoke_endpoint(
                    EndpointName=self.serving.place.endpoint,
                    Body=self.version.rows[number].encode(),
                    ContentType="text/csv",
                    Accept="application/json",
                )
            except ClientError as error:
                self.errors.append(str(error))
                continue
            told = json.loads(answer["Body"].read())["predictions"][0]["probability"]
            self.told[person].append((number, float(told)))

    @property
    def answers(self) -> list[tuple[int, float]]:
        return [answer for person in self.told for answer in person]

    @property
    def counts(self) -> list[int]:
        """How many answers each person had so far."""
        return [len(person) for person in self.told]

    def meanwhile(self, doing: Callable[[], object]) -> int:
        """Do something while they ask; how many answers the one had in it who had the fewest."""
        before = self.counts
        doing()
        return min(now - then for now, then in zip(self.counts, before, strict=True))

    def go_on(self, answers: int) -> None:
        """Until everybody has had so many more."""
        wanted, end = [count + answers for count in self.counts], time.monotonic() + LONGEST_SECONDS
        while any(now < then for now, then in zip(self.counts, wanted, strict=True)):
            assert time.monotonic() < end, f"{self.counts} of {wanted} answers, {self.errors[-1:]}"
            time.sleep(PAUSE_SECONDS)

    @property
    def wrong(self) -> list[tuple[int, float]]:
        """Both versions are the same model here, so there is one right answer to each row."""
        right = self.version.probabilities
        return [(number, told) for number, told in self.answers if not abs(told - right[number]) <= 1e-6]


@contextmanager
def crowd(serving: Serving, version: Version) -> Iterator[Crowd]:
    made = Crowd(serving, version)
    people = [threading.Thread(target=made.ask, args=(person,)) for person in range(PEOPLE)]
    for person in people:
        person.start()
    try:
        yield made
    finally:
        made.over.set()
        for person in people:
            person.join()


@pytest.fixture
def releases(serving: Serving) -> Any:
    serving.deploy()
    for _ in range(3):
        serving.register()
    made = Releaser(serving.world.client, serving.place, poll_seconds=0.05)
    made.release("1")
    return made


def version(serving: Serving) -> Version:
    return serving.register()


@pytest.mark.long
def test_nobody_notices_a_release_and_a_rollback(serving: Serving, releases: Releaser) -> None:
    asked, fleets, during, alone = version(serving), list[str](), list[int](), list[int]()
    with crowd(serving, asked) as people:
        for _ in range(3):
            for change in (partial(releases.release, "2"), partial(releases.rollback, "1")):
                during.append(people.meanwhile(change))
                endpoint = serving.sagemaker.describe_endpoint(EndpointName=serving.place.endpoint)
                fleets.append(endpoint["EndpointConfigName"])
                alone.append(people.meanwhile(lambda: people.go_on(FLOOR)))

    assert people.errors == []
    assert people.wrong == []
    assert len(set(fleets)) == 6
    assert min(during) >= FLOOR
    assert min(alone) >= FLOOR


@pytest.mark.long
def test_of_a_release_that_fails_people_see_its_canary_only_and_nothing_afterwards(
    serving: Serving, releases: Releaser, aws: EmbeddedAws
) -> None:
    asked = version(serving)
    aws.order_fault(serving.place.endpoint, FAILING)
    with crowd(serving, asked) as people, pytest.raises(ReleaseError, match="is in ALARM"):
        releases.release("3")
    with crowd(serving, asked) as later:
        later.go_on(FLOOR * PEOPLE)  # it is over; nobody meets the bad fleet any more

    assert all("as it was ordered to" in error for error in people.errors)
    assert min(people.counts) >= FLOOR
    assert len(people.errors) < len(people.answers)
    assert (people.wrong, later.errors, later.wrong) == ([], [], [])
