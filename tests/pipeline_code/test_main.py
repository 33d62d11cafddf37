"""What a container runs: exit codes, and the reason where SageMaker looks for it."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from real_jobs import write_listing

from pipeline_code.__main__ import main
from stacks.config import ROOT

if TYPE_CHECKING:
    from pathlib import Path


ENVIRONMENT = {
    "SLIPWAY_MODEL": "flight_delay",
    "SLIPWAY_PERIOD": "2013-02",
    "SLIPWAY_EXECUTION": "execution-1",
    "SLIPWAY_IMAGE_URI": "repository:tag",
    "SLIPWAY_SERVE_IMAGE_URI": "repository:tag-serve",
    "SLIPWAY_COMMIT": "c0ffee",
}


@pytest.fixture
def ml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {**ENVIRONMENT, "SLIPWAY_ML_ROOT": str(tmp_path / "ml")}.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "ml"


def test_bad_data_ends_with_a_readable_reason(
    ml: Path, small_periods: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (small_periods / "2013-02/_READY.json").unlink()
    shutil.copytree(small_periods, ml / "processing/input/periods")
    write_listing(ml / "processing/input/listing", ml / "processing/input/periods", "2013-02")

    code = main(["prepare"])

    told = capsys.readouterr().err
    assert code == 1
    assert "2013-02: no _READY.json" in told
    assert "Traceback" not in told
    assert (ml / "output/message").read_text() == told.strip()


def test_a_training_job_explains_its_failure(ml: Path) -> None:
    (ml / "input/config").mkdir(parents=True)
    (ml / "input/config/hyperparameters.json").write_text("{}")

    assert main(["train"]) == 1

    assert "hyperparameter 'eta' is missing" in (ml / "output/failure").read_text()


def test_an_unexpected_failure_is_explained_too(ml: Path) -> None:
    with pytest.raises(FileNotFoundError):
        main(["train"])

    assert (ml / "output/failure").read_text().startswith("FileNotFoundError: ")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "usage: python -m pipeline_code <step>; steps are evaluate, package, prepare, record, train"),
        (
            ["prepair"],
            "no step 'prepair'; steps are evaluate, package, prepare, record, train (one file each in steps/)",
        ),
    ],
)
def test_wrong_arguments_are_refused(
    ml: Path, arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1

    assert capsys.readouterr().err.strip() == expected
    assert not ml.exists()


@pytest.mark.usefixtures("ml")
def test_a_missing_environment_is_refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("SLIPWAY_PERIOD")

    assert main(["prepare"]) == 1

    assert "SLIPWAY_PERIOD not set" in capsys.readouterr().err


def test_the_job_image_has_all_a_step_needs(real_periods: Path, tmp_path: Path) -> None:
    """Run as the container does, with the job image's own packages and nothing else."""
    python = ROOT / ".venv-job/bin/python"
    if not python.exists():
        pytest.skip("no .venv-job; run `make setup`")
    shutil.copytree(real_periods, tmp_path / "processing/input/periods")
    write_listing(tmp_path / "processing/input/listing", tmp_path / "processing/input/periods", "2013-04")
    (tmp_path / "config").mkdir()
    (tmp_path / "config/processingjobconfig.json").write_text(
        '{"ProcessingInputs": [{"InputName": "periods", "S3Input": {"S3Uri": "s3://bucket/periods"}}]}'
    )

    done = subprocess.run(
        [python, "-m", "pipeline_code", "prepare"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **ENVIRONMENT, "SLIPWAY_PERIOD": "2013-04", "SLIPWAY_ML_ROOT": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "test: 27564 rows" in done.stdout
    assert "quarantined: weather: wind_speed: above 253: 1 rows" in done.stdout
