"""The scenes of the story: what arrives, what asks for a run, what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field

STAGING, PRODUCTION = "Staging", "Production"
"""Stages of a version's life, as SageMaker's staging construct names them."""


@dataclass(frozen=True)
class Scene:
    """One run: what asks for it, and what it meets.

    `history` are periods that are filled in before, `period` is the one that is tested. Of a `spoiled` period the
    flights are cut off after the header. `fault` befalls a step once. Its version `ships` as far as that stage before
    the next scene ends.
    """

    reason: str
    period: str
    history: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    fault: tuple[str, str] | None = None
    spoiled: bool = False
    ships: str = ""

    @property
    def title(self) -> str:
        return f"{self.period}, {self.reason}"


STORY = (
    Scene("arrival", "2013-04", history=("2013-01", "2013-02", "2013-03"), ships=PRODUCTION),
    Scene("schedule", "2013-06", history=("2013-05", "2013-06"), fault=("Train", "SpotInterruption"), ships=STAGING),
    Scene("manual", "2013-06", parameters={"max_depth": "5"}, fault=("Evaluate", "CapacityError")),
    Scene("arrival", "2013-07", spoiled=True),
)
