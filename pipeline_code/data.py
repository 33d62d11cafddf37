"""The data contract's engine: reads a source's files, types them and sets aside every row that breaks a rule."""

from __future__ import annotations

from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_code import rules
from pipeline_code.clean import read_clean
from pipeline_code.contract import DataError
from pipeline_code.corrections import put_in_place, read_corrections
from pipeline_code.reading import FILE, PERIOD, ROW, header, read_source
from pipeline_code.schema_drift import Findings, column_drift

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
    """Files without a fault are typed by their reader; the others are read as text, to say what is wrong and where."""
    before = len(findings.problems)
    clean = {} if corrections else _clean(source, files, others, findings)
    raw = read_source(source, [file for file in files if file.name not in clean], findings)
    if len(findings.problems) > before or not files:
        return None
    counts = _counts(files, clean, raw)
    given, corrected = read_corrections(source, corrections, findings.problems), 0
    if given is not None and raw is not None:
        raw, corrected = put_in_place(source, raw, given, files, findings.problems)
    keys = _keys(source, files, clean, raw)
    again = rules.seen_before(source, keys)
    if again is not None:
        # Their rows must be shown as they were written, so these files take the long way, too.
        for name in keys[FILE].filter(again).unique():
            clean.pop(str(name), None)
        if given is None:
            raw = read_source(source, [file for file in files if file.name not in clean], Findings())
        rules.note_repeated(source, keys, again, findings)
        again = again.filter(~keys[FILE].is_in(list(clean)))
    made = _text_rows(source, raw, again, others, findings) if raw is not None else None
    bad = _with_reasons(made, {file.name: file.sha256 for file in files}) if made else _nothing_bad(source)
    good = _good(source, files, clean, made)
    return Checked(
        good=good,
        bad=bad,
        rows=counts,
        reasons=made.reasons if made else {},
        unmatched=dict(_unmatched(source, good, others)),
        drift=tuple(findings.drift),
        corrected=corrected,
    )


@dataclass(frozen=True)
class _TextRows:
    """Rows that came as text: as they came, in their types, and which of them break which rule."""

    raw: pl.DataFrame
    values: pl.DataFrame
    broken: pl.DataFrame

    @property
    def bad(self) -> pl.Series:
        return self.broken.select(pl.any_horizontal(pl.all())).to_series()

    @property
    def reasons(self) -> dict[str, int]:
        totals = self.broken.select(pl.all().sum()).row(0)
        return {reason: count for reason, count in zip(self.broken.columns, totals, strict=True) if count}


def _clean(
    source: Source, files: Sequence[SourceFile], others: Mapping[str, pl.DataFrame], findings: Findings
) -> dict[str, pl.DataFrame]:
    """The files without a fault, by name."""
    found = {file.name: frame for file in files if (frame := read_clean(source, file, others)) is not None}
    for file in files:
        if file.name in found:
            column_drift(source, file.name, header(file), findings)
    return found


def _counts(files: Sequence[SourceFile], clean: Mapping[str, pl.DataFrame], raw: pl.DataFrame | None) -> dict[str, int]:
    """Rows of each file, as it arrived."""
    text = dict(raw.group_by(FILE).len().iter_rows()) if raw is not None else {}
    return {file.name: clean[file.name].height if file.name in clean else text.get(file.name, 0) for file in files}


def _text_and_values(source: Source, raw: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    names = [column.name for column in source.columns]
    texts = raw.with_columns(pl.when(~pl.col(name).is_in(source.null_values)).then(pl.col(name)) for name in names)
    return texts, texts.with_columns(rules.typed(column) for column in source.columns)


def _keys(
    source: Source, files: Sequence[SourceFile], clean: Mapping[str, pl.DataFrame], raw: pl.DataFrame | None
) -> pl.DataFrame:
    """What must be unique, of every row in the order of files and rows, with the row's file."""
    if raw is not None:
        values = _text_and_values(source, raw)[1].select(*source.unique, FILE)
        if not clean:
            return values
        text = {str(name): part for (name,), part in values.partition_by(FILE, as_dict=True).items()}
    else:
        text = {}
    frames = [
        clean[file.name].select(*source.unique, pl.lit(file.name).alias(FILE))
        if file.name in clean
        else text[file.name]
        for file in files
    ]
    return pl.concat(frames)


def _text_rows(
    source: Source,
    raw: pl.DataFrame,
    again: pl.Series | None,
    others: Mapping[str, pl.DataFrame],
    findings: Findings,
) -> _TextRows:
    texts, values = _text_and_values(source, raw)
    return _TextRows(raw, values, rules.broken(source, (texts, values), again, others, findings))


def _good(
    source: Source, files: Sequence[SourceFile], clean: Mapping[str, pl.DataFrame], made: _TextRows | None
) -> pl.DataFrame:
    """The rows that break no rule, in the order of files and rows."""
    names = [column.name for column in source.columns]
    if made is None:
        return pl.concat([clean[file.name] for file in files])
    kept = made.values.filter(~made.bad).select(*names, FILE)
    if not clean:
        return kept.drop(FILE)
    text = {str(name): part.drop(FILE) for (name,), part in kept.partition_by(FILE, as_dict=True).items()}
    frames = [clean[file.name] if file.name in clean else text.get(file.name) for file in files]
    return pl.concat([frame for frame in frames if frame is not None])


def _references_first(model: Model) -> list[Source]:
    needs = {source.name: [reference.source for reference in source.references] for source in model.sources}
    return [model.source(name) for name in TopologicalSorter(needs).static_order()]


def _unmatched(source: Source, good: pl.DataFrame, others: Mapping[str, pl.DataFrame]) -> Iterator[tuple[str, int]]:
    for reference in source.references:
        if reference.optional:
            yield (
                f"{source.name}.{reference.column}: not in {reference.source}",
                int(rules.dangling(reference, good, others).sum()),
            )


def _with_reasons(made: _TextRows, sums: Mapping[str, str]) -> pl.DataFrame:
    """The bad rows as they came, behind why each was set aside, its file, the file's sha256, its number there."""
    broken = made.broken.filter(made.bad)
    reasons = pl.concat_str(
        (pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in broken.columns), separator="; ", ignore_nulls=True
    )
    position = (
        pl.col(FILE).alias("file"),
        pl.col(ROW).alias("row"),
        pl.col(FILE).replace_strict(dict(sums), default="", return_dtype=pl.String).alias("sha256"),
    )
    rows = made.raw.filter(made.bad)
    return rows.select(broken.select(reasons.alias(REASON)).to_series(), *position, pl.exclude(FILE, ROW, PERIOD))


def _nothing_bad(source: Source) -> pl.DataFrame:
    texts = dict.fromkeys((column.name for column in source.columns), pl.String)
    return pl.DataFrame(schema={REASON: pl.String, "file": pl.String, "row": pl.Int64, "sha256": pl.String, **texts})


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
