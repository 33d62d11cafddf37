"""Evaluate: honest figures, a champion that is verified, gates that refuse."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from pipeline_code import hyperparameters
from pipeline_code.champion import Champion
from pipeline_code.contract import ContractError
from pipeline_code.predictor import Predictor
from pipeline_code.steps import evaluate, train

if TYPE_CHECKING:
    from pathlib import Path

    from real_jobs import NewJob, Real

    from pipeline_code.model import Model


ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/slipway-flight-delay/1"


@pytest.fixture(scope="session")
def weak(real: Real, flight_delay: Model) -> Predictor:
    """A model that has seen one day only."""
    first = pl.read_parquet(real.dataset / "train.parquet").filter(pl.col("day") == pl.col("day").min())
    parameters = {**hyperparameters.parse(flight_delay.hyperparameters), "num_boost_round": 20}
    return train.run(flight_delay, first.head(400), first.tail(400), parameters)


@pytest.fixture(scope="session")
def april(real: Real) -> pl.DataFrame:
    return pl.read_parquet(real.dataset / "test.parquet")


def test_april_is_as_hard_as_it_is(real: Real) -> None:
    measured = real.document("evaluation")["metrics"]

    assert measured["rows"] == 27_564
    assert measured["base_rate"] == pytest.approx(0.2793, abs=1e-4)
    # Higher than this means a leak.
    assert 0.69 < measured["auc"] < 0.73
    assert measured["log_loss"] < measured["log_loss_constant"]
    # Winter's model says too little of April; that is a property of the data, and is shown.
    assert measured["calibration_error"] > 0.05


def test_a_first_version_is_compared_with_nobody(real: Real) -> None:
    found = real.document("evaluation")

    assert found["champion"] == {"version": "none"}
    assert found["gates"]["passed"] is True
    assert found["properties"]["champion_version"] == found["properties"]["champion_auc"] == "none"


def test_everything_registered_is_a_string(real: Real) -> None:
    properties = real.document("evaluation")["properties"]

    assert set(evaluate.STEP.registers) <= set(properties)
    assert all(isinstance(value, str) for value in properties.values())


def test_small_groups_are_reported_but_not_gated(real: Real) -> None:
    found = real.document("evaluation")

    groups = {(part["column"], part["value"]): part for part in found["slices"]}
    gated = {check["name"] for check in found["gates"]["checks"]}
    assert sum(part["rows"] for part in found["slices"] if part["column"] == "carrier") == 27_564
    assert groups["carrier", "HA"]["rows"] < 1000
    assert "slice carrier=HA" not in gated
    assert {"slice carrier=UA", "slice origin=EWR"} <= gated


def test_a_model_against_itself_differs_by_nothing(real: Real, flight_delay: Model, april: pl.DataFrame) -> None:
    predictor = Predictor.load(real.model)

    found = evaluate.run(flight_delay, april, 0.22, predictor, Champion(ARN, "", predictor))

    document = evaluate.document(found)
    assert document["champion"]["auc_difference"] == {"lower": 0, "median": 0, "upper": 0}
    assert document["champion"]["auc"] == document["metrics"]["auc"]
    assert found.verdict.passed


def test_a_worse_challenger_is_refused(real: Real, flight_delay: Model, april: pl.DataFrame, weak: Predictor) -> None:
    champion = Champion(ARN, "", Predictor.load(real.model))

    found = evaluate.run(flight_delay, april, 0.22, weak, champion)

    document = evaluate.document(found)
    assert document["gates"]["passed"] is False
    assert document["gates"]["message"].startswith("refused by ")
    assert ": it is worse" in document["gates"]["message"]
    assert document["champion"]["auc_difference"]["upper"] < 0


def test_a_better_challenger_passes(real: Real, flight_delay: Model, april: pl.DataFrame, weak: Predictor) -> None:
    found = evaluate.run(flight_delay, april, 0.22, Predictor.load(real.model), Champion(ARN, "", weak))

    assert found.verdict.passed
    assert found.rival is not None
    assert found.rival.difference.auc.lower > 0


def test_a_champion_that_learned_from_the_test_days_is_refused(
    real: Real, flight_delay: Model, april: pl.DataFrame
) -> None:
    predictor = Predictor.load(real.model)
    later = replace(predictor, training={**predictor.training, "trained_to": "2013-04-30"})

    found = evaluate.run(flight_delay, april, 0.22, predictor, Champion(ARN, "", later))

    assert "learned up to 2013-04-30" in found.verdict.message


def test_a_model_that_turns_a_behaviour_around_is_refused(real: Real, flight_delay: Model, april: pl.DataFrame) -> None:
    (stall, *others) = flight_delay.behaviours
    backwards = replace(flight_delay, behaviours=(replace(stall, direction="down"), *others))

    found = evaluate.run(backwards, april, 0.22, Predictor.load(real.model), None)

    assert [check.name for check in found.verdict.checks if not check.passed] == [f"behaviour {stall.name}"]


def prepare_inputs(real: Real, new_job: NewJob, root: Path, champion: dict[str, Any]) -> Any:
    job = new_job("evaluate", root)
    for artifact, folder in {"dataset": real.dataset, "snapshot": real.snapshot, "model": real.archive.parent}.items():
        shutil.copytree(folder, job.read(artifact))
    shutil.copytree(real.archive.parent, job.read("champion"))
    (job.read("champion") / "champion.json").write_text(json.dumps(champion))
    return job


def test_the_champions_archive_must_be_the_one_promised(real: Real, new_job: NewJob, tmp_path: Path) -> None:
    job = prepare_inputs(real, new_job, tmp_path, {"version": ARN, "sha256": "0" * 64})

    with pytest.raises(ContractError, match=f"promised is {'0' * 64}; it was replaced after it was recorded"):
        evaluate.main(job)


@pytest.mark.parametrize("record", [{}, {"version": ARN}])
def test_a_half_made_champion_record_is_refused(
    real: Real, new_job: NewJob, tmp_path: Path, record: dict[str, Any]
) -> None:
    with pytest.raises(ContractError, match=r'champion.json: .* it must hold "version" and'):
        evaluate.main(prepare_inputs(real, new_job, tmp_path, record))


def test_the_same_inputs_give_the_same_bytes(real: Real, new_job: NewJob, tmp_path: Path) -> None:
    job = prepare_inputs(real, new_job, tmp_path, {"version": "none"})

    evaluate.main(job)

    for artifact in ("evaluation", "report"):
        for file in getattr(real, artifact).iterdir():
            assert file.read_bytes() == (job.write(artifact) / file.name).read_bytes(), file.name
