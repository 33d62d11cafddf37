"""What became of one run of the story."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from operations.executions import Outcome, StepState
    from rehearsal.inbox import Notice
    from rehearsal.scenes import Scene

ENDPOINTS = "endpoint "
"""What the waits of releases have in their words."""


@dataclass(frozen=True)
class Act:
    """One run: its scene, how the execution ended, what it registered, or what people were told of its failure."""

    scene: Scene
    outcome: Outcome
    skipped: list[dict[str, Any]]
    snapshot: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    version: dict[str, Any] = field(default_factory=dict)
    notice: Notice | None = None

    @property
    def simulated_seconds(self) -> dict[str, float]:
        """What this run waited for, and how long; releases that went on beside it have waits of their own."""
        return {wait["why"]: wait["seconds"] for wait in self.skipped if ENDPOINTS not in wait["why"]}


def real_seconds(step: StepState, skipped: list[dict[str, Any]]) -> float:
    """A step's time without any wait that was skipped while it ran, its own or another's."""
    if step.span is None:
        return 0.0
    began, ended = step.span
    inside = [wait["seconds"] for wait in skipped if began < datetime.fromisoformat(wait["until"]) <= ended]
    return (ended - began).total_seconds() - float(sum(inside))
