"""The rule that lets a version be registered: a pure function of what evaluation measured.

A version passes when all of these hold:

1. Its AUC reaches the model's floor.
2. Its log loss is below that of a constant answer, the base rate of training.
3. Against the champion, on the same rows and the same draws of days, for AUC and for log loss: the 95% interval of
   the difference does not lie wholly on the worse side (it is not shown to be worse), and its worse bound stays within
   the model's margin (it is shown not to be worse by more than that). An improvement need not be proven: a version
   that has seen more seasons is worth having when it is as good. Being uncertain is no excuse: wide intervals fail.
4. The champion has not learned from the test days, or the comparison would favour it.
5. Its mean score moves as the model's behaviours say.
6. Each slice with enough rows reaches the slices' floor.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipeline_code.behaviours import Observed
    from pipeline_code.bootstrap import Difference, Interval
    from pipeline_code.metrics import Metrics
    from pipeline_code.model import Gates


@dataclass(frozen=True)
class Slice:
    """The rows with one value of one column; AUC and its interval are None with one class only."""

    column: str
    value: str
    rows: int
    base_rate: float
    mean_score: float
    auc: float | None
    interval: Interval | None
    gated: bool = False


@dataclass(frozen=True)
class Rivalry:
    """The comparison with the champion.

    `seen_to` is the last day the champion learned from, `from_day` the first day it is tested on.
    """

    difference: Difference
    seen_to: str
    from_day: str


@dataclass(frozen=True)
class Check:
    """One gate: what was measured, what it was held against, and a sentence with both."""

    name: str
    passed: bool
    value: float | None
    threshold: float | None
    message: str


@dataclass(frozen=True)
class Verdict:
    """All checks; `message` names those that refuse and by how much."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def message(self) -> str:
        refused = [check.message for check in self.checks if not check.passed]
        if not refused:
            return f"passed all {len(self.checks)} gates"
        return f"refused by {len(refused)} of {len(self.checks)} gates: {'; '.join(refused)}"


def judge(
    gates: Gates,
    metrics: Metrics,
    rivalry: Rivalry | None,
    behaviours: Sequence[Observed],
    slices: Sequence[Slice],
) -> Verdict:
    """Hold a version against its model's gates."""
    checks = [
        _floor("auc", "AUC", metrics.auc, gates.auc_floor),
        _ceiling("log_loss", "log loss", metrics.log_loss, metrics.log_loss_constant),
        *(_against_champion(gates, rivalry) if rivalry else ()),
        *(_behaves(observed) for observed in behaviours),
        *_slice_floors(gates, slices),
    ]
    return Verdict(tuple(checks))


def _floor(name: str, words: str, value: float, floor: float) -> Check:
    passed = value >= floor
    relation = "reaches" if passed else f"is {floor - value:.4f} below"
    return Check(name, passed, value, floor, f"{words} {value:.4f} {relation} {floor:g}")


def _ceiling(name: str, words: str, value: float, constant: float) -> Check:
    passed = value < constant
    relation = "is below" if passed else f"is not below, but {value - constant:.4f} above"
    return Check(name, passed, value, constant, f"{words} {value:.4f} {relation} a constant answer's {constant:.4f}")


def _against_champion(gates: Gates, rivalry: Rivalry) -> Iterator[Check]:
    auc, log_loss = rivalry.difference.auc, rivalry.difference.log_loss
    yield _not_worse("champion_auc", "AUC", (auc.lower, auc.upper), gates.auc_margin)
    # A higher loss is worse, so its signs are turned.
    yield _not_worse("champion_log_loss", "log loss", (-log_loss.upper, -log_loss.lower), gates.log_loss_margin)
    unseen = rivalry.seen_to < rivalry.from_day
    relation = "has not seen" if unseen else "has learned from, so it cannot be compared on,"
    text = f"the champion learned up to {rivalry.seen_to} and {relation} the test days from {rivalry.from_day}"
    yield Check("champion_unseen", unseen, None, None, text)


def _not_worse(name: str, words: str, gain: tuple[float, float], margin: float) -> Check:
    """`gain` are the bounds of how much better the challenger is."""
    worst, best = gain
    span = f"{words} improves on the champion by {worst:+.4f} to {best:+.4f}"
    if best < 0:
        return Check(name, passed=False, value=worst, threshold=-margin, message=f"{span}: it is worse")
    passed = worst > -margin
    relation = "within" if passed else f"{-margin - worst:.4f} beyond"
    return Check(name, passed, worst, -margin, f"{span}, {relation} the margin of {margin:g}")


def _behaves(observed: Observed) -> Check:
    behaviour = observed.behaviour
    moved = f"{behaviour.changed} moves the mean score by {observed.moved:+.4f}, expected {observed.expected}"
    return Check(
        f"behaviour {behaviour.name}", observed.passed, observed.moved, behaviour.bound, f"{behaviour.name}: {moved}"
    )


def _slice_floors(gates: Gates, slices: Sequence[Slice]) -> Iterator[Check]:
    for part in slices:
        if part.gated:
            name = f"slice {part.column}={part.value}"
            yield _floor(name, f"{name}: AUC", math.nan if part.auc is None else part.auc, gates.slice_auc_floor)
