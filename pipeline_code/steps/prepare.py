"""Prepare: checks what arrived, sets bad rows aside, makes features and splits them by time."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import LISTING, PERIODS, DataError, Job, Step
from pipeline_code.model import DAY, EXCLUDED, LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from pipeline_code.data import Checked
    from pipeline_code.model import Make, Model
    from pipeline_code.periods import SourceFile

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
PART = "part"
"""Column that holds the number of a row's part while rows are put in order."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prepared:
    """The three parts of the dataset, each ordered by the model's key, and how many rows have no label and why."""

    parts: Mapping[str, pl.DataFrame]
    excluded: Mapping[str, int]


def main(job: Job) -> None:
    """Read the periods, write dataset, snapshot and quarantine."""
    from pipeline_code import data, listing, periods
    from pipeline_code.models import load_features, load_model

    model, period = load_model(job.environment.model), job.environment.period
    listing.check(job.read(LISTING), job.read(PERIODS), period)
    arrived = periods.find(job.read(PERIODS), period, model.sources)
    files = arrived.files
    log.info("period %s: %d whole files, %.1f MB", period, len(files), sum(file.bytes for file in files) / 1e6)
    checked = data.check(model, files, arrived.corrections)
    _save_quarantine(checked, job.write("quarantine"))
    prepared = run(model, load_features(model.name), {name: c.good for name, c in checked.items()}, period)
    digest = _save_dataset(prepared, job.write("dataset"))
    described = snapshot(period, listed(files, checked, job.uri(PERIODS)), prepared, checked, digest)
    described["contract"] = {source.name: source.version for source in model.sources}
    described["drift"] = [*drift(checked), *unseen(model, prepared)]
    described["corrected"] = sum(source.corrected for source in checked.values())
    (job.write("snapshot") / "snapshot.json").write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")


def run(model: Model, make: Make, sources: Mapping[str, pl.DataFrame], period: str) -> Prepared:
    """Features and label of every row, split by time: `period` is the test, the last days before it the validation.

    Raises DataError if the features repeat a key, have too many nulls, or leave a part without rows of both labels.
    """
    import polars as pl

    made = pl.DataFrame(make(sources).collect())
    categories = {feature.name for feature in model.features if feature.type == "category"}
    types = {name: pl.String if name in categories else pl.Float64 for name in model.feature_names}
    made = made.with_columns(pl.col(name).cast(dtype) for name, dtype in types.items() if name not in model.key)
    labelled = made.filter(pl.col(EXCLUDED).is_null()) if made[EXCLUDED].count() else made
    rows = labelled.drop(EXCLUDED).with_columns(pl.col(LABEL).cast(pl.Int8))
    parts = _split(rows, model, period)
    problems = [*_problems(model, made), *_one_sided(parts)]
    if problems:
        raise DataError(f"features of {model.name}", problems)
    excluded = made.drop_nulls(EXCLUDED).group_by(EXCLUDED).len().sort(EXCLUDED)
    return Prepared(parts, {str(reason): int(count) for reason, count in excluded.iter_rows()})


def _split(rows: pl.DataFrame, model: Model, period: str) -> dict[str, pl.DataFrame]:
    """The parts as slices of one frame, each in the order of the key; rows that came in order are not sorted again."""
    import polars as pl

    from pipeline_code.order import in_order

    first = pl.date(int(period[:4]), int(period[5:]), 1)
    is_test = pl.col(DAY).is_between(first, first.dt.month_end())
    is_validation = pl.col(DAY) > pl.col(DAY).filter(~is_test).max() - pl.duration(days=model.validation_days)
    part = pl.when(is_test).then(2).when(is_validation).then(1).otherwise(0).cast(pl.Int8).alias(PART)
    rows = rows.with_columns(part)
    order = (PART, *model.key)
    if not in_order(rows, order):
        rows = rows.sort(order)
    counted = dict(rows[PART].value_counts().iter_rows())
    heights = [int(counted.get(number, 0)) for number in range(len(PARTS))]
    starts = [sum(heights[:number]) for number in range(len(PARTS))]
    rows = rows.drop(PART)
    return {name: rows.slice(start, height) for name, start, height in zip(PARTS, starts, heights, strict=True)}


def _problems(model: Model, made: pl.DataFrame) -> list[str]:
    import polars as pl

    from pipeline_code.order import repeats

    problems = []
    if repeats(made, model.key):
        repeated = made.height - made.select(pl.struct(model.key).n_unique()).item()
        problems.append(
            f"{repeated:,} rows repeat the key {' + '.join(model.key)}; a join in features.py multiplies rows"
        )
    shares = made.select(pl.col(model.feature_names).null_count() / max(made.height, 1)).row(0, named=True)
    problems += [
        f"{feature.name}: {shares[feature.name]:.1%} of the rows are null, at most {feature.max_null:.0%} may be; "
        "a join in features.py matches too little, or a source has gaps"
        for feature in model.features
        if shares[feature.name] > feature.max_null
    ]
    return problems


def _one_sided(parts: Mapping[str, pl.DataFrame]) -> list[str]:
    return [
        f"{name}: {frame.height:,} rows with only one kind of label; at least one of each is needed"
        for name, frame in parts.items()
        if frame[LABEL].n_unique() < 2  # noqa: PLR2004  # late and on time
    ]


def _save_dataset(prepared: Prepared, folder: Path) -> str:
    """Write the parts; one digest over all of them. Rows are ordered, so the same data gives the same bytes."""
    digest = hashlib.sha256()
    for name in PARTS:
        file = folder / f"{name}.parquet"
        # It is read whole, and soon: little to gain from packing it small, nothing from statistics.
        prepared.parts[name].write_parquet(file, compression="lz4", statistics=False)
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
        log.info("%s: %d rows", name, prepared.parts[name].height)
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

    categories = [feature.name for feature in model.features if feature.type == "category"]
    known, tested = (
        [prepared.parts[name].select(pl.col(categories).unique().drop_nulls().implode()) for name in names]
        for names in (("train", "validation"), ("test",))
    )
    found = []
    for name in categories:
        new = set(tested[0][name][0]).difference(*(part[name][0] for part in known))
        rows = prepared.parts["test"][name].filter(prepared.parts["test"][name].is_in(list(new))) if new else None
        found += [
            {"kind": "unseen", "column": name, "value": value, "rows": count, "detail": "not in training"}
            for value, count in (rows.value_counts(sort=True).iter_rows() if rows is not None else ())
        ]
    return sorted(found, key=lambda finding: (finding["column"], -finding["rows"], finding["value"]))


def snapshot(
    period: str, files: Sequence[Mapping[str, Any]], prepared: Prepared, checked: Mapping[str, Checked], digest: str
) -> dict[str, Any]:
    """What went in and what became of it; `properties` are strings, the registry's metadata."""
    import polars as pl

    rows = {name: frame.height for name, frame in prepared.parts.items()}
    reasons = {f"{name}: {reason}": n for name, source in checked.items() for reason, n in source.reasons.items()}
    quarantined = sum(source.bad.height for source in checked.values())
    days = pl.concat([prepared.parts["train"][DAY], prepared.parts["validation"][DAY]])
    return {
        "period": period,
        "files": list(files),
        "rows": rows,
        "excluded": dict(prepared.excluded),
        "quarantined": {"total": quarantined, "by_reason": reasons},
        "unmatched": {name: count for source in checked.values() for name, count in source.unmatched.items()},
        "sha256": digest,
        "properties": {
            "data_sha256": digest,
            "train_from": str(days.min()),
            "train_to": str(days.max()),
            "rows_excluded": str(sum(prepared.excluded.values())),
            "rows_quarantined": str(quarantined),
            **{f"rows_{name}": str(count) for name, count in rows.items()},
        },
    }
