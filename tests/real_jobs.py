"""Real periods once a session, and jobs as SageMaker would start them."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pipeline_code import steps
from pipeline_code.contract import READY_MANIFEST, SERVE_PYTHON_VARIABLE, Job, JobEnvironment
from pipeline_code.models import load_model
from rehearsal import sample
from stacks.config import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline_code.model import Model

PERIOD = "2013-04"


class Seal(Protocol):
    def __call__(self, folder: Path) -> None: ...


class NewJob(Protocol):
    def __call__(self, step: str, root: Path, period: str = PERIOD) -> Job: ...


def seal_period(folder: Path) -> None:
    """Write the manifest of a period's files, as whoever uploads it does."""
    files = {
        file.name: {
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "bytes": file.stat().st_size,
            "version_id": f"version-of-{file.name}",
        }
        for file in sorted(folder.iterdir())
        if file.name != READY_MANIFEST
    }
    (folder / READY_MANIFEST).write_text(json.dumps({"files": files}))


def write_listing(folder: Path, periods: Path, period: str) -> None:
    """What whoever starts a run writes: the periods it is asked for, by the sha256 of their manifests."""
    folder.mkdir(parents=True, exist_ok=True)
    manifests = {
        manifest.parent.name: hashlib.sha256(manifest.read_bytes()).hexdigest()
        for manifest in sorted(periods.glob(f"*/{READY_MANIFEST}"))
        if manifest.parent.name <= period
    }
    (folder / "listing.json").write_text(json.dumps({"period": period, "manifests": manifests}))


def give_periods(job: Job, periods: Path) -> None:
    """A copy of the periods for a prepare job, and the listing of what is there."""
    shutil.copytree(periods, job.read("periods"), dirs_exist_ok=True)
    write_listing(job.read("listing"), job.read("periods"), job.environment.period)


def make_job(step: str, root: Path, period: str = PERIOD) -> Job:
    declared, _ = steps.load(step)
    (root / "config").mkdir(parents=True, exist_ok=True)
    inputs = [{"InputName": a, "S3Input": {"S3Uri": f"s3://bucket/{a}"}} for a in declared.reads]
    (root / "config/processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": inputs}))
    environment = JobEnvironment(
        model="flight_delay",
        period=period,
        execution="execution-1",
        image_uri="repository:tag",
        serve_image_uri="repository:tag-serve",
        serve_image_digest=f"sha256:{'0' * 64}",
        commit="c0ffee",
        reason="manual",
        started_by="me",
        author="me",
    )
    return Job(declared, environment, root)


def run_step(step: str, root: Path, inputs: dict[str, Path], period: str = PERIOD) -> Job:
    """Run a step's main on copies of its inputs."""
    job = stage_step(step, root, inputs, period)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(SERVE_PYTHON_VARIABLE, str(ROOT / ".venv-serve/bin/python"))
        steps.load(step)[1](job)
    return job


def stage_step(step: str, root: Path, inputs: dict[str, Path], period: str = PERIOD) -> Job:
    """What a job finds when it begins: copies of its inputs, and its configuration."""
    job = make_job(step, root, period)
    for artifact, folder in inputs.items():
        shutil.copytree(folder, job.read(artifact))
    if "listing" in job.step.reads:
        write_listing(job.read("listing"), job.read("periods"), period)
    if job.step.kind == "Training":
        (root / "input/config").mkdir(parents=True, exist_ok=True)
        hyperparameters = dict(load_model("flight_delay").hyperparameters)
        (root / "input/config/hyperparameters.json").write_text(json.dumps(hyperparameters))
    return job


def pack(folder: Path, archive: Path) -> str:
    """What SageMaker makes of a model folder; returns its sha256."""
    archive.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive, "w:gz") as packed:
        for file in sorted(folder.iterdir()):
            packed.add(file, arcname=file.name)
    return hashlib.sha256(archive.read_bytes()).hexdigest()


@dataclass(frozen=True)
class Real:
    """January to April 2013 through prepare, train and evaluate, with no champion."""

    periods: Path
    dataset: Path
    snapshot: Path
    quarantine: Path
    model: Path
    archive: Path
    evaluation: Path
    report: Path
    package: Path

    def document(self, artifact: str) -> dict[str, Any]:
        folder: Path = getattr(self, artifact)
        loaded: dict[str, Any] = json.loads((folder / f"{artifact}.json").read_text())
        return loaded


def write_periods(folder: Path) -> Path:
    """January to April, sealed as they arrive."""
    for period in sample.PERIODS[:4]:
        sample.write_period(folder / period, period)
        seal_period(folder / period)
    return folder


def write_no_champion(folder: Path) -> Path:
    (folder / "champion.json").write_text('{"version": "none"}')
    return folder


@pytest.fixture(scope="session")
def real_periods(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_periods(tmp_path_factory.mktemp("periods"))


@pytest.fixture(scope="session")
def no_champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_no_champion(tmp_path_factory.mktemp("champion"))


def make_real(periods: Path, no_champion: Path, folder: Callable[[str], Path]) -> Real:
    """Every step but the last, for real; `folder` gives each an empty one."""
    prepared = run_step("prepare", folder("prepare"), {"periods": periods})
    dataset, snapshot = prepared.write("dataset"), prepared.write("snapshot")
    model = run_step("train", folder("train"), {"dataset": dataset}).write("model")
    archive = folder("archive") / "model.tar.gz"
    pack(model, archive)
    inputs = {"dataset": dataset, "snapshot": snapshot, "model": archive.parent, "champion": no_champion}
    evaluated = run_step("evaluate", folder("evaluate"), inputs)
    packaged = run_step("package", folder("package"), {"dataset": dataset, "model": archive.parent})
    return Real(
        periods=periods,
        dataset=dataset,
        snapshot=snapshot,
        quarantine=prepared.write("quarantine"),
        model=model,
        archive=archive,
        evaluation=evaluated.write("evaluation"),
        report=evaluated.write("report"),
        package=packaged.write("package"),
    )


@pytest.fixture(scope="session")
def real(real_periods: Path, no_champion: Path, tmp_path_factory: pytest.TempPathFactory) -> Real:
    return make_real(real_periods, no_champion, tmp_path_factory.mktemp)


@pytest.fixture
def small_periods(real_periods: Path, tmp_path: Path) -> Path:
    """January and February, three days each: enough to be whole and right, and quick to spoil."""
    folder = tmp_path / "periods"
    for period in ("2013-01", "2013-02"):
        shutil.copytree(real_periods / period, folder / period)
        for name, day in (("flights", 2), ("weather", 3)):
            header, *rows = (folder / period / f"{name}.csv").read_text().splitlines()
            kept = [row for row in rows if int(row.split(",")[day]) <= 3]
            (folder / period / f"{name}.csv").write_text("\n".join([header, *kept]) + "\n")
        seal_period(folder / period)
    return folder


@pytest.fixture(scope="session")
def flight_delay() -> Model:
    return load_model("flight_delay")


@pytest.fixture
def seal() -> Seal:
    return seal_period


@pytest.fixture
def new_job() -> NewJob:
    return make_job
