"""Quarantined rows that a person corrected: they take the place of the rows they name, before any rule is asked.

A correction names its row by file, the file's sha256 and the row number, as the quarantine listed it. What it corrects
is checked anew, so a correction that is wrong ends in quarantine again, and nothing is counted twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.reading import POSITION, ROW, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pipeline_code.model import Source
    from pipeline_code.periods import SourceFile

NAMED_BY = ("file", "row", "sha256")
ACTION, DROP = "action", "drop"
SHOWN = 5


def read_corrections(source: Source, corrections: Sequence[SourceFile], problems: list[str]) -> pl.DataFrame | None:
    """All corrections of a source as text, for a row the last one; None if there is none."""
    frames = []
    for file in corrections:
        frame = read_text(file.path, file.name, problems)
        if frame is None:
            continue
        missing = [name for name in (*NAMED_BY, *(c.name for c in source.columns)) if name not in frame.columns]
        if missing:
            problems.append(f"{file.name}: no column {', '.join(missing)}; keep the columns of the quarantine")
            continue
        frames.append(frame.with_columns(pl.lit(file.name).alias("from")))
    return pl.concat(frames, how="diagonal").unique(NAMED_BY[:2], keep="last", maintain_order=True) if frames else None


def put_in_place(source: Source, raw: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    """A file's rows with corrected ones in their place, and without those that were dropped."""
    columns = [column.name for column in source.columns]
    drop = given[ACTION] == DROP if ACTION in given.columns else pl.repeat(False, given.height, eager=True)
    mended = given.select(
        pl.col("row").cast(pl.Int64).alias(ROW),
        *(pl.col(name).alias(f"{name} corrected") for name in columns),
        pl.lit(True).alias("corrected"),
        drop.fill_null(value=False).alias("dropped"),
    )
    joined = raw.join(mended, on=ROW, how="left", maintain_order="left")
    kept = joined.filter(~pl.col("dropped").fill_null(value=False))
    replaced = [
        pl.when(pl.col("corrected")).then(pl.col(f"{name} corrected")).otherwise(pl.col(name)).alias(name)
        for name in columns
    ]
    others = [name for name in raw.columns if name not in columns and name not in POSITION]
    return kept.select(*replaced, *others, *POSITION)


def mistakes(given: pl.DataFrame, files: Mapping[str, tuple[str, int]]) -> list[str]:
    """Corrections that name no row of these files, or a row of a file that has changed since.

    `files`: sha256 and number of rows by name.
    """
    found = []
    for origin, name, row, sha256 in given.select("from", *NAMED_BY).iter_rows():
        if name not in files:
            found.append(f"{origin}: corrects {name}, which this run does not read; remove the row")
        elif sha256 != files[name][0]:
            found.append(f"{origin}: corrects {name} as it was before; correct the newest quarantine instead")
        elif not str(row).isdigit() or not 1 <= int(row) <= files[name][1]:
            found.append(f"{origin}: corrects row {row} of {name}, which has {files[name][1]:,} rows")
    distinct = list(dict.fromkeys(found))
    more = len(distinct) - SHOWN
    return [*distinct[:SHOWN], *([f"{more} more corrections that fit no row"] if more > 0 else [])]
