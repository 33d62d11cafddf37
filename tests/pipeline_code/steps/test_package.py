"""Package: what an endpoint gets, tried in the server that will serve it."""

from __future__ import annotations

import json
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import xgboost
from real_jobs import Real, run_step, stage_step

from pipeline_code import trial
from pipeline_code.compiled import session, to_onnx
from pipeline_code.contract import ContractError
from pipeline_code.predictor import Predictor, load_archive
from pipeline_code.steps import package
from pipeline_code.trial import Serve
from stacks.config import ROOT

PYTHON = ROOT / ".venv-serve/bin/python"


def test_a_package_holds_what_serves_and_what_it_was_tried_with(real: Real) -> None:
    with tarfile.open(real.package / "model.tar.gz") as packed:
        assert sorted(packed.getnames()) == ["features.json", "model.onnx", "model.ubj", "serving.json"]
        serving = json.loads(packed.extractfile("serving.json").read())  # type: ignore[union-attr]
    shown = json.loads((real.package / "package.json").read_text())

    assert (serving["model"], serving["outcomes"], serving["crossover"]) == (
        "flight_delay",
        ["on time", "late"],
        shown["crossover"],
    )
    assert len(serving["test"]["rows"]) == len(serving["test"]["probabilities"]) == package.SAVED_ROWS
    assert shown["rows"] == 10_000
    assert shown["difference"] <= 1e-6
    assert shown["crossover"] in {0, 1, 8, 16, 32, 64, 128, 256}
    assert set(package.STEP.registers) == set(shown["properties"])
    assert all(isinstance(value, str) for value in shown["properties"].values())


def test_it_is_still_the_trained_model(real: Real) -> None:
    trained, packaged = Predictor.load(real.model), load_archive(real.package / "model.tar.gz")

    assert packaged.encoding == trained.encoding
    assert packaged.booster.save_raw() == trained.booster.save_raw()


def test_a_server_that_answers_otherwise_fails_the_step(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    truly = trial.probabilities
    monkeypatch.setattr(trial, "probabilities", lambda *asked: [p + 0.001 for p in truly(*asked)])

    with pytest.raises(ContractError, match=r"the server's predictions are up to 0\.001 off the trainer's"):
        run_step("package", tmp_path, {"dataset": real.dataset, "model": real.archive.parent})
    assert not list(tmp_path.rglob("package.json"))


def test_a_server_that_does_not_start_fails_the_step_with_its_last_words(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_code.served.Serving.write", lambda *_: None)

    with pytest.raises(ContractError, match=r"the version does not serve: model without serving\.json"):
        run_step("package", tmp_path, {"dataset": real.dataset, "model": real.archive.parent})


def test_trees_that_cannot_be_compiled_are_served_by_xgboost(
    real: Real, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_booster: object) -> bytes:
        raise ContractError("splits by sets of categories are not compiled")

    monkeypatch.setattr("pipeline_code.compiled.to_onnx", refuse)
    job = run_step("package", tmp_path, {"dataset": real.dataset, "model": real.archive.parent})

    shown = json.loads((job.write("package") / "package.json").read_text())
    assert (shown["crossover"], shown["rows"]) == (0, 10_000)
    assert shown["difference"] <= 1e-6


def test_a_missing_server_is_named(real: Real, tmp_path: Path) -> None:
    job = stage_step("package", tmp_path, {"dataset": real.dataset, "model": real.archive.parent})
    shutil.rmtree(job.read("model"))
    job.read("model").mkdir()

    with pytest.raises(ContractError, match=r"no model\.tar\.gz in model/"):
        package.main(job)


def test_a_crossover_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match=r"pipeline_code\.crossover failed"):
        Serve(PYTHON, tmp_path).crossover(tmp_path / "rows.npy")


@pytest.mark.parametrize("base_score", [0.5, 0.1, 0.93])
@pytest.mark.parametrize("depth", [1, 4, 8])
def test_compiled_trees_answer_as_xgboost(base_score: float, depth: int) -> None:
    draw = np.random.default_rng(depth)
    rows = draw.normal(size=(2_000, 5)).astype(np.float32)
    rows[draw.random(rows.shape) < 0.2] = np.nan
    labels = (np.nan_to_num(rows[:, 0]) + draw.normal(size=2_000) > 0).astype(int)
    parameters = {"objective": "binary:logistic", "base_score": base_score, "max_depth": depth, "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, labels), num_boost_round=20)

    found = session(to_onnx(booster)).run(None, {"rows": rows})[0][:, 0]

    assert np.max(np.abs(found - booster.inplace_predict(rows))) <= 1e-6


def test_other_objectives_are_not_compiled() -> None:
    rows = np.zeros((10, 2), dtype=np.float32)
    booster = xgboost.train({"objective": "reg:squarederror"}, xgboost.DMatrix(rows, np.arange(10)), 1)

    with pytest.raises(ContractError, match="objective 'reg:squarederror' is not compiled"):
        to_onnx(booster)
