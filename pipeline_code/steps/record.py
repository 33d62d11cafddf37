"""Record: writes down what a version is made of, where only this step can write, before it is registered."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import FACTS, PROVENANCE, ContractError, Job, Step

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline_code.contract import JobEnvironment

STEP = Step(
    name="record",
    kind="Processing",
    reads=("package", "snapshot", "evaluation"),
    writes=(PROVENANCE,),
    property_file="provenance/provenance.json",
    registers=("model_sha256",),
    gated=True,
    told=FACTS,
)

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

log = logging.getLogger(__name__)


def main(job: Job) -> None:
    """Read package, snapshot and evaluation, write provenance.json."""
    from pipeline_code.predictor import ARCHIVE, file_sha256, training_of

    archive = job.read("package") / ARCHIVE
    training = training_of(archive)
    artifact = {
        "uri": f"{job.uri('package').rstrip('/')}/{ARCHIVE}",
        "sha256": file_sha256(archive),
        "bytes": archive.stat().st_size,
    }
    documents = {name: _load(job, name) for name in ("snapshot", "evaluation")}
    record = run(job.environment, artifact, training, documents["snapshot"], documents["evaluation"])
    (job.write(PROVENANCE) / "provenance.json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    log.info("%s is %s", artifact["uri"], artifact["sha256"])


def run(
    environment: JobEnvironment,
    artifact: Mapping[str, Any],
    training: Mapping[str, Any],
    snapshot: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> dict[str, Any]:
    """The provenance record; raises ContractError if its parts are not of one run or the gates did not pass.

    The digest is what whoever started the run found under the image's tag; a release asks the registry again.
    """
    problems = []
    if not DIGEST.fullmatch(environment.serve_image_digest):
        problems.append(
            f"ServeImageDigest = {environment.serve_image_digest!r}; give what {environment.serve_image_uri} is in the "
            "registry, sha256:<64 hex digits>, as the starter does"
        )
    if snapshot["period"] != environment.period:
        problems.append(
            f"the snapshot is of {snapshot['period']}, the run of {environment.period}; run the pipeline again"
        )
    if evaluation["gates"]["passed"] is not True:
        problems.append(f"the gates did not pass: {evaluation['gates']['message']}")
    if problems:
        raise ContractError("\n".join(problems))
    return {
        "model": environment.model,
        "period": environment.period,
        "execution": environment.execution,
        "reason": environment.reason,
        "started_by": environment.started_by,
        "author": environment.author,
        "commit": environment.commit,
        "image_uri": environment.image_uri,
        "serve_image_uri": environment.serve_image_uri,
        "serve_image_digest": environment.serve_image_digest,
        "artifact": dict(artifact),
        "data": {"sha256": snapshot["sha256"], "rows": snapshot["rows"], "files": snapshot["files"]},
        "training": dict(training),
        "metrics": evaluation["metrics"],
        "champion": evaluation["champion"],
        "gates": evaluation["gates"]["message"],
        "properties": {"model_sha256": artifact["sha256"]},
    }


def _load(job: Job, artifact: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((job.read(artifact) / f"{artifact}.json").read_text(encoding="utf-8"))
    return loaded
