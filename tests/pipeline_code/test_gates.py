"""The rule in full: one case per way to pass or to be refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline_code.behaviours import Observed
from pipeline_code.bootstrap import Difference, Interval
from pipeline_code.gates import Rivalry, Slice, Verdict, judge
from pipeline_code.metrics import Metrics
from pipeline_code.model import Behaviour, Gates

GATES = Gates(auc_floor=0.65, auc_margin=0.01, log_loss_margin=0.01, slice_rows=1000, slice_auc_floor=0.55)
METRICS = Metrics(
    auc=0.7,
    pr_auc=0.5,
    log_loss=0.5,
    log_loss_constant=0.6,
    brier=0.2,
    calibration_error=0.02,
    base_rate=0.2,
    rows=9000,
)
UP = Behaviour("up", "x", "add", 1, "up", 0.1)


def against(auc: tuple[float, float], log_loss: tuple[float, float], seen_to: str = "2013-03-31") -> Rivalry:
    intervals = (Interval(lower, (lower + upper) / 2, upper) for lower, upper in (auc, log_loss))
    return Rivalry(Difference(*intervals), seen_to, "2013-04-01")


def verdict(rivalry: Rivalry | None = None, **metrics: float) -> Verdict:
    return judge(GATES, replace(METRICS, **metrics), rivalry, [], [])  # type: ignore[arg-type]


def refused(found: Verdict) -> list[str]:
    return [check.name for check in found.checks if not check.passed]


def test_a_first_version_needs_its_floors_only() -> None:
    found = verdict()

    assert found.passed
    assert found.message == "passed all 2 gates"


@pytest.mark.parametrize(
    ("auc", "log_loss", "expected"),
    [
        pytest.param((0.65), 0.5, [], id="at the floor"),
        pytest.param(0.6499, 0.5, ["auc"], id="below the floor"),
        pytest.param(float("nan"), 0.5, ["auc"], id="undefined"),
        pytest.param(0.7, 0.6, ["log_loss"], id="no better than a constant"),
        pytest.param(0.6, 0.7, ["auc", "log_loss"], id="both"),
    ],
)
def test_floors(auc: float, log_loss: float, expected: list[str]) -> None:
    assert refused(verdict(auc=auc, log_loss=log_loss)) == expected


@pytest.mark.parametrize(
    ("auc", "log_loss", "expected"),
    [
        pytest.param((0.01, 0.03), (-0.03, -0.01), [], id="better"),
        pytest.param((0.0, 0.0), (0.0, 0.0), [], id="the same model"),
        pytest.param((-0.009, 0.02), (-0.02, 0.009), [], id="as good within the margin"),
        pytest.param((-0.011, 0.02), (-0.02, 0.0), ["champion_auc"], id="may be worse than the margin"),
        pytest.param((-0.005, -0.001), (-0.02, 0.0), ["champion_auc"], id="surely worse, though little"),
        pytest.param((0.01, 0.03), (-0.02, 0.011), ["champion_log_loss"], id="loss may be worse than the margin"),
        pytest.param((0.01, 0.03), (0.001, 0.004), ["champion_log_loss"], id="loss surely worse, though little"),
        pytest.param((-0.3, 0.3), (-0.3, 0.3), ["champion_auc", "champion_log_loss"], id="too uncertain"),
    ],
)
def test_against_the_champion(auc: tuple[float, float], log_loss: tuple[float, float], expected: list[str]) -> None:
    assert refused(verdict(against(auc, log_loss))) == expected


def test_a_champion_that_has_seen_the_test_days_is_no_measure() -> None:
    better = (0.01, 0.03), (-0.03, -0.01)

    assert refused(verdict(against(*better, seen_to="2013-04-01"))) == ["champion_unseen"]
    assert refused(verdict(against(*better, seen_to="2013-03-31"))) == []


@pytest.mark.parametrize(
    ("direction", "moved", "passed"),
    [
        ("up", 0.1, True),
        ("up", 0.09, False),
        ("up", -0.2, False),
        ("down", -0.1, True),
        ("down", 0.2, False),
        ("still", -0.1, True),
        ("still", 0.11, False),
        ("still", float("nan"), False),
    ],
)
def test_behaviours(direction: str, moved: float, *, passed: bool) -> None:
    behaviour = replace(UP, direction=direction)  # type: ignore[arg-type]

    found = judge(GATES, METRICS, None, [Observed(behaviour, moved)], [])

    assert found.passed is passed


@pytest.mark.parametrize(
    ("auc", "gated", "passed"), [(0.55, True, True), (0.54, True, False), (0.4, False, True), (None, True, False)]
)
def test_slices(auc: float | None, *, gated: bool, passed: bool) -> None:
    part = Slice("carrier", "AA", 1200, 0.2, 0.2, auc, None, gated=gated)

    assert judge(GATES, METRICS, None, [], [part]).passed is passed


def test_the_message_names_each_gate_and_by_how_much() -> None:
    found = verdict(against((-0.03, 0.01), (-0.03, 0.0)), auc=0.61)

    assert found.message.startswith("refused by 2 of 5 gates: ")
    assert "AUC 0.6100 is 0.0400 below 0.65" in found.message
    assert "AUC improves on the champion by -0.0300 to +0.0100, 0.0200 beyond the margin of 0.01" in found.message
