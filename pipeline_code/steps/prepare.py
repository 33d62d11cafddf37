"""Prepare: checks what arrived, sets bad rows aside, makes features and splits them by time."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import LISTING, PERIODS, DataError, Job, Step
from pipeline_code.model import DAY, EXCLUDED, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import polars as pl

    from pipeline_code.data import Checked
    from pipeline_code.model import Make, Model
    from pipeline_code.periods import SourceFile
    from pipeline_code.shelf import Shelf

STEP = Step(
    name="prepare",
    kind="Processing",
    reads=(PERIODS, LISTING),
    writes=("dataset", "snapshot", "quarantine"),
    property_file="snapshot/snapshot.json",
    cached=True,
    registers=(
        "data_sha256",
        "train_from",
        "train_to",
        "rows_train",
        "rows_validation",
        "rows_test",
        "rows_excluded",
        "rows_quarantined",
    ),
)

PARTS = ("train", "validation", "test")

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """The three parts of the dataset, each in the order of day and key, and how many rows have no label and why."""

    parts: Mapping[str, pl.LazyFrame]
    rows: Mapping[str, int]
    excluded: Mapping[str, int]


def main(job: Job) -> None:
    """Read the periods, write dataset, snapshot and quarantine."""
    from pipeline_code import data, listing, periods
    from pipeline_code.models import load_features, load_model
    from pipeline_code.shelf import Shelf

    model, period = load_model(job.environment.model), job.environment.period
    listing.check(job.read(LISTING), job.read(PERIODS), period)
    arrived = periods.find(job.read(PERIODS), period, model.sources)
    files = arrived.files
    log.info("period %s: %d whole files, %.1f MB", period, len(files), sum(file.bytes for file in files) / 1e6)
    with tempfile.TemporaryDirectory(dir=job.root) as scratch:  # on the job's own volume
        shelf = Shelf(Path(scratch))
        checked = data.check(model, files, arrived.corrections, shelf)
        _save_quarantine(checked, job.write("quarantine"))
        sources = {name: source.good for name, source in checked.items()}
        prepared = run(model, load_features(model.name), sources, period, shelf)
        digest = _save_dataset(prepared, job.write("dataset"))
        described = snapshot(period, listed(files, checked, job.uri(PERIODS)), prepared, checked, digest)
        described["contract"] = {source.name: source.version for source in model.sources}
        described["drift"] = [*drift(checked), *unseen(model, prepared)]
        described["corrected"] = sum(source.corrected for source in checked.values())
    (job.write("snapshot") / "snapshot.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def run(
    model: Model, make: Make, sources: Mapping[str, pl.LazyFrame], period: str, shelf: Shelf | None = None
) -> Prepared:
    """Features and label of every row, split by time: `period` is the test, the last days before it the validation.

    Raises DataError if the features repeat a key, have too many nulls or days outside the periods, or leave a part
    without rows of both labels.
    """
    import polars as pl

    from pipeline_code.shelf import Shelf

    shelf = shelf or Shelf()
    categories = {feature.name for feature in model.features if feature.type == "category"}
    types = {name: pl.String if name in categories else pl.Float64 for name in model.feature_names}
    made = shelf.keep_lazy(
        make(sources).with_columns(pl.col(name).cast(dtype) for name, dtype in types.items() if name not in model.key)
    )
    parts, rows = _split(model, made, period, shelf)
    problems = [*_problems(model, made, period), *_one_sided(parts, rows)]
    if problems:
        raise DataError(f"features of {model.name}", problems)
    return Prepared(parts, rows, _excluded(made))


def _excluded(made: pl.LazyFrame) -> dict[str, int]:
    import polars as pl

    reasons = made.filter(pl.col(EXCLUDED).is_not_null()).group_by(EXCLUDED).len().sort(EXCLUDED)
    return {str(reason): int(count) for reason, count in reasons.collect(engine="streaming").iter_rows()}


def _split(
    model: Model, made: pl.LazyFrame, period: str, shelf: Shelf
) -> tuple[dict[str, pl.LazyFrame], dict[str, int]]:
    """The parts, each in the order of day and key, and their rows; what came in order is not sorted again."""
    import polars as pl

    from pipeline_code.order import in_order

    labelled = made.filter(pl.col(EXCLUDED).is_null()).drop(EXCLUDED).with_columns(pl.col(LABEL).cast(pl.Int8))
    first = pl.date(int(period[:4]), int(period[5:]), 1)
    last_before = labelled.filter(pl.col(DAY) < first).select(pl.col(DAY).max()).collect(engine="streaming").item()
    is_part = {
        "train": pl.col(DAY) <= pl.lit(last_before) - pl.duration(days=model.validation_days),
        "validation": pl.col(DAY) <= pl.lit(last_before),
        "test": pl.col(DAY) >= first,
    }
    pieces: dict[str, list[pl.LazyFrame]] = {name: [] for name in PARTS}
    rows = dict.fromkeys(PARTS, 0)
    for piece in shelf.by_month(labelled, DAY):
        order = (DAY, *model.key)
        ordered = piece if in_order(piece, order) else piece.sort(order)
        heights = ordered.select(is_part[name].sum().alias(name) for name in PARTS).row(0, named=True)
        heights["validation"] -= heights["train"]
        start = 0
        for name in PARTS:
            if heights[name]:
                pieces[name].append(shelf.keep_part(ordered.slice(start, heights[name])))
            rows[name] += heights[name]
            start += heights[name]
    return {name: pl.concat(kept) if kept else labelled.head(0) for name, kept in pieces.items()}, rows


def _problems(model: Model, made: pl.LazyFrame, period: str) -> list[str]:
    import polars as pl

    from pipeline_code.order import any_repeats, count_repeats

    outside = pl.col(DAY).is_null() | (pl.col(DAY) > pl.date(int(period[:4]), int(period[5:]), 1).dt.month_end())
    nulls = [pl.col(name).null_count() for name in model.feature_names]
    counted = made.select(pl.len().alias("rows"), outside.sum().alias("outside"), *nulls)
    found = counted.collect(engine="streaming").row(0, named=True)
    problems = []
    if any_repeats(made, model.key):
        problems.append(
            f"{count_repeats(made, model.key):,} rows repeat the key {' + '.join(model.key)}; "
            "a join in features.py multiplies rows"
        )
    if found["outside"]:
        problems.append(
            f"{found['outside']:,} rows have no day, or one after {period}; features.py gives each its {DAY}"
        )
    shares = {feature: found[feature.name] / max(found["rows"], 1) for feature in model.features}
    problems += [
        f"{feature.name}: {share:.1%} of the rows are null, at most {feature.max_null:.0%} may be; "
        "a join in features.py matches too little, or a source has gaps"
        for feature, share in shares.items()
        if share > feature.max_null
    ]
    return problems


def _one_sided(parts: Mapping[str, pl.LazyFrame], rows: Mapping[str, int]) -> list[str]:
    import polars as pl

    return [
        f"{name}: {rows[name]:,} rows with only one kind of label; at least one of each is needed"
        for name, part in parts.items()
        if part.select(pl.col(LABEL).n_unique()).collect(engine="streaming").item() < 2  # noqa: PLR2004  # late and on time
    ]


def _save_dataset(prepared: Prepared, folder: Path) -> str:
    """Write the parts; one digest over all of them. Rows are ordered, so the same data gives the same bytes."""
    digest = hashlib.sha256()
    for name in PARTS:
        file = folder / f"{name}.parquet"
        # It is read whole, and soon: little to gain from packing it small, nothing from statistics.
        prepared.parts[name].sink_parquet(file, compression="lz4", statistics=False)
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        log.info("%s: %d rows", name, prepared.rows[name])
    return digest.hexdigest()


def _save_quarantine(checked: Mapping[str, Checked], folder: Path) -> None:
    """One CSV per source with bad rows, for people to read."""
    for name, source in checked.items():
        if source.bad.height:
            source.bad.write_csv(folder / f"{name}.csv")
        for reason, count in source.reasons.items():
            log.warning("quarantined: %s: %s: %d rows", name, reason, count)


def listed(files: Sequence[SourceFile], checked: Mapping[str, Checked], uri: str) -> list[dict[str, Any]]:
    """The files as the snapshot names them."""
    rows = {name: count for source in checked.values() for name, count in source.rows.items()}
    return [
        {
            "uri": f"{uri.rstrip('/')}/{file.name}",
            "version_id": file.version_id,
            "sha256": file.sha256,
            "bytes": file.bytes,
            "rows": rows[file.name],
        }
        for file in files
    ]


def drift(checked: Mapping[str, Checked]) -> list[dict[str, Any]]:
    """What the sources' files no longer keep of the contract, as far as the run bears it."""
    found = [finding for source in checked.values() for finding in source.drift]
    for finding in found:
        log.warning("drift: %s: %s", finding["file"], finding["detail"])
    return found


def unseen(model: Model, prepared: Prepared) -> list[dict[str, Any]]:
    """Categories of the test period that no training month had; the model treats them as missing."""
    import polars as pl

    trained = pl.concat([prepared.parts["train"], prepared.parts["validation"]])
    found = []
    for name in (feature.name for feature in model.features if feature.type == "category"):
        counted = (
            part.select(pl.col(name).drop_nulls()).group_by(name).len().collect(engine="streaming")
            for part in (prepared.parts["test"], trained)
        )
        tested, known = (dict(counts.iter_rows()) for counts in counted)
        found += [
            {"kind": "unseen", "column": name, "value": value, "rows": rows, "detail": "not in training"}
            for value, rows in tested.items()
            if value not in known
        ]
    return sorted(found, key=lambda finding: (finding["column"], -finding["rows"], finding["value"]))


def snapshot(
    period: str, files: Sequence[Mapping[str, Any]], prepared: Prepared, checked: Mapping[str, Checked], digest: str
) -> dict[str, Any]:
    """What went in and what became of it; `properties` are strings, the registry's metadata."""
    import polars as pl

    reasons = {f"{name}: {reason}": n for name, source in checked.items() for reason, n in source.reasons.items()}
    quarantined = sum(source.bad.height for source in checked.values())
    days = pl.concat([prepared.parts["train"], prepared.parts["validation"]]).select(
        pl.col(DAY).min().alias("from"), pl.col(DAY).max().alias("to")
    )
    trained = days.collect(engine="streaming").row(0, named=True)
    return {
        "period": period,
        "files": list(files),
        "rows": dict(prepared.rows),
        "excluded": dict(prepared.excluded),
        "quarantined": {"total": quarantined, "by_reason": reasons},
        "unmatched": {name: count for source in checked.values() for name, count in source.unmatched.items()},
        "sha256": digest,
        "properties": {
            "data_sha256": digest,
            "train_from": str(trained["from"]),
            "train_to": str(trained["to"]),
            "rows_excluded": str(sum(prepared.excluded.values())),
            "rows_quarantined": str(quarantined),
            **{f"rows_{name}": str(count) for name, count in prepared.rows.items()},
        },
    }
