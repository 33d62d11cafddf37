"""A real version to serve: three months of flights through prepare, train and package. `... FOLDER`.

Leaves FOLDER/model (what an endpoint holds) and FOLDER/rows.csv (rows of the next month, as requests carry them).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tarfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ["SLIPWAY_SERVE_PYTHON"] = str(ROOT / ".venv-serve/bin/python")

import polars as pl  # noqa: E402

from pipeline_code import steps  # noqa: E402
from pipeline_code.contract import LISTING, PERIODS, READY_MANIFEST, Job, JobEnvironment  # noqa: E402
from pipeline_code.models import load_model  # noqa: E402
from pipeline_code.predictor import ARCHIVE, unpack_archive  # noqa: E402
from rehearsal import sample  # noqa: E402

MODEL, MONTHS = "flight_delay", ("2013-01", "2013-02", "2013-03", "2013-04")


def main(out: Path) -> None:
    """Run the three steps as their jobs would."""
    prepared = _job("prepare", out)
    for month in MONTHS:
        folder = prepared.read(PERIODS) / month
        sample.write_period(folder, month)
        _seal(folder)
    manifests = {m: _sha256(prepared.read(PERIODS) / m / READY_MANIFEST) for m in MONTHS}
    prepared.read(LISTING).mkdir(parents=True)
    (prepared.read(LISTING) / "listing.json").write_text(json.dumps({"period": MONTHS[-1], "manifests": manifests}))
    _run(prepared)
    trained = _job("train", out, dataset=prepared.write("dataset"))
    (trained.root / "input/config").mkdir(parents=True)
    (trained.root / "input/config/hyperparameters.json").write_text(json.dumps(dict(load_model(MODEL).hyperparameters)))
    _run(trained)
    packaged = _job("package", out, dataset=prepared.write("dataset"))
    packaged.read("model").mkdir(parents=True)
    with tarfile.open(packaged.read("model") / ARCHIVE, "w:gz") as archive:
        for file in sorted(trained.write("model").iterdir()):
            archive.add(file, arcname=file.name)
    _run(packaged)
    unpack_archive(packaged.write("package") / ARCHIVE, out / "model")
    features = json.loads((out / "model/features.json").read_text())["features"]
    rows = pl.read_parquet(prepared.write("dataset") / "test.parquet").select(features)
    rows.write_csv(out / "rows.csv", include_header=False)


def _job(step: str, out: Path, **inputs: Path) -> Job:
    job = Job(steps.load(step)[0], JobEnvironment(MODEL, MONTHS[-1]), out / step)
    (job.root / "config").mkdir(parents=True)
    given = [{"InputName": name, "S3Input": {"S3Uri": f"s3://bucket/{name}"}} for name in job.step.reads]
    (job.root / "config/processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": given}))
    for name, folder in inputs.items():
        job.read(name).parent.mkdir(parents=True, exist_ok=True)
        job.read(name).symlink_to(folder)
    return job


def _run(job: Job) -> None:
    steps.load(job.step.name)[1](job)


def _seal(folder: Path) -> None:
    files = {
        file.name: {"sha256": _sha256(file), "bytes": file.stat().st_size, "version_id": "1"}
        for file in folder.iterdir()
    }
    (folder / READY_MANIFEST).write_text(json.dumps({"files": files}))


def _sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
