"""The short way: a file in which every value is right is typed by its reader, and never held as text.

A file with anything in it that might be wrong takes the long way (data.py), which says what and where. Both ways must
come to the same rows; tests/pipeline_code/test_clean.py asks them to, on whatever can stand in a file.
"""

from __future__ import annotations

import calendar
from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.reading import TIMESTAMP
from pipeline_code.rules import known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline_code.model import Column, Source
    from pipeline_code.periods import SourceFile

READ_AS = {"integer": pl.Int64(), "number": pl.Float64(), "string": pl.String(), "timestamp": pl.String()}
TIME = pl.Datetime("us")


def read_clean(source: Source, file: SourceFile, others: Mapping[str, pl.LazyFrame]) -> pl.DataFrame | None:
    """The file's rows in their types, if no row of it breaks a rule that one file can tell; otherwise None."""
    try:
        frame = _parquet(source, file) if file.path.suffix == ".parquet" else _csv(source, file)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError):
        return None
    if frame is None or frame.is_empty() or _doubtful(source, frame, file.period, others):
        return None
    return frame.select(column.name for column in source.columns)


def _csv(source: Source, file: SourceFile) -> pl.DataFrame:
    types = {column.name: READ_AS[column.type] for column in source.columns}
    frame = pl.read_csv(
        file.path, columns=list(types), schema_overrides=types, null_values=list(source.null_values)
    ).select(list(types))
    times = [column for column in source.columns if column.type == "timestamp"]
    return frame.with_columns(
        *(pl.col(column.name).alias(_spelt(column)) for column in times),
        *(pl.col(column.name).str.to_datetime(TIMESTAMP, time_unit="us", strict=False) for column in times),
    )


def _parquet(source: Source, file: SourceFile) -> pl.DataFrame | None:
    found = pl.read_parquet_schema(file.path)
    if not all(column.name in found and _fits(column, found[column.name]) for column in source.columns):
        return None
    frame = pl.read_parquet(file.path, columns=[column.name for column in source.columns])
    return frame.select(
        *(_typed(column, found[column.name]) for column in source.columns),
        *(pl.col(c.name).alias(_spelt(c)) for c in source.columns if c.type == "timestamp"),
    )


def _fits(column: Column, dtype: pl.DataType) -> bool:
    if column.type == "string":
        return dtype == pl.String()
    if column.type == "timestamp":
        return isinstance(dtype, pl.Datetime)
    return dtype.is_integer() or (column.type == "number" and dtype.is_float())


def _typed(column: Column, dtype: pl.DataType) -> pl.Expr:
    value = pl.col(column.name)
    if isinstance(dtype, pl.Datetime):
        # The long way spells times to the second, in UTC.
        utc = value.dt.convert_time_zone("UTC").dt.replace_time_zone(None) if dtype.time_zone else value
        return utc.dt.truncate("1s").cast(TIME)
    return value.cast(READ_AS[column.type])


def _doubtful(source: Source, frame: pl.DataFrame, period: str, others: Mapping[str, pl.LazyFrame]) -> bool:
    """Whether some row may break a rule; asked of all columns at once, so that they are looked at in parallel."""
    asked = [doubt.fill_null(value=False) for column in source.columns for doubt in _column(column, source.null_values)]
    if source.date_columns:
        year, month = int(period[:4]), int(period[5:])
        allowed = ((year, year), (month, month), (1, calendar.monthrange(year, month)[1]))
        for name, (least, most) in zip(source.date_columns, allowed, strict=True):
            asked += [pl.col(name).null_count() > 0, pl.col(name).min() < least, pl.col(name).max() > most]
    for reference in source.references:
        if not reference.optional and reference.source in others:
            keys = known(reference, others).implode()
            asked.append(~pl.col(reference.column).drop_nulls().unique().is_in(keys).all())
    return bool(frame.select(pl.any_horizontal(asked)).item())


def _column(column: Column, null_values: tuple[str, ...]) -> Iterator[pl.Expr]:
    values = pl.col(column.name)
    if not column.nullable:
        yield values.null_count() > 0
    if column.type == "timestamp":
        yield values.null_count() > pl.col(_spelt(column)).null_count()
    if column.type == "number":
        yield ~values.is_finite().all()
    if column.minimum is not None:
        yield values.min() < column.minimum
    if column.maximum is not None:
        yield values.max() > column.maximum
    if column.categories:
        yield ~values.unique().is_in(column.categories).all()
    elif column.type == "string":
        yield values.is_in(null_values).any()


def _spelt(column: Column) -> str:
    """Where the text of a time is kept until it is known that all of it could be read."""
    return f"{column.name} spelt"
