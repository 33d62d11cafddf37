"""Training learns, stops, and gives the same model again."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from pipeline_code import hyperparameters, metrics
from pipeline_code.contract import ContractError
from pipeline_code.predictor import Predictor
from pipeline_code.steps import train

if TYPE_CHECKING:
    from pathlib import Path

    from real_jobs import NewJob, Real

    from pipeline_code.model import Model


def test_the_same_dataset_gives_the_same_bytes(
    real: Real, flight_delay: Model, new_job: NewJob, tmp_path: Path
) -> None:
    job = new_job("train", tmp_path)
    shutil.copytree(real.dataset, job.read("dataset"))
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(dict(flight_delay.hyperparameters)))

    train.main(job)

    for file in real.model.iterdir():
        assert file.read_bytes() == (job.write("model") / file.name).read_bytes(), file.name


def test_the_test_part_is_not_needed(real: Real, flight_delay: Model, new_job: NewJob, tmp_path: Path) -> None:
    job = new_job("train", tmp_path)
    shutil.copytree(real.dataset, job.read("dataset"), ignore=shutil.ignore_patterns("test.parquet"))
    quick = {**flight_delay.hyperparameters, "num_boost_round": "2"}
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text(json.dumps(quick))

    train.main(job)

    assert {file.name for file in job.write("model").iterdir()} == {"model.ubj", "features.json"}


def test_what_is_needed_to_score_is_saved(real: Real, flight_delay: Model) -> None:
    saved = json.loads((real.model / "features.json").read_text())

    assert tuple(saved["features"]) == flight_delay.feature_names
    assert saved["categories"]["origin"] == ["EWR", "JFK", "LGA"]
    assert saved["hyperparameters"]["eta"] == 0.1
    assert saved["seed"] == 7
    assert saved["trained_to"] == "2013-03-31"
    assert 10 < saved["best_iteration"] < 400


def test_another_seed_gives_another_model(real: Real, flight_delay: Model) -> None:
    learn, stop = (pl.read_parquet(real.dataset / f"{name}.parquet").head(4000) for name in ("train", "validation"))
    parameters = {**hyperparameters.parse(flight_delay.hyperparameters), "num_boost_round": 5}

    one, other = (train.run(flight_delay, learn, stop, {**parameters, "seed": seed}) for seed in (1, 2))

    columns = stop.to_dict(as_series=False)
    assert not np.array_equal(one.predict(columns), other.predict(columns))


def test_it_learns_more_than_guessing(real: Real) -> None:
    test = pl.read_parquet(real.dataset / "test.parquet")

    scores = Predictor.load(real.model).predict(test.to_dict(as_series=False))

    assert 0.69 < metrics.auc(test["label"].to_numpy(), scores) < 0.73


def test_wrong_hyperparameters_stop_before_training(new_job: NewJob, tmp_path: Path) -> None:
    (tmp_path / "input/config").mkdir(parents=True)
    (tmp_path / "input/config/hyperparameters.json").write_text('{"eta": "2", "depth": "6"}')

    with pytest.raises(ContractError, match="'depth' is unknown"):
        train.main(new_job("train", tmp_path))
