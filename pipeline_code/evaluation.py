"""What one evaluation found: the step fills it in, gates judge it, the report shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline_code.behaviours import Observed
    from pipeline_code.bootstrap import Difference
    from pipeline_code.gates import Slice, Verdict
    from pipeline_code.metrics import CalibrationBin, Labels, Metrics, Scores


@dataclass(frozen=True)
class Rival:
    """The champion on the same rows: its own metrics, and what the challenger gains over it."""

    version: str
    sha256: str
    seen_to: str
    scores: Scores
    metrics: Metrics
    difference: Difference


@dataclass(frozen=True)
class Evaluation:
    """Everything measured about one challenger; `labels` and `scores` are for the report's curves."""

    labels: Labels
    scores: Scores
    metrics: Metrics
    rival: Rival | None
    slices: tuple[Slice, ...]
    behaviours: tuple[Observed, ...]
    calibration: tuple[CalibrationBin, ...]
    gains: Mapping[str, float]
    verdict: Verdict
