"""How sure a figure is: whole days are drawn again, because flights of one day share its weather and its queues.

Drawing rows one by one would treat them as independent and make every interval too narrow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline_code.metrics import row_losses

if TYPE_CHECKING:
    import numpy.typing as npt

    from pipeline_code.metrics import Labels, Scores

DRAWS = 200
SEED = 20130101
BOUNDS = (2.5, 50, 97.5)


@dataclass(frozen=True)
class Interval:
    """Median and 95% bounds over the draws."""

    lower: float
    median: float
    upper: float


@dataclass(frozen=True)
class Difference:
    """Challenger minus champion on the same draws of the same rows."""

    auc: Interval
    log_loss: Interval


class DayDraws:
    """Draws of whole days with replacement; every statistic taken from one instance is paired with the others.

    `blocks` is each row's day as an index from 0. A draw is how often each day was taken, so a statistic that is a
    sum over days, or over pairs of days, needs one matrix product for all draws.
    """

    def __init__(self, blocks: npt.NDArray[np.integer], draws: int = DRAWS, seed: int = SEED) -> None:
        self._blocks = blocks
        self._days = int(blocks.max()) + 1
        share = np.full(self._days, 1 / self._days)
        self._taken = np.random.default_rng(seed).multinomial(self._days, share, size=draws).astype(np.float64)

    def auc(self, labels: Labels, scores: Scores, rows: npt.NDArray[np.bool_] | None = None) -> Scores:
        """AUC of every draw, of all rows or those of a mask; NaN where a draw holds one class only."""
        chosen = slice(None) if rows is None else rows
        blocks, positive = self._blocks[chosen], labels[chosen] == 1
        wins = self._wins(blocks, positive, scores[chosen])
        pairs = np.outer(self._per_day(blocks[positive]), self._per_day(blocks[~positive]))
        with np.errstate(invalid="ignore"):
            return self._over_pairs(wins) / self._over_pairs(pairs)

    def log_loss(self, labels: Labels, scores: Scores) -> Scores:
        """Log loss of every draw."""
        losses = np.bincount(self._blocks, weights=row_losses(labels, scores), minlength=self._days)
        mean: Scores = (self._taken @ losses) / (self._taken @ self._per_day(self._blocks))
        return mean

    def _wins(self, blocks: npt.NDArray[np.integer], positive: npt.NDArray[np.bool_], scores: Scores) -> Scores:
        """Days x days: how often a positive of the one day scores above a negative of the other; ties count half."""
        scored, days = scores[positive], blocks[positive]
        wins = np.zeros((self._days, self._days))
        for day in range(self._days):
            others = np.sort(scores[~positive & (blocks == day)])
            below = np.searchsorted(others, scored, "left") + np.searchsorted(others, scored, "right")
            wins[:, day] = np.bincount(days, weights=below / 2, minlength=self._days)
        return wins

    def _per_day(self, blocks: npt.NDArray[np.integer]) -> Scores:
        return np.bincount(blocks, minlength=self._days).astype(np.float64)

    def _over_pairs(self, pairs: Scores) -> Scores:
        total: Scores = ((self._taken @ pairs) * self._taken).sum(axis=1)
        return total


def interval(draws: Scores) -> Interval | None:
    """Median and bounds, leaving out draws without a value; None if there is no other."""
    valid = draws[np.isfinite(draws)]
    if not len(valid):
        return None
    lower, median, upper = (float(bound) for bound in np.percentile(valid, BOUNDS))
    return Interval(lower, median, upper)


def difference(draws: DayDraws, labels: Labels, challenger: Scores, champion: Scores) -> Difference:
    """Challenger minus champion, draw by draw: what a hard month does to both cancels out.

    Raises ValueError if no draw holds both classes.
    """
    auc = interval(draws.auc(labels, challenger) - draws.auc(labels, champion))
    log_loss = interval(draws.log_loss(labels, challenger) - draws.log_loss(labels, champion))
    if auc is None or log_loss is None:
        raise ValueError("the test rows hold one class only; prepare makes sure they hold both")
    return Difference(auc, log_loss)
