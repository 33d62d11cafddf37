"""The rules of a source as (reason, which rows break it), and what a file as a whole breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from pipeline_code.order import repeats
from pipeline_code.reading import FILE, PERIOD, TIMESTAMP
from pipeline_code.schema_drift import FILE_ROWS, Findings, new_categories, retyped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipeline_code.model import Column, Reference, Source

TYPES = {
    "integer": (pl.Int64(), "not a whole number"),
    "number": (pl.Float64(), "not a number"),
    "string": (pl.String(), "not text"),
    "timestamp": (pl.Datetime("us"), "not a UTC time such as 2013-04-01T09:00:00Z"),
}
WRONG_DATE = "not a date of its period"


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


def broken(
    source: Source,
    rows: tuple[pl.DataFrame, pl.DataFrame],
    again: pl.Series | None,
    others: Mapping[str, pl.DataFrame],
    findings: Findings,
) -> pl.DataFrame:
    """A column a rule, true where a row breaks it; what a whole file breaks is a finding and no row's fault.

    `rows` are their texts and their typed values. `again` says of each row whether its key was seen before, in
    whichever file; None if none was.
    """
    texts, values = rows
    rules = dict(_rules(source, texts, values, again, others))
    files = texts[FILE]
    for column in source.columns:
        _file_drift(column, texts, rules, findings)
        if column.categories:
            outside = texts.filter(rules[_not_one_of(column)])
            for (file,), part in outside.group_by(FILE, maintain_order=True):
                new_categories(column.name, str(file), part[column.name], findings)
    if WRONG_DATE in rules:
        _whole_files_of_another_period(files, values, source, rules, findings)
    return pl.DataFrame(rules)


def _file_drift(column: Column, texts: pl.DataFrame, rules: dict[str, pl.Series], findings: Findings) -> None:
    """Take a retyped column of a file out of the rows' faults."""
    words = TYPES[column.type][1]
    rule = f"{column.name}: {words}"
    if rule not in rules or not rules[rule].any():
        return
    rows = pl.DataFrame({FILE: texts[FILE], "text": texts[column.name], "failed": rules[rule]})
    excused = [
        str(file)
        for (file,), part in rows.group_by(FILE, maintain_order=True)
        if retyped(column.name, words, str(file), part, findings)
    ]
    if excused:
        rules[rule] &= ~texts[FILE].is_in(excused)


def _whole_files_of_another_period(
    files: pl.Series, values: pl.DataFrame, source: Source, rules: dict[str, pl.Series], findings: Findings
) -> None:
    """A file all of whose rows are of another period lies in the wrong folder."""
    assert source.date_columns  # noqa: S101 there is a rule for them
    year, month, _ = (pl.col(name) for name in source.date_columns)
    rows = values.select(year.alias("year"), month.alias("month")).with_columns(files, rules[WRONG_DATE].alias("wrong"))
    for (file,), part in rows.group_by(FILE, maintain_order=True):
        if part.height >= FILE_ROWS and part["wrong"].all() and part["year"].count():
            found = part.select(pl.col("year").min(), pl.col("month").min()).row(0)
            dated = f" ({found[0]}-{found[1]:02})" if None not in found else ""
            findings.stop("period", str(file), "", f"every row is of another period{dated}; upload it to its own")
            rules[WRONG_DATE] &= files != str(file)


def seen_before(source: Source, keys: pl.DataFrame) -> pl.Series | None:
    """Of each row whether an earlier one has its key; None if no row has."""
    if not repeats(keys, source.unique):
        return None
    return keys.select(~pl.struct(source.unique).is_first_distinct()).to_series()


def note_repeated(source: Source, keys: pl.DataFrame, again: pl.Series, findings: Findings) -> None:
    """Rows whose key another file had first: which file repeats how many of which."""
    first = keys.with_columns(again.alias("again"), first=pl.col(FILE).first().over(source.unique))
    pairs = first.filter(pl.col("again") & (pl.col("first") != pl.col(FILE))).group_by(FILE, "first").len()
    for file, other, count in pairs.sort(FILE, "first").iter_rows():
        findings.note("repeated", str(file), "", f"{count:,} rows repeat {other}", rows=count)


def _seen_before(source: Source) -> str:
    return f"{' + '.join(source.unique)}: seen before"


def _not_one_of(column: Column) -> str:
    return f"{column.name}: not one of {', '.join(column.categories)}"


def _rules(
    source: Source,
    texts: pl.DataFrame,
    values: pl.DataFrame,
    again: pl.Series | None,
    others: Mapping[str, pl.DataFrame],
) -> Iterator[tuple[str, pl.Series]]:
    for column in source.columns:
        yield from _column_rules(column, texts[column.name], values[column.name])
    if source.date_columns:
        yield WRONG_DATE, _wrong_date(source.date_columns, values)
    nowhere = pl.repeat(False, values.height, eager=True, dtype=pl.Boolean)
    yield _seen_before(source), nowhere if again is None else again
    for reference in source.references:
        if not reference.optional:
            yield f"{reference.column}: not in {reference.source}", dangling(reference, values, others)


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


def _wrong_date(date_columns: tuple[str, str, str], values: pl.DataFrame) -> pl.Series:
    year, month, day = (pl.col(name) for name in date_columns)
    date = (year * 10_000 + month * 100 + day).cast(pl.String).str.to_date("%Y%m%d", strict=False)
    return values.select((date.dt.strftime("%Y-%m") == pl.col(PERIOD)).fill_null(value=False).not_()).to_series()


def dangling(reference: Reference, values: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> pl.Series:
    """Where a reference points nowhere; nowhere if its source could not be read, which is reported already."""
    if reference.source not in others:
        return pl.repeat(False, values.height, eager=True, dtype=pl.Boolean)
    value = values[reference.column]
    return value.is_not_null() & ~value.is_in(others[reference.source][reference.key].implode())
