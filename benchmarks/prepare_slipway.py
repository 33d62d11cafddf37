"""The whole prepare step, as its job runs it: `python benchmarks/prepare_slipway.py PERIODS OUT`."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from pipeline_code import models  # noqa: E402
from pipeline_code.contract import LISTING, PERIODS, READY_MANIFEST, Job, JobEnvironment  # noqa: E402
from pipeline_code.steps import prepare  # noqa: E402


def main(periods: Path, out: Path) -> None:
    """Run it on the periods; the last of them is the test."""
    models.__path__.append(str(ROOT / "benchmarks/models"))
    period = max(folder.name for folder in periods.iterdir())
    job = Job(prepare.STEP, JobEnvironment("events", period), out)
    for artifact in (PERIODS, LISTING):
        job.read(artifact).parent.mkdir(parents=True, exist_ok=True)
    job.read(PERIODS).symlink_to(periods)
    job.read(LISTING).mkdir()
    (job.read(LISTING) / "listing.json").write_text(json.dumps({"period": period, "manifests": manifests(periods)}))
    (out / "config").mkdir()
    inputs = [{"InputName": PERIODS, "S3Input": {"S3Uri": "s3://bucket/periods"}}]
    (out / "config/processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": inputs}))
    prepare.main(job)


def manifests(periods: Path) -> dict[str, str]:
    return {
        file.parent.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in periods.glob(f"*/{READY_MANIFEST}")
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
