"""Evaluate: measures the new model on the period it has not seen, beside the champion, and applies the gates."""

from __future__ import annotations

import json
import logging
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import CHAMPION, NO_CHAMPION, Job, Step
from pipeline_code.model import DAY, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from pipeline_code.behaviours import Observed
    from pipeline_code.bootstrap import DayDraws, Difference
    from pipeline_code.champion import Champion
    from pipeline_code.gates import Slice, Verdict
    from pipeline_code.metrics import CalibrationBin, Labels, Metrics, Scores
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


@dataclass(frozen=True)
class Rival:
    """The champion on the same rows: its own metrics, and what the challenger gains over it."""

    version: str
    sha256: str
    seen_to: str
    scores: Scores
    metrics: Metrics
    difference: Difference


@dataclass(frozen=True)
class Evaluation:
    """Everything measured about one challenger; `labels` and `scores` are for the report's curves."""

    labels: Labels
    scores: Scores
    metrics: Metrics
    rival: Rival | None
    slices: tuple[Slice, ...]
    behaviours: tuple[Observed, ...]
    calibration: tuple[CalibrationBin, ...]
    gains: Mapping[str, float]
    verdict: Verdict


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


def run(model: Model, test: pl.DataFrame, base_rate: float, challenger: Predictor, rival: Champion | None) -> Evaluation:
    """Measure on the test rows; `base_rate` is that of the training rows."""
    from pipeline_code import behaviours, gates, metrics
    from pipeline_code.bootstrap import DayDraws

    columns = {name: test[name].to_numpy() for name in test.columns if name not in (DAY, LABEL)}
    labels = test[LABEL].to_numpy()
    scores = challenger.predict(columns)
    draws = DayDraws((test[DAY].rank("dense") - 1).to_numpy())
    measured = metrics.measure(labels, scores, base_rate)
    compared = _compare(rival, columns, labels, scores, draws, base_rate) if rival else None
    observed = behaviours.observe(model.behaviours, challenger, columns, scores)
    slices = _slices(model, test, scores, draws)
    rivalry = gates.Rivalry(compared.difference, compared.seen_to, str(test[DAY].min())) if compared else None
    return Evaluation(
        labels=labels,
        scores=scores,
        metrics=measured,
        rival=compared,
        slices=slices,
        behaviours=tuple(observed),
        calibration=tuple(metrics.calibration(labels, scores)),
        gains=challenger.gains(),
        verdict=gates.judge(model.gates, measured, rivalry, observed, slices),
    )


def _compare(
    champion: Champion, columns: Mapping[str, Any], labels: Labels, scores: Scores, draws: DayDraws, base_rate: float
) -> Rival:
    from pipeline_code import bootstrap, metrics

    theirs = champion.predictor.predict(columns)
    return Rival(
        version=champion.version,
        sha256=champion.sha256,
        seen_to=str(champion.predictor.training["trained_to"]),
        scores=theirs,
        metrics=metrics.measure(labels, theirs, base_rate),
        difference=bootstrap.difference(draws, labels, scores, theirs),
    )


def _slices(model: Model, test: pl.DataFrame, scores: Scores, draws: DayDraws) -> tuple[Slice, ...]:
    """Groups of each declared column, largest first; small ones are reported, not gated."""
    from pipeline_code import bootstrap, gates, metrics

    labels = test[LABEL].to_numpy()
    found = []
    for column in model.slices:
        for value in test[column].drop_nulls().unique().sort().to_list():
            rows = (test[column] == value).fill_null(value=False).to_numpy()
            auc = metrics.auc(labels[rows], scores[rows])
            part = gates.Slice(
                column=column,
                value=str(value),
                rows=int(rows.sum()),
                base_rate=float(labels[rows].mean()),
                mean_score=float(scores[rows].mean()),
                auc=None if math.isnan(auc) else auc,
                interval=bootstrap.interval(draws.auc(labels, scores, rows)),
                gated=int(rows.sum()) >= model.gates.slice_rows,
            )
            found.append(part)
    return tuple(sorted(found, key=lambda part: (model.slices.index(part.column), -part.rows, part.value)))


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
