"""Package: makes of a trained model what an endpoint serves, and proves that the server serves it as it was trained."""

from __future__ import annotations

import gzip
import json
import logging
import tarfile
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import ContractError, Job, Step

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from pipeline_code.model import Model
    from pipeline_code.predictor import Predictor
    from pipeline_code.trial import Serve

STEP = Step(
    name="package",
    kind="Processing",
    reads=("dataset", "model"),
    writes=("package",),
    property_file="package/package.json",
    registers=("serving_difference", "serving_p50_ms"),
    gated=True,
)

SAVED_ROWS = 16
"""Rows saved with the version, by which a server proves itself before it takes traffic."""

COMPARED_ROWS = 10_000
"""Rows of the test period whose predictions are compared, at most."""

log = logging.getLogger(__name__)


def main(job: Job) -> None:
    """Read model and test rows, write model.tar.gz and what its trial has shown."""
    import polars as pl

    from pipeline_code.models import load_model
    from pipeline_code.predictor import ARCHIVE, load_archive, unpack_archive
    from pipeline_code.trial import Serve

    model, out = load_model(job.environment.model), job.write("package")
    rows = pl.read_parquet(job.read("dataset") / "test.parquet").head(COMPARED_ROWS)
    archive = job.read("model") / ARCHIVE
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "model"
        unpack_archive(archive, folder)
        shown = run(model, load_archive(archive), rows, Serve(job.serve_python, Path(root)))
        _pack(folder, out / ARCHIVE)
    log.info("%s", shown)
    shown["properties"] = {
        "serving_difference": f"{shown['difference']:.1e}",
        "serving_p50_ms": f"{shown['p50_ms']:.2f}",
    }
    (out / "package.json").write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")


def run(model: Model, predictor: Predictor, rows: pl.DataFrame, serve: Serve) -> dict[str, Any]:
    """Complete the model folder below `serve.root`, start the server on it and compare its answers with the trainer's.

    Raises ContractError if the server does not start or answers otherwise.
    """
    import numpy as np

    from pipeline_code import trial
    from pipeline_code.served import COMPILED_FILE, TOLERANCE, Serving

    folder = serve.root / "model"
    asked = rows.select(predictor.encoding.features)
    columns = asked.to_dict(as_series=False)
    expected = predictor.predict(columns)
    lines = asked.write_csv(include_header=False).splitlines()
    crossover = 0
    compiled = _compile(predictor)
    if compiled:
        (folder / COMPILED_FILE).write_bytes(compiled)
        crossover = _crossover(serve, predictor.encoding.encode(columns))
    if not crossover:
        (folder / COMPILED_FILE).unlink(missing_ok=True)
    test = {"rows": lines[:SAVED_ROWS], "probabilities": expected[:SAVED_ROWS].tolist()}
    Serving(model.name, model.outcomes, crossover, test).write(folder)
    with serve.start() as connection:
        found = trial.probabilities(connection, lines)
        timed = trial.milliseconds(connection, lines)
    difference = float(np.max(np.abs(np.asarray(found) - expected)))
    if difference > TOLERANCE:
        raise ContractError(
            f"the server's predictions are up to {difference:.2g} off the trainer's, at most {TOLERANCE:g} may be"
        )
    return {"rows": len(lines), "difference": difference, "crossover": crossover, **timed}


def _compile(predictor: Predictor) -> bytes | None:
    from pipeline_code.compiled import to_onnx

    try:
        return to_onnx(predictor.booster)
    except ContractError as error:
        log.warning("served by XGBoost alone: %s", error)
        return None


def _crossover(serve: Serve, matrix: npt.NDArray[np.float32]) -> int:
    import numpy as np

    file = serve.root / "rows.npy"
    np.save(file, matrix)
    found = serve.crossover(file)
    log.info("compiled trees answer up to %d rows, %.1e off XGBoost", found["crossover"], found["difference"])
    return int(found["crossover"])


def _pack(folder: Path, archive: Path) -> None:
    """As SageMaker unpacks it below /opt/ml/model; the same files give the same bytes."""
    with (
        archive.open("wb") as file,
        gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as stream,
        tarfile.open(fileobj=stream, mode="w") as packed,
    ):
        for path in sorted(folder.iterdir()):
            entry = tarfile.TarInfo(path.name)
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                packed.addfile(entry, content)
