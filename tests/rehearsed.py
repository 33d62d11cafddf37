"""The story, rehearsed once a session with change sets and validation on, for whatever tests look at its world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.story import Rehearsal


@pytest.fixture(scope="session")
def rehearsal() -> Iterator[Rehearsal]:
    from commands.rehearse import rehearsal_plan  # the tests of the SDK have no such packages
    from rehearsal import session

    plan = rehearsal_plan("dev", "flight_delay", method="change-set", validate=True)
    with session.start(plan, tell=lambda _: None) as running:
        running.run()
        calls = (running.aws.state / "calls.json").read_text()
        (running.state / "calls-of-the-story.json").write_text(calls)  # before any test calls, too
        yield running
