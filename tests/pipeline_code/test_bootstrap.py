"""Intervals come from whole days drawn again."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline_code import bootstrap, metrics

RNG = np.random.default_rng(1)
DAYS = np.repeat(np.arange(10), 60)
LABELS = RNG.integers(0, 2, len(DAYS))
GOOD = np.clip(0.5 + 0.25 * (LABELS - 0.5) + RNG.normal(0, 0.2, len(DAYS)), 0.01, 0.99)
NOISE = RNG.uniform(0.01, 0.99, len(DAYS))


def rows_of(draws: bootstrap.DayDraws, draw: int) -> np.ndarray:
    taken = draws._taken[draw].astype(int)
    return np.concatenate([np.flatnonzero(day == DAYS).repeat(taken[day]) for day in range(10)])


@pytest.mark.parametrize("draw", [0, 1, 7])
def test_a_draw_is_the_metric_of_its_rows(draw: int) -> None:
    draws = bootstrap.DayDraws(DAYS, draws=8)
    rounded = GOOD.round(1)  # with ties

    rows = rows_of(draws, draw)

    assert draws.auc(LABELS, rounded)[draw] == pytest.approx(metrics.auc(LABELS[rows], rounded[rows]))
    assert draws.log_loss(LABELS, GOOD)[draw] == pytest.approx(metrics.row_losses(LABELS[rows], GOOD[rows]).mean())


def test_a_mask_is_the_metric_of_those_rows() -> None:
    draws = bootstrap.DayDraws(DAYS, draws=3)
    mask = np.arange(len(DAYS)) % 3 == 0

    rows = [row for row in rows_of(draws, 2) if mask[row]]

    assert draws.auc(LABELS, GOOD, mask)[2] == pytest.approx(metrics.auc(LABELS[rows], GOOD[rows]))


def test_a_model_does_not_differ_from_itself() -> None:
    found = bootstrap.difference(bootstrap.DayDraws(DAYS), LABELS, GOOD, GOOD)

    assert found.auc == bootstrap.Interval(0.0, 0.0, 0.0)
    assert found.log_loss == bootstrap.Interval(0.0, 0.0, 0.0)


def test_a_better_model_is_better_whichever_days_are_drawn() -> None:
    found = bootstrap.difference(bootstrap.DayDraws(DAYS), LABELS, GOOD, NOISE)

    assert 0 < found.auc.lower < found.auc.median < found.auc.upper
    assert found.log_loss.upper < 0


def test_the_same_days_are_drawn_every_time() -> None:
    first, second = (bootstrap.difference(bootstrap.DayDraws(DAYS), LABELS, GOOD, NOISE) for _ in range(2))

    assert first == second


def test_days_that_agree_among_themselves_widen_the_interval() -> None:
    labels = np.tile([0, 1], 300)
    good_day = DAYS % 2 == 0
    scores = np.where(good_day, labels, 1 - labels).astype(float)
    alike, single = bootstrap.DayDraws(DAYS), bootstrap.DayDraws(np.arange(600))

    by_day, by_row = (bootstrap.interval(draws.auc(labels, scores)) for draws in (alike, single))

    assert by_day is not None
    assert by_row is not None
    assert by_day.upper - by_day.lower > 3 * (by_row.upper - by_row.lower)


def test_one_class_has_no_interval() -> None:
    draws = bootstrap.DayDraws(DAYS)

    assert bootstrap.interval(draws.auc(np.zeros_like(LABELS), GOOD)) is None
