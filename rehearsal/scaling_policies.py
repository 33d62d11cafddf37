"""What scaling policies want, by Application Auto Scaling's arithmetic; what they look at and move is elsewhere.

https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/autoscaling/application/userguide/step-scaling-policy-overview.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

Json = dict[str, Any]

COOLDOWN_SECONDS = 300
"""What AWS takes for variants and components of SageMaker where a policy says nothing."""

ROUNDING = 1e-9
"""Thirds of requests add up to a little more than whole ones."""


@dataclass(frozen=True)
class Limits:
    """The fewest and the most there may be."""

    least: int
    most: int

    def keep(self, capacity: int) -> int:
        return max(self.least, min(self.most, capacity))


@dataclass(frozen=True)
class Wish:
    """The capacity that a policy wants, and the alarm that called it; `tracks` says that the policy tracks a target."""

    capacity: int
    policy: str
    alarm: str
    tracks: bool = False

    @property
    def cause(self) -> str:
        return f"monitor alarm {self.alarm} in state ALARM triggered policy {self.policy}"


@dataclass
class Cooldowns:
    """When a target grew and shrank last.

    While the one that grew cools down, what was added counts: the next wish is reckoned from before. Shrinking waits
    for the cooldown's end, and growing ends it.
    """

    grew: datetime | None = None
    grew_from: int = 0
    shrank: datetime | None = None

    def base(self, capacity: int, now: datetime, seconds: float) -> int:
        """What a policy that grows reckons from."""
        return self.grew_from if _runs(self.grew, now, seconds) else capacity

    def may_shrink(self, now: datetime, seconds: float) -> bool:
        return not _runs(self.shrank, now, seconds)

    def note(self, before: int, after: int, now: datetime) -> None:
        if after > before:
            self.grew, self.grew_from, self.shrank = now, before, None
        elif after < before:
            self.shrank = now


def _runs(since: datetime | None, now: datetime, seconds: float) -> bool:
    return since is not None and (now - since).total_seconds() < seconds


def tracked(capacity: int, value: float, target: float) -> int:
    """So many that each has its target; rounded up, so that never too little is added or too much removed.

    Where there is none yet, the metric is of one.
    """
    return math.ceil(max(capacity, 1) * value / target - ROUNDING)


def stepped(capacity: int, beyond: float, configuration: Json) -> int:
    """What the step that covers a metric's distance from its alarm's threshold makes of the capacity."""
    for step in configuration["StepAdjustments"]:
        lower = step.get("MetricIntervalLowerBound", -math.inf)
        upper = step.get("MetricIntervalUpperBound", math.inf)
        covered = lower <= beyond < upper if beyond >= 0 else lower < beyond <= upper
        if covered:
            return _adjusted(capacity, step["ScalingAdjustment"], configuration)
    return capacity


def _adjusted(capacity: int, adjustment: int, configuration: Json) -> int:
    if configuration["AdjustmentType"] == "ExactCapacity":
        return adjustment
    if configuration["AdjustmentType"] == "ChangeInCapacity":
        return capacity + adjustment
    share = capacity * adjustment / 100
    change = max(1, int(abs(share)), configuration.get("MinAdjustmentMagnitude", 0)) if share else 0
    return capacity + int(math.copysign(change, adjustment))


def chosen(capacity: int, wishes: Sequence[Wish], limits: Limits, tracking: int) -> Wish | None:
    """The wish that is carried out: the one that leaves most, so growing before shrinking.

    Of the policies that track a target, any may let it grow; all of them (`tracking`) must be content for it to shrink.
    """
    kept = [Wish(limits.keep(wish.capacity), wish.policy, wish.alarm, wish.tracks) for wish in wishes]
    content = [wish for wish in kept if wish.tracks and wish.capacity < capacity]
    if len(content) < tracking:
        kept = [wish for wish in kept if wish not in content]
    changing = [wish for wish in kept if wish.capacity != capacity]
    return max(changing, key=lambda wish: wish.capacity, default=None)
