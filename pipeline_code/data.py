"""The data contract's engine: reads a source's files, types them and sets aside every row that breaks a rule."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_code import rules
from pipeline_code.contract import DataError
from pipeline_code.corrections import put_in_place, read_corrections
from pipeline_code.reading import FILE, PERIOD, ROW, read_source
from pipeline_code.schema_drift import Findings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pipeline_code.model import Model, Source
    from pipeline_code.periods import SourceFile

REASON = "reason"
SHOWN_REASONS = 5


@dataclass(frozen=True)
class Checked:
    """One source after its checks: typed good rows, original bad rows with reasons, counts for the snapshot."""

    good: pl.DataFrame
    bad: pl.DataFrame
    rows: dict[str, int]
    reasons: dict[str, int]
    unmatched: dict[str, int]
    drift: tuple[dict[str, Any], ...] = ()
    corrected: int = 0


def check(model: Model, files: Sequence[SourceFile], corrections: Sequence[SourceFile] = ()) -> dict[str, Checked]:
    """All sources of a model, references first; raises DataError with the problems of all of them."""
    checked, problems = examine(model, files, corrections)
    if problems:
        raise DataError(f"data of {model.name}", problems)
    return checked


def examine(
    model: Model, files: Sequence[SourceFile], corrections: Sequence[SourceFile] = ()
) -> tuple[dict[str, Checked], list[str]]:
    """What `check` finds, and every problem that stops a run; a source none of whose files can be used is left out."""
    problems: list[str] = []
    checked: dict[str, Checked] = {}
    for source in _references_first(model):
        own = [file for file in files if file.source == source.name]
        mended = [file for file in corrections if file.source == source.name]
        found = Findings()
        made = _examine(source, own, mended, {name: c.good for name, c in checked.items()}, found)
        problems += found.problems
        if made is not None:
            checked[source.name] = made
            problems += _too_many(source, made)
    return checked, problems


def _examine(
    source: Source,
    files: Sequence[SourceFile],
    corrections: Sequence[SourceFile],
    others: Mapping[str, pl.DataFrame],
    findings: Findings,
) -> Checked | None:
    raw = read_source(source, files, findings)
    if raw is None:
        return None
    given = read_corrections(source, corrections, findings.problems)
    corrected = 0
    rows = {str(name): int(count) for name, count in raw.group_by(FILE, maintain_order=True).len().iter_rows()}
    if given is not None:
        raw, corrected = put_in_place(source, raw, given, files, findings.problems)
    return _check(source, raw, others, findings, (rows, corrected, {file.name: file.sha256 for file in files}))


def _references_first(model: Model) -> list[Source]:
    needs = {source.name: [reference.source for reference in source.references] for source in model.sources}
    return [model.source(name) for name in TopologicalSorter(needs).static_order()]


def _check(
    source: Source,
    raw: pl.DataFrame,
    others: Mapping[str, pl.DataFrame],
    findings: Findings,
    counted: tuple[dict[str, int], int, dict[str, str]],
) -> Checked:
    rows, corrected, sums = counted
    names = [column.name for column in source.columns]
    texts = raw.with_columns(pl.when(~pl.col(name).is_in(source.null_values)).then(pl.col(name)) for name in names)
    values = texts.with_columns(rules.typed(column) for column in source.columns)
    broken = rules.broken(source, texts, values, others, findings)
    bad = broken.select(pl.any_horizontal(pl.all())).to_series()
    totals = broken.select(pl.all().sum()).row(0)
    reasons = {reason: count for reason, count in zip(broken.columns, totals, strict=True) if count}
    return Checked(
        good=values.filter(~bad).select(names),
        bad=_with_reasons(raw.filter(bad), broken.filter(bad), sums),
        rows=rows,
        reasons=reasons,
        unmatched=dict(_unmatched(source, values.filter(~bad), others)),
        drift=tuple(findings.drift),
        corrected=corrected,
    )


def _unmatched(source: Source, good: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, int]]:
    for reference in source.references:
        if reference.optional:
            yield (
                f"{source.name}.{reference.column}: not in {reference.source}",
                int(rules.dangling(reference, good, others).sum()),
            )


def _with_reasons(rows: pl.DataFrame, broken: pl.DataFrame, sums: Mapping[str, str]) -> pl.DataFrame:
    """The original rows behind the reasons why each was set aside, its file, the file's sha256, its number there."""
    reasons = pl.concat_str(
        (pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in broken.columns), separator="; ", ignore_nulls=True
    )
    position = (
        pl.col(FILE).alias("file"),
        pl.col(ROW).alias("row"),
        pl.col(FILE).replace_strict(dict(sums), default="", return_dtype=pl.String).alias("sha256"),
    )
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
            new = [d["detail"] for d in checked.drift if d["kind"] == "new category" and d["file"].startswith(period)]
            problems.append(f"{period} {source.name}: {share}: {'; '.join([_top(bad), *new])}")
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
