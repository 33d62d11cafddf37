"""The scenes of the story: what arrives, what asks for a run, what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Scene:
    """One run: what asks for it, and what it meets.

    `history` are periods that are filled in before, `period` is the one that is tested. Of a `spoiled` period the
    flights are cut off after the header. `fault` befalls a step once. `crowns`: its version becomes champion.
    """

    reason: str
    period: str
    history: tuple[str, ...] = ()
    parameters: dict[str, str] = field(default_factory=dict)
    fault: tuple[str, str] | None = None
    spoiled: bool = False
    crowns: bool = False

    @property
    def title(self) -> str:
        return f"{self.period}, {self.reason}"


STORY = (
    Scene("arrival", "2013-04", history=("2013-01", "2013-02", "2013-03"), crowns=True),
    Scene("schedule", "2013-06", history=("2013-05", "2013-06"), fault=("Train", "SpotInterruption")),
    Scene("manual", "2013-06", parameters={"max_depth": "5"}, fault=("Evaluate", "CapacityError")),
    Scene("arrival", "2013-07", spoiled=True),
)
