"""What a rehearsal tells machines of a release: who or what decided how it ended."""

from __future__ import annotations

import pytest

from operations.journal import FAILED, ROLLED_BACK, SUCCEEDED, Entry
from rehearsal.facts import of_release
from rehearsal.release_acts import Released

ALARM = "Update failed, the endpoint was rolled back: alarm e-errors-c is in ALARM: Invocation5XXErrors Sum is 1"


@pytest.mark.parametrize(
    ("asked", "outcome", "because", "cause"),
    [
        ("event", SUCCEEDED, "", "event"),
        ("command", SUCCEEDED, "", "command"),
        ("rollback", SUCCEEDED, "", "command"),
        ("event", ROLLED_BACK, ALARM, "alarm"),
        ("event", ROLLED_BACK, f"the endpoint serves v/1: {ALARM}", "alarm"),
        ("command", ROLLED_BACK, "smoke test: 16 of 16 answers are 0.5 off the trainer's", "smoke"),
        ("command", ROLLED_BACK, "it was changed while it was released: v/2 is not what was registered", "smoke"),
        ("event", FAILED, "stack s is UPDATE_ROLLBACK_FAILED", "event"),
    ],
)
def test_what_decided_how_a_release_ended(asked: str, outcome: str, because: str, cause: str) -> None:
    entry = Entry(2, "v/2", "v/1", asked, "somebody", "2026-11-23T22:16:19Z", outcome, because)

    told = of_release(Released("the second", "prod", entry, live="v/1", seconds=3.0, simulated_seconds=600))

    assert (told["cause"], told["asked"], told["because"]) == (cause, asked, because)
    assert (told["version"], told["from"], told["to"], told["environment"]) == ("v/2", "v/1", "v/1", "prod")
    assert (told["outcome"], told["seconds"], told["simulated_seconds"]) == (outcome, 3.0, 600)
