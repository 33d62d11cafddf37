"""The data contract's engine: reads a source's files, types them and sets aside every row that breaks a rule."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.contract import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline_code.model import Column, Model, Reference, Source
    from pipeline_code.periods import SourceFile

TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
FILE, ROW, PERIOD, REASON = "_file", "_row", "_period", "reason"
TYPES = {
    "integer": (pl.Int64(), "not a whole number"),
    "number": (pl.Float64(), "not a number"),
    "string": (pl.String(), "not text"),
    "timestamp": (pl.Datetime("us"), "not a UTC time such as 2013-04-01T09:00:00Z"),
}
SHOWN_REASONS = 5


@dataclass(frozen=True)
class Checked:
    """One source after its checks: typed good rows, original bad rows with reasons, counts for the snapshot."""

    good: pl.DataFrame
    bad: pl.DataFrame
    rows: dict[str, int]
    reasons: dict[str, int]
    unmatched: dict[str, int]


def check(model: Model, files: Sequence[SourceFile]) -> dict[str, Checked]:
    """All sources of a model, references first; raises DataError with the problems of all of them."""
    problems: list[str] = []
    checked: dict[str, Checked] = {}
    for source in _references_first(model):
        own = [file for file in files if file.source == source.name]
        raw = _read(source, own, problems)
        if raw is None:
            continue
        checked[source.name] = _check(source, raw, {name: c.good for name, c in checked.items()})
        problems += _too_many(source, checked[source.name])
    if problems:
        raise DataError(f"data of {model.name}", problems)
    return checked


def _references_first(model: Model) -> list[Source]:
    needs = {source.name: [reference.source for reference in source.references] for source in model.sources}
    return [model.source(name) for name in TopologicalSorter(needs).static_order()]


def _read(source: Source, files: Sequence[SourceFile], problems: list[str]) -> pl.DataFrame | None:
    """All files of a source as text, with file, row number (from 1) and period; None if one cannot be used."""
    before = len(problems)
    frames = []
    for file in files:
        try:
            frame = _as_text(pl.read_parquet(file.path)) if file.path.suffix == ".parquet" else _csv(file)
        except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
            problems.append(f"{file.name}: cannot be read: {str(error).splitlines()[0]}")
            continue
        missing = [column.name for column in source.columns if column.name not in frame.columns]
        if missing:
            problems.append(f"{file.name}: no column {', '.join(missing)}; it has {', '.join(frame.columns) or 'none'}")
        elif frame.is_empty():
            problems.append(f"{file.name}: no rows; upload the whole file")
        frames.append(
            frame.with_columns(
                pl.lit(file.name).alias(FILE),
                pl.int_range(1, pl.len() + 1).alias(ROW),
                pl.lit(file.period).alias(PERIOD),
            )
        )
    return pl.concat(frames, how="diagonal") if len(problems) == before and frames else None


def _csv(file: SourceFile) -> pl.DataFrame:
    return pl.read_csv(file.path, infer_schema=False, raise_if_empty=False)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A typed file as text, so that CSV and Parquet pass the same rules; whole floats are written as integers."""
    columns = []
    for name, dtype in frame.schema.items():
        column, text = pl.col(name), pl.col(name).cast(pl.String, strict=False)
        if dtype.is_float():
            text = (
                pl.when(column == column.floor())
                .then(column.cast(pl.Int64, strict=False).cast(pl.String))
                .otherwise(text)
            )
            text = pl.when(column.is_not_nan()).then(text)
        elif isinstance(dtype, pl.Datetime):
            utc = column.dt.convert_time_zone("UTC") if dtype.time_zone else column
            text = utc.dt.strftime(TIMESTAMP)
        columns.append(text.alias(name))
    return frame.select(columns)


def _check(source: Source, raw: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> Checked:
    names = [column.name for column in source.columns]
    texts = raw.with_columns(pl.when(~pl.col(name).is_in(source.null_values)).then(pl.col(name)) for name in names)
    typed = texts.with_columns(_typed(column) for column in source.columns)
    rules = dict(_rules(source, texts, typed, others))
    broken = pl.DataFrame(rules)
    bad = broken.select(pl.any_horizontal(pl.all())).to_series()
    reasons = {
        reason: count for reason, count in zip(rules, broken.select(pl.all().sum()).row(0), strict=True) if count
    }
    return Checked(
        good=typed.filter(~bad).select(names),
        bad=_with_reasons(raw.filter(bad), broken.filter(bad)),
        rows={str(name): int(rows) for name, rows in raw.group_by(FILE, maintain_order=True).len().iter_rows()},
        reasons=reasons,
        unmatched=dict(_unmatched(source, typed.filter(~bad), others)),
    )


def _typed(column: Column) -> pl.Expr:
    dtype, _ = TYPES[column.type]
    text = pl.col(column.name)
    if column.type == "timestamp":
        return text.str.to_datetime(TIMESTAMP, time_unit="us", strict=False)
    if column.type == "number":
        number = text.cast(dtype, strict=False)
        return pl.when(number.is_finite()).then(number).alias(column.name)
    return text.cast(dtype, strict=False)


def _rules(
    source: Source, texts: pl.DataFrame, typed: pl.DataFrame, others: Mapping[str, pl.DataFrame]
) -> Iterator[tuple[str, pl.Series]]:
    """Every rule of a source as (reason, which rows break it)."""
    for column in source.columns:
        yield from _column_rules(column, texts[column.name], typed[column.name])
    if source.date_columns:
        yield "not a date of its period", _wrong_date(source.date_columns, typed)
    key = pl.struct(source.unique)
    yield f"{' + '.join(source.unique)}: seen before", typed.select(~key.is_first_distinct()).to_series()
    for reference in source.references:
        if not reference.optional:
            yield f"{reference.column}: not in {reference.source}", _dangling(reference, typed, others)


def _column_rules(column: Column, text: pl.Series, value: pl.Series) -> Iterator[tuple[str, pl.Series]]:
    name = column.name
    if not column.nullable:
        yield f"{name}: empty", text.is_null()
    if column.type != "string":
        yield f"{name}: {TYPES[column.type][1]}", text.is_not_null() & value.is_null()
    if column.minimum is not None:
        yield f"{name}: below {column.minimum:g}", (value < column.minimum).fill_null(value=False)
    if column.maximum is not None:
        yield f"{name}: above {column.maximum:g}", (value > column.maximum).fill_null(value=False)
    if column.categories:
        known = value.is_null() | value.is_in(column.categories)
        yield f"{name}: not one of {', '.join(column.categories)}", ~known


def _wrong_date(date_columns: tuple[str, str, str], typed: pl.DataFrame) -> pl.Series:
    year, month, day = (pl.col(name) for name in date_columns)
    date = (year * 10_000 + month * 100 + day).cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return typed.select((date.dt.strftime("%Y-%m") == pl.col(PERIOD)).fill_null(value=False).not_()).to_series()


def _dangling(reference: Reference, typed: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> pl.Series:
    if reference.source not in others:  # it could not be read, which is reported already
        return pl.repeat(False, typed.height, eager=True, dtype=pl.Boolean)
    value = typed[reference.column]
    return value.is_not_null() & ~value.is_in(others[reference.source][reference.key].implode())


def _unmatched(source: Source, good: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, int]]:
    for reference in source.references:
        if reference.optional:
            yield (
                f"{source.name}.{reference.column}: not in {reference.source}",
                int(_dangling(reference, good, others).sum()),
            )


def _with_reasons(rows: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
    """The original rows behind the reasons why each was set aside, its file and its number there."""
    reasons = pl.concat_str(
        (pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in broken.columns), separator="; ", ignore_nulls=True
    )
    position = pl.col(FILE).alias("file"), pl.col(ROW).alias("row")
    return rows.select(broken.select(reasons.alias(REASON)).to_series(), *position, pl.exclude(FILE, ROW, PERIOD))


def _too_many(source: Source, checked: Checked) -> list[str]:
    """Periods whose share of bad rows is above the source's limit, with reasons and the first example of each."""
    total: dict[str, int] = {}
    for file, rows in checked.rows.items():
        period = file.split("/")[0]
        total[period] = total.get(period, 0) + rows
    problems = []
    for period, rows in total.items():
        bad = checked.bad.filter(pl.col("file").str.starts_with(f"{period}/"))
        if bad.height > source.max_quarantined * rows:
            share = f"{bad.height:,} of {rows:,} rows are bad, at most {source.max_quarantined:.0%} may be"
            problems.append(f"{period} {source.name}: {share}: {_top(bad)}")
    return problems


def _top(bad: pl.DataFrame) -> str:
    single = bad.with_columns(pl.col(REASON).str.split("; ")).explode(REASON)
    counts = (
        single.group_by(REASON).agg(pl.len(), pl.first("file", "row")).sort("len", REASON, descending=[True, False])
    )
    shown = [
        f"{reason} ({n:,}, first in {file} row {row})"
        for reason, n, file, row in counts.head(SHOWN_REASONS).iter_rows()
    ]
    more = counts.height - len(shown)
    return "; ".join([*shown, f"{more} more reasons"] if more > 0 else shown)
