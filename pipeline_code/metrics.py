"""How good scores are: ranking, calibration and loss, in numpy.

Labels are 0 or 1, scores are probabilities, both one-dimensional and of the same length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Labels = npt.NDArray[np.integer]
    Scores = npt.NDArray[np.float64]

CALIBRATION_BINS = 10
SMALLEST = 1e-7
"""Probabilities are kept this far from 0 and 1, so that one wrong certainty does not make the loss infinite."""


@dataclass(frozen=True)
class Metrics:
    """One model on one set of rows; losses are in nats."""

    auc: float
    pr_auc: float
    log_loss: float
    log_loss_constant: float
    brier: float
    calibration_error: float
    base_rate: float
    rows: int


@dataclass(frozen=True)
class CalibrationBin:
    """Rows of similar score: what the model said on average and how often it happened."""

    rows: int
    predicted: float
    observed: float


def measure(labels: Labels, scores: Scores, constant: float) -> Metrics:
    """All metrics; `constant` is the base rate of training, what a model without features would answer."""
    return Metrics(
        auc=auc(labels, scores),
        pr_auc=average_precision(labels, scores),
        log_loss=float(row_losses(labels, scores).mean()),
        log_loss_constant=float(row_losses(labels, np.full(len(labels), constant)).mean()),
        brier=float(np.square(scores - labels).mean()),
        calibration_error=calibration_error(calibration(labels, scores)),
        base_rate=float(labels.mean()),
        rows=len(labels),
    )


def auc(labels: Labels, scores: Scores) -> float:
    """The chance that a random positive scores above a random negative; ties count half. NaN with one class only."""
    _, position, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[position]
    positives = int(labels.sum())
    negatives = len(labels) - positives
    if not positives or not negatives:
        return float("nan")
    return float((ranks[labels == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def roc_curve(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """False and true positive rates at every threshold, from (0, 0) to (1, 1)."""
    true, false = _counts_above(labels, scores)
    return np.append(0.0, false / false[-1]), np.append(0.0, true / true[-1])


def precision_recall_curve(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """Recall and precision at every threshold, highest first."""
    true, false = _counts_above(labels, scores)
    return true / true[-1], true / (true + false)


def average_precision(labels: Labels, scores: Scores) -> float:
    """Area under the precision-recall curve as a sum of steps, without interpolation."""
    recall, precision = precision_recall_curve(labels, scores)
    return float((np.diff(recall, prepend=0.0) * precision).sum())


def row_losses(labels: Labels, scores: Scores) -> Scores:
    """Each row's log loss."""
    clipped = np.clip(scores, SMALLEST, 1 - SMALLEST)
    return -np.where(labels == 1, np.log(clipped), np.log1p(-clipped))


def calibration(labels: Labels, scores: Scores) -> list[CalibrationBin]:
    """Bins of equally many rows, by score; the order of equal scores does not matter much with thousands of rows."""
    order = np.argsort(scores, kind="stable")
    return [
        CalibrationBin(len(part), float(scores[part].mean()), float(labels[part].mean()))
        for part in np.array_split(order, CALIBRATION_BINS)
        if len(part)
    ]


def calibration_error(bins: list[CalibrationBin]) -> float:
    """Mean distance between said and seen, weighted by rows (expected calibration error)."""
    rows = sum(part.rows for part in bins)
    return sum(part.rows * abs(part.predicted - part.observed) for part in bins) / rows


def _counts_above(labels: Labels, scores: Scores) -> tuple[Scores, Scores]:
    """Positives and negatives at or above each distinct score, highest score first."""
    order = np.argsort(-scores, kind="stable")
    last_of_equals = np.append(np.diff(scores[order]) != 0, True)
    true = np.cumsum(labels[order])[last_of_equals].astype(np.float64)
    return true, np.flatnonzero(last_of_equals) + 1.0 - true
