"""Metrics against cases small enough to work out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_code import metrics

LABELS = np.array([0, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])


def test_auc_counts_pairs_in_order() -> None:
    assert metrics.auc(LABELS, SCORES) == pytest.approx(3 / 4)


def test_auc_counts_ties_half() -> None:
    assert metrics.auc(np.array([0, 1, 1]), np.array([0.5, 0.5, 0.9])) == pytest.approx(3 / 4)


def test_auc_of_one_class_is_undefined() -> None:
    assert math.isnan(metrics.auc(np.array([1, 1]), np.array([0.1, 0.2])))


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_is_the_share_of_pairs(rows: list[tuple[int, int]]) -> None:
    labels, scores = np.array([r[0] for r in rows]), np.array([r[1] / 5 for r in rows])
    pairs = [1.0 if p > n else 0.5 if p == n else 0.0 for p in scores[labels == 1] for n in scores[labels == 0]]

    found = metrics.auc(labels, scores)

    assert found == pytest.approx(np.mean(pairs)) if pairs else math.isnan(found)


def test_average_precision_sums_steps() -> None:
    # In order of score: positive (1/1), negative, positive (2/3), negative.
    assert metrics.average_precision(LABELS, SCORES) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


def test_average_precision_takes_equal_scores_together() -> None:
    assert metrics.average_precision(np.array([1, 0]), np.array([0.5, 0.5])) == pytest.approx(0.5)


def test_log_loss_of_even_odds_is_ln_2() -> None:
    assert metrics.row_losses(LABELS, np.full(4, 0.5)) == pytest.approx(np.full(4, math.log(2)))


def test_log_loss_of_a_wrong_certainty_is_finite() -> None:
    assert np.isfinite(metrics.row_losses(np.array([1, 0]), np.array([0.0, 1.0]))).all()


def test_calibration_error_is_the_mean_distance() -> None:
    labels = np.tile([1, 0, 0, 0], 100)

    said_as_seen = metrics.calibration_error(metrics.calibration(labels, np.full(400, 0.25)))
    too_high = metrics.calibration_error(metrics.calibration(labels, np.full(400, 0.35)))

    assert said_as_seen == pytest.approx(0)
    assert too_high == pytest.approx(0.1)


def test_measure_names_everything() -> None:
    measured = metrics.measure(LABELS, SCORES, constant=0.25)

    assert measured.rows == 4
    assert measured.base_rate == 0.5
    assert measured.brier == pytest.approx((0.01 + 0.16 + 0.4225 + 0.04) / 4)
    assert measured.log_loss_constant == pytest.approx(-(math.log(0.25) + math.log(0.75)) / 2)


def test_roc_starts_at_nothing_and_ends_at_everything() -> None:
    false_rate, true_rate = metrics.roc_curve(LABELS, SCORES)

    assert (false_rate[0], true_rate[0]) == (0, 0)
    assert (false_rate[-1], true_rate[-1]) == (1, 1)
    assert np.trapezoid(true_rate, false_rate) == pytest.approx(metrics.auc(LABELS, SCORES))
