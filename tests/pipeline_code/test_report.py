"""The report is one page that loads nothing and says what was found."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest

from pipeline_code import report
from pipeline_code.champion import Champion
from pipeline_code.predictor import Predictor
from pipeline_code.steps import evaluate

if TYPE_CHECKING:
    from real_jobs import Real

    from pipeline_code.evaluation import Evaluation
    from pipeline_code.model import Model


@pytest.fixture(scope="module")
def evaluation(real: Real, flight_delay: Model) -> Evaluation:
    predictor = Predictor.load(real.model)
    test = pl.read_parquet(real.dataset / "test.parquet")
    return evaluate.run(flight_delay, test, 0.22, predictor, Champion("arn:of-the-champion", "", predictor))


def page(real: Real, model: Model, evaluation: Evaluation) -> str:
    return report.render(model, real.document("snapshot"), evaluation)


def test_it_stands_alone(real: Real) -> None:
    written = (real.report / "report.html").read_text()

    assert not re.findall(r"""(?:src|href)=["'](?!#)""", written)
    assert "<script" not in written
    assert "@import" not in written


def test_ids_are_unique_across_figures(real: Real) -> None:
    ids = re.findall(r'id="([^"]+)"', (real.report / "report.html").read_text())

    assert len(ids) == len(set(ids))


def test_curves_take_their_colours_from_the_page(real: Real) -> None:
    written = (real.report / "report.html").read_text()

    assert written.count("<svg") == 4
    assert "stroke: var(--new)" in written
    assert not re.findall(r"#0[1-5]0[1-5]0[1-5]", written)


def test_verdict_figures_and_data_are_told(real: Real, flight_delay: Model, evaluation: Evaluation) -> None:
    found = page(real, flight_delay, evaluation)

    for text in (
        f"Passes all {len(evaluation.verdict.checks)} gates",
        f"{evaluation.metrics.auc:.4f}",
        "arn:of-the-champion",
        "no label: cancelled",
        "quarantined: weather: wind_speed: above 253",
        "s3://bucket/periods/2013-04/flights.csv",
        *flight_delay.limits[:1],
    ):
        assert text in found


def test_a_refusal_says_why_on_top(real: Real, flight_delay: Model, evaluation: Evaluation) -> None:
    first, *others = evaluation.verdict.checks
    refusing = replace(first, passed=False, message="AUC 0.5 is <below> 0.65")

    found = page(
        real, flight_delay, replace(evaluation, verdict=replace(evaluation.verdict, checks=(refusing, *others)))
    )

    assert "Refused by 1 of" in found
    assert "AUC 0.5 is &lt;below&gt; 0.65" in found
