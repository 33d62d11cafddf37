"""Evaluate: measures the new model on the period it has not seen, beside the champion, and applies the gates."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Self

from pipeline_code.contract import CHAMPION, NO_CHAMPION, Job, Step
from pipeline_code.evaluation import Evaluation, Rival
from pipeline_code.model import DAY, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    import numpy.typing as npt
    import polars as pl

    from pipeline_code.bootstrap import DayDraws
    from pipeline_code.champion import Champion
    from pipeline_code.gates import Slice
    from pipeline_code.metrics import Labels, Scores
    from pipeline_code.model import Model
    from pipeline_code.predictor import Predictor

STEP = Step(
    name="evaluate",
    kind="Processing",
    reads=("dataset", "snapshot", "model", CHAMPION),
    writes=("evaluation", "report"),
    property_file="evaluation/evaluation.json",
    registers=("auc", "pr_auc", "log_loss", "brier", "calibration_error", "champion_version", "champion_auc"),
)

DIGITS = 6

log = logging.getLogger(__name__)


def main(job: Job) -> None:
    """Read model, champion and the test part, write evaluation.json and the report."""
    import polars as pl

    from pipeline_code import champion, report
    from pipeline_code.models import load_model
    from pipeline_code.predictor import ARCHIVE, load_archive

    model = load_model(job.environment.model)
    dataset = job.read("dataset")
    trained = pl.concat([pl.read_parquet(dataset / f"{n}.parquet", columns=[LABEL]) for n in ("train", "validation")])
    challenger = load_archive(job.read("model") / ARCHIVE)
    rival = champion.load(job.read(CHAMPION))
    test = pl.read_parquet(dataset / "test.parquet")
    evaluation = run(model, test, float(trained[LABEL].mean()), challenger, rival)  # type: ignore[arg-type]
    log.info("%s", {name: round(value, 4) for name, value in asdict(evaluation.metrics).items()})
    log.info("compared with %s", rival.version if rival else "no champion")
    log.info("gates: %s", evaluation.verdict.message)
    text = json.dumps(document(evaluation), indent=2, allow_nan=False)
    (job.write("evaluation") / "evaluation.json").write_text(f"{text}\n", encoding="utf-8")
    snapshot = json.loads((job.read("snapshot") / "snapshot.json").read_text(encoding="utf-8"))
    page = report.render(model, snapshot, evaluation)
    (job.write("report") / "report.html").write_text(page, encoding="utf-8")


def run(
    model: Model, test: pl.DataFrame, base_rate: float, challenger: Predictor, champion: Champion | None
) -> Evaluation:
    """Measure on the test rows; `base_rate` is that of the training rows."""
    from pipeline_code import behaviours, gates, metrics

    asked = _Test.of(test, base_rate)
    scores = challenger.predict(asked.columns)
    measured = metrics.measure(asked.labels, scores, base_rate)
    rival = _compare(asked, scores, champion) if champion else None
    observed = behaviours.observe(model.behaviours, challenger, asked.columns, scores)
    slices = _slices(model, asked, scores)
    rivalry = gates.Rivalry(rival.difference, rival.seen_to, asked.from_day) if rival else None
    return Evaluation(
        labels=asked.labels,
        scores=scores,
        metrics=measured,
        rival=rival,
        slices=slices,
        behaviours=tuple(observed),
        calibration=tuple(metrics.calibration(asked.labels, scores)),
        gains=challenger.gains(),
        verdict=gates.judge(model.gates, measured, rivalry, observed, slices),
    )


@dataclass(frozen=True)
class _Test:
    """The rows both models answer for; every interval comes from the same draws of their days."""

    columns: Mapping[str, Any]
    labels: Labels
    base_rate: float
    draws: DayDraws
    from_day: str

    @classmethod
    def of(cls, rows: pl.DataFrame, base_rate: float) -> Self:
        from pipeline_code.bootstrap import DayDraws

        return cls(
            columns={name: rows[name].to_numpy() for name in rows.columns if name not in {DAY, LABEL}},
            labels=rows[LABEL].to_numpy(),
            base_rate=base_rate,
            draws=DayDraws((rows[DAY].rank("dense") - 1).to_numpy()),
            from_day=str(rows[DAY].min()),
        )


def _compare(test: _Test, scores: Scores, champion: Champion) -> Rival:
    from pipeline_code import bootstrap, metrics

    theirs = champion.predictor.predict(test.columns)
    return Rival(
        version=champion.version,
        sha256=champion.sha256,
        seen_to=str(champion.predictor.training["trained_to"]),
        scores=theirs,
        metrics=metrics.measure(test.labels, theirs, test.base_rate),
        difference=bootstrap.difference(test.draws, test.labels, scores, theirs),
    )


def _slices(model: Model, test: _Test, scores: Scores) -> tuple[Slice, ...]:
    """Groups of each declared column, largest first."""
    found: list[Slice] = []
    for column in model.slices:
        values = test.columns[column]
        groups = [_slice(column, value, values == value, test, scores) for value in sorted(set(values) - {None})]
        found += sorted(groups, key=lambda group: (-group.rows, group.value))
    return tuple(replace(group, gated=group.rows >= model.gates.slice_rows) for group in found)


def _slice(column: str, value: str, rows: npt.NDArray[np.bool_], test: _Test, scores: Scores) -> Slice:
    from pipeline_code import bootstrap, gates, metrics

    labels = test.labels[rows]
    auc = metrics.auc(labels, scores[rows])
    return gates.Slice(
        column=column,
        value=value,
        rows=len(labels),
        base_rate=float(labels.mean()),
        mean_score=float(scores[rows].mean()),
        auc=None if math.isnan(auc) else auc,
        interval=bootstrap.interval(test.draws.auc(test.labels, scores, rows)),
    )


def document(evaluation: Evaluation) -> dict[str, Any]:
    """evaluation.json: plain values, rounded; `properties` are strings, the registry's metadata."""
    rival, verdict = evaluation.rival, evaluation.verdict
    champion: dict[str, Any] = {"version": NO_CHAMPION}
    if rival:
        champion = {"version": rival.version, "sha256": rival.sha256, "seen_to": rival.seen_to, **asdict(rival.metrics)}
        champion["auc_difference"] = asdict(rival.difference.auc)
        champion["log_loss_difference"] = asdict(rival.difference.log_loss)
    metrics = asdict(evaluation.metrics)
    rounded: dict[str, Any] = _rounded(
        {
            "metrics": metrics,
            "champion": champion,
            "slices": [asdict(part) for part in evaluation.slices],
            "behaviours": [
                {**asdict(b.behaviour), "moved": b.moved, "passed": b.passed} for b in evaluation.behaviours
            ],
            "calibration": [asdict(part) for part in evaluation.calibration],
            "gates": {
                "passed": verdict.passed,
                "message": verdict.message,
                "checks": [asdict(check) for check in verdict.checks],
            },
        }
    )
    properties = {name: f"{value:.4f}" for name, value in metrics.items() if name != "rows"}
    properties["champion_version"] = champion["version"]
    properties["champion_auc"] = f"{rival.metrics.auc:.4f}" if rival else NO_CHAMPION
    return {**rounded, "properties": properties}


def _rounded(value: Any) -> Any:
    """Floats to DIGITS places, NaN as null, which JSON has."""
    if isinstance(value, float):
        return round(value, DIGITS) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list | tuple) else value
