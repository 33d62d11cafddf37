"""The rules of a source as (reason, which rows break it), and what a file as a whole breaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.reading import FILE, TIMESTAMP
from pipeline_code.schema_drift import FILE_ROWS, Findings, new_categories, retyped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline_code.model import Column, Reference, Source
    from pipeline_code.periods import SourceFile

TYPES = {
    "integer": (pl.Int64(), "not a whole number"),
    "number": (pl.Float64(), "not a number"),
    "string": (pl.String(), "not text"),
    "timestamp": (pl.Datetime("us"), "not a UTC time such as 2013-04-01T09:00:00Z"),
}
WRONG_DATE = "not a date of its period"
FIRST = "first"
"""Column of the file that had a key first."""


def typed(column: Column) -> pl.Expr:
    """The column's text in its type; null where it does not fit."""
    dtype, _ = TYPES[column.type]
    text = pl.col(column.name)
    if column.type == "timestamp":
        return text.str.to_datetime(TIMESTAMP, time_unit="us", strict=False)
    if column.type == "number":
        number = text.cast(dtype, strict=False)
        return pl.when(number.is_finite()).then(number).alias(column.name)
    if column.type == "integer":
        text = text.str.strip_chars_start(" \t")  # padded, as the reader of clean files takes them, too
    return text.cast(dtype, strict=False)


@dataclass(frozen=True)
class Rows:
    """The rows of a file: their texts, their values in types, and the places, from 0, of keys seen before."""

    file: SourceFile
    texts: pl.DataFrame
    values: pl.DataFrame
    again: pl.Series | None = None


def broken(source: Source, rows: Rows, others: Mapping[str, pl.LazyFrame], findings: Findings) -> pl.DataFrame:
    """A column a rule, true where a row breaks it; what a whole file breaks is a finding and no row's fault."""
    rules = dict(_rules(source, rows, others))
    for column in source.columns:
        _retyped(column, rows, rules, findings)
        if column.categories:
            outside = rows.texts[column.name].filter(rules[_not_one_of(column)])
            new_categories(column.name, rows.file.name, outside, findings)
    if source.date_columns:
        _of_another_period(source.date_columns, rows, rules, findings)
    return pl.DataFrame(rules)


def _retyped(column: Column, rows: Rows, rules: dict[str, pl.Series], findings: Findings) -> None:
    """Take a retyped column of a file out of the rows' faults."""
    words = TYPES[column.type][1]
    rule = f"{column.name}: {words}"
    if rule not in rules or not rules[rule].any():
        return
    values = pl.DataFrame({"text": rows.texts[column.name], "failed": rules[rule]})
    if retyped(column.name, words, rows.file.name, values, findings):
        rules[rule] = _nowhere(rows)


def _of_another_period(
    date_columns: tuple[str, str, str], rows: Rows, rules: dict[str, pl.Series], findings: Findings
) -> None:
    """A file all of whose rows are of another period lies in the wrong folder."""
    if rows.values.height >= FILE_ROWS and rules[WRONG_DATE].all() and rows.values[date_columns[0]].count():
        found = rows.values.select(pl.col(name).min() for name in date_columns[:2]).row(0)
        dated = f" ({found[0]}-{found[1]:02})" if None not in found else ""
        findings.stop("period", rows.file.name, "", f"every row is of another period{dated}; upload it to its own")
        rules[WRONG_DATE] = _nowhere(rows)


def _nowhere(rows: Rows) -> pl.Series:
    return pl.repeat(False, rows.values.height, eager=True, dtype=pl.Boolean)


def repeated(keys: pl.DataFrame, source: Source) -> pl.DataFrame:
    """Of rows with their file, those whose key an earlier one has, with the file of the first of them."""
    first = keys.with_columns(pl.col(FILE).first().over(source.unique).alias(FIRST))
    return first.filter(~pl.struct(source.unique).is_first_distinct()).select(pl.exclude(source.unique))


def note_repeated(again: pl.DataFrame, findings: Findings) -> None:
    """Rows whose key another file had first: which file repeats how many of which."""
    pairs = again.filter(pl.col(FIRST) != pl.col(FILE)).group_by(FILE, FIRST).len()
    for file, other, count in pairs.sort(FILE, FIRST).iter_rows():
        findings.note("repeated", str(file), "", f"{count:,} rows repeat {other}", rows=count)


def _seen_before(source: Source) -> str:
    return f"{' + '.join(source.unique)}: seen before"


def _not_one_of(column: Column) -> str:
    return f"{column.name}: not one of {', '.join(column.categories)}"


def _rules(source: Source, rows: Rows, others: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[str, pl.Series]]:
    for column in source.columns:
        yield from _column_rules(column, rows.texts[column.name], rows.values[column.name])
    if source.date_columns:
        yield WRONG_DATE, _wrong_date(source.date_columns, rows)
    yield (
        _seen_before(source),
        _nowhere(rows) if rows.again is None else _nowhere(rows).scatter(rows.again, values=True),
    )
    for reference in source.references:
        if not reference.optional and reference.source in others:
            nowhere = rows.values.select(dangling(reference, others)).to_series()
            yield f"{reference.column}: not in {reference.source}", nowhere


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
        yield _not_one_of(column), ~(value.is_null() | value.is_in(column.categories))


def _wrong_date(date_columns: tuple[str, str, str], rows: Rows) -> pl.Series:
    year, month, day = (pl.col(name) for name in date_columns)
    date = (year * 10_000 + month * 100 + day).cast(pl.String).str.to_date("%Y%m%d", strict=False)
    of_period = date.dt.strftime("%Y-%m") == rows.file.period
    return rows.values.select(of_period.fill_null(value=False).not_()).to_series()


def dangling(reference: Reference, others: Mapping[str, pl.LazyFrame]) -> pl.Expr:
    """Where a reference points nowhere."""
    value = pl.col(reference.column)
    return value.is_not_null() & ~value.is_in(known(reference, others).implode())


def known(reference: Reference, others: Mapping[str, pl.LazyFrame]) -> pl.Series:
    """The keys a reference may point to."""
    return others[reference.source].select(reference.key).collect().to_series()
