"""The border between cloud and code: what one side renders the other finds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_code.contract import FACTS, ContractError, DataError, Job, JobEnvironment, Step

if TYPE_CHECKING:
    from pathlib import Path

ENVIRONMENT = JobEnvironment(
    model="flight_delay",
    period="2013-04",
    execution="e",
    image_uri="repository:tag",
    serve_image_uri="repository:tag-serve",
    serve_image_digest=f"sha256:{'0' * 64}",
    commit="c0ffee",
    reason="manual",
    started_by="me",
    author="me",
)
PROCESSING = Step("look", "Processing", reads=("dataset",), writes=("seen",))
TOLD = Step("note", "Processing", reads=("dataset",), writes=("noted",), told=FACTS)
TRAINING = Step("learn", "Training", reads=("dataset",), writes=("model",))


def test_a_jobs_environment_is_parsed_as_it_was_rendered() -> None:
    assert JobEnvironment.parse(TOLD, JobEnvironment.render(TOLD, asdict(ENVIRONMENT))) == ENVIRONMENT


def test_a_step_that_is_not_told_knows_model_and_period_only() -> None:
    rendered = JobEnvironment.render(PROCESSING, asdict(ENVIRONMENT))

    assert rendered == {"SLIPWAY_MODEL": "flight_delay", "SLIPWAY_PERIOD": "2013-04"}
    assert JobEnvironment.parse(PROCESSING, rendered) == JobEnvironment("flight_delay", "2013-04")


@pytest.mark.parametrize(
    ("declared", "message"),
    [
        ({"told": ("branch",)}, "step look: told 'branch'; facts are execution, image_uri, serve_image_uri, serve_"),
        ({"told": ("commit",)}, "cached, but told commit, which changes with every run; drop one of them"),
        ({"reads": ("champion",)}, "cached, but reads the champion, which changes below the same URI"),
        ({"reads": ("periods",)}, "cached, but reads periods without the listing that names their content"),
    ],
)
def test_a_cached_step_may_depend_on_nothing_that_changes(declared: dict[str, Any], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Step(**{"name": "look", "kind": "Processing", "reads": (), "writes": ("seen",), "cached": True, **declared})


@pytest.mark.parametrize(
    ("step", "reads", "writes"),
    [
        (PROCESSING, "processing/input/dataset", "processing/output/seen"),
        (TRAINING, "input/data/dataset", "model"),
    ],
)
def test_artifacts_lie_where_sagemaker_puts_them(step: Step, reads: str, writes: str, tmp_path: Path) -> None:
    job = Job(step, ENVIRONMENT, tmp_path)

    assert job.read("dataset") == tmp_path / reads
    assert job.write(step.writes[0]) == tmp_path / writes
    assert (tmp_path / writes).is_dir()


def test_undeclared_artifacts_are_out_of_reach(tmp_path: Path) -> None:
    job = Job(PROCESSING, ENVIRONMENT, tmp_path)

    with pytest.raises(ContractError, match="step look: reads"):
        job.read("model")
    with pytest.raises(ContractError, match="step look: writes"):
        job.write("dataset")


def test_an_inputs_uri_is_the_one_sagemaker_tells(tmp_path: Path) -> None:
    job = Job(PROCESSING, ENVIRONMENT, tmp_path)
    (tmp_path / "config").mkdir()
    given = [{"InputName": "dataset", "S3Input": {"S3Uri": "s3://bucket/dataset"}}]
    (tmp_path / "config/processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": given}))

    assert job.uri("dataset") == "s3://bucket/dataset"
    with pytest.raises(ContractError, match="no input 'model'"):
        job.uri("model")


@pytest.mark.parametrize(("step", "file", "limit"), [(PROCESSING, "message", 1000), (TRAINING, "failure", 1024)])
def test_explanations_fit_where_sagemaker_reads_them(step: Step, file: str, limit: int, tmp_path: Path) -> None:
    Job(step, ENVIRONMENT, tmp_path).explain("x" * 5000)

    assert len((tmp_path / "output" / file).read_text()) == limit


@pytest.mark.parametrize(("problems", "count"), [(["a"], "1 problem"), (["a", "b"], "2 problems")])
def test_a_data_error_lists_its_problems(problems: list[str], count: str) -> None:
    assert str(DataError("data of x", problems)).splitlines() == [f"data of x: {count}", *(f"- {p}" for p in problems)]
