"""Reads a source's files as text, so that CSV and Parquet pass the same rules, and puts corrections in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.schema_drift import column_drift

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline_code.model import Source
    from pipeline_code.periods import SourceFile
    from pipeline_code.schema_drift import Findings

TIMESTAMP = "%Y-%m-%dT%H:%M:%SZ"
FILE, ROW = "_file", "_row"
POSITION = (FILE, ROW)


def header(file: SourceFile) -> list[str]:
    """The names of a file's columns."""
    if file.path.suffix == ".parquet":
        return list(pl.read_parquet_schema(file.path))
    return pl.scan_csv(file.path, infer_schema=False).collect_schema().names()


def read_file(source: Source, file: SourceFile, findings: Findings) -> pl.DataFrame | None:
    """All rows of a file as text, with file and row number (from 1); None if it cannot be used."""
    before = len(findings.problems)
    frame = read_text(file.path, file.name, findings.problems)
    if frame is None:
        return None
    column_drift(source, file.name, frame.columns, findings)
    if frame.columns and frame.is_empty():
        findings.problems.append(f"{file.name}: no rows; upload the whole file")
    if len(findings.problems) > before:
        return None
    return frame.with_columns(pl.lit(file.name).alias(FILE), pl.int_range(1, pl.len() + 1).alias(ROW))


def read_text(path: Path, name: str, problems: list[str]) -> pl.DataFrame | None:
    """A CSV or Parquet file with every value as text; notes why one cannot be read."""
    try:
        return _as_text(pl.read_parquet(path)) if path.suffix == ".parquet" else _csv(path)
    except (pl.exceptions.PolarsError, OSError, UnicodeDecodeError) as error:
        problems.append(f"{name}: cannot be read: {str(error).splitlines()[0]}")
        return None


def _csv(path: Path) -> pl.DataFrame:
    return pl.read_csv(path, infer_schema=False, raise_if_empty=False)


def _as_text(frame: pl.DataFrame) -> pl.DataFrame:
    """A typed file as text; whole floats are written as integers."""
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
