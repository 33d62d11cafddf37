"""The provenance record names everything a version is made of."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline_code.contract import ContractError
from pipeline_code.steps import record

if TYPE_CHECKING:
    from pathlib import Path

    from real_jobs import NewJob, Real

    from pipeline_code.contract import Job


@pytest.fixture
def job(real: Real, new_job: NewJob, tmp_path: Path) -> Job:
    made = new_job("record", tmp_path)
    for artifact, folder in {
        "package": real.package,
        "snapshot": real.snapshot,
        "evaluation": real.evaluation,
    }.items():
        shutil.copytree(folder, made.read(artifact))
    return made


def written(job: Job) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((job.write("provenance") / "provenance.json").read_text())
    return loaded


def test_it_names_code_data_model_and_figures(job: Job, real: Real) -> None:
    record.main(job)

    found = written(job)
    archive = real.package / "model.tar.gz"
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    assert (found["commit"], found["image_uri"], found["execution"]) == ("c0ffee", "repository:tag", "execution-1")
    assert (found["serve_image_uri"], found["serve_image_digest"]) == ("repository:tag-serve", f"sha256:{'0' * 64}")
    assert found["artifact"] == {
        "uri": "s3://bucket/package/model.tar.gz",
        "sha256": digest,
        "bytes": archive.stat().st_size,
    }
    assert found["data"]["sha256"] == real.document("snapshot")["sha256"]
    assert found["data"]["files"] == real.document("snapshot")["files"]
    assert found["training"]["hyperparameters"]["max_depth"] == 6
    assert found["metrics"] == real.document("evaluation")["metrics"]
    assert found["champion"] == {"version": "none"}
    assert found["properties"] == {"model_sha256": digest}


@pytest.mark.parametrize("digest", ["latest", f"sha256:{'0' * 63}", f"sha256:{'0' * 64} "])
def test_an_image_that_is_bound_to_no_content_is_refused(job: Job, digest: str) -> None:
    told = replace(job, environment=replace(job.environment, serve_image_digest=digest))

    with pytest.raises(
        ContractError, match=r"ServeImageDigest = .*; give what repository:tag-serve is in the registry"
    ):
        record.main(told)


@pytest.mark.parametrize(
    ("artifact", "old", "new", "expected"),
    [
        ("evaluation", '"passed": true,\n    "message"', '"passed": false,\n    "message"', "the gates did not pass"),
        ("snapshot", '"period": "2013-04"', '"period": "2013-03"', "the snapshot is of 2013-03, the run of 2013-04"),
    ],
)
def test_parts_that_do_not_belong_together_are_refused(
    job: Job, artifact: str, old: str, new: str, expected: str
) -> None:
    file = job.read(artifact) / f"{artifact}.json"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))

    with pytest.raises(ContractError, match=expected):
        record.main(job)
