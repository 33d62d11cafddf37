"""The data contract's engine: reads a source's files, types them and sets aside every row that breaks a rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

import polars as pl

from pipeline_code import rules
from pipeline_code.clean import read_clean
from pipeline_code.contract import DataError
from pipeline_code.corrections import mistakes, put_in_place, read_corrections
from pipeline_code.order import any_repeats, in_portions
from pipeline_code.reading import FILE, POSITION, ROW, header, read_file
from pipeline_code.schema_drift import Findings, column_drift
from pipeline_code.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from pipeline_code.model import Model, Source
    from pipeline_code.periods import SourceFile

REASON = "reason"
SHOWN_REASONS = 5
PLACE = "place"
"""Column of a row's place in its file as it is checked, from 0."""


@dataclass(frozen=True)
class Checked:
    """One source after its checks: typed good rows, original bad rows with reasons, counts for the snapshot."""

    good: pl.LazyFrame
    bad: pl.DataFrame
    rows: dict[str, int]
    reasons: dict[str, int]
    unmatched: dict[str, int]
    drift: tuple[dict[str, Any], ...] = ()
    corrected: int = 0


def check(
    model: Model, files: Sequence[SourceFile], corrections: Sequence[SourceFile] = (), shelf: Shelf | None = None
) -> dict[str, Checked]:
    """All sources of a model, references first; raises DataError with the problems of all of them."""
    checked, problems = examine(model, files, corrections, shelf)
    if problems:
        raise DataError(f"data of {model.name}", problems)
    return checked


def examine(
    model: Model, files: Sequence[SourceFile], corrections: Sequence[SourceFile] = (), shelf: Shelf | None = None
) -> tuple[dict[str, Checked], list[str]]:
    """What `check` finds, and every problem that stops a run; a source none of whose files can be used is left out.

    Files are read one at a time; the shelf decides how much of them stays in memory.
    """
    problems: list[str] = []
    checked: dict[str, Checked] = {}
    for source in _references_first(model):
        own = [file for file in files if file.source == source.name]
        mended = [file for file in corrections if file.source == source.name]
        one = _Examination(source, {name: c.good for name, c in checked.items()}, shelf or Shelf())
        made = one.run(own, mended)
        problems += one.findings.problems
        if made is not None:
            checked[source.name] = made
            problems += _too_many(source, made)
    return checked, problems


class _Examination:
    """One source's files, one after the other; what is found beside bad rows goes to `findings`."""

    def __init__(self, source: Source, others: Mapping[str, pl.LazyFrame], shelf: Shelf) -> None:
        self.source = source
        self.others = others
        self.shelf = shelf
        self.findings = Findings()

    def run(self, files: Sequence[SourceFile], corrections: Sequence[SourceFile]) -> Checked | None:
        """Files without a fault are typed by their reader; others are read as text, to say what is wrong and where."""
        given = read_corrections(self.source, corrections, self.findings.problems)
        named = set(given["file"]) if given is not None else set()
        read = [one for file in files if (one := self._read(file, corrected=file.name in named))]
        if self.findings.problems or not files:
            return None
        counts = {one.file.name: one.rows for one in read}
        corrected = 0
        if given is not None:
            read, corrected = self._correct(read, given)
        again = self._seen_before(read)
        judged = [self._judge(one, again.get(one.file.name)) for one in read]
        good = pl.concat([rows for rows, _ in judged])
        broken = [bad for _, bad in judged if bad is not None]
        return Checked(
            good=good,
            bad=pl.concat([_nothing_bad(self.source), *(bad.rows for bad in broken)], how="diagonal"),
            rows=counts,
            reasons=_added(bad.reasons for bad in broken),
            unmatched=dict(_unmatched(self.source, good, self.others)),
            drift=tuple(self.findings.drift),
            corrected=corrected,
        )

    def _read(self, file: SourceFile, *, corrected: bool) -> _Read | None:
        """A file the short way, if it can go it, else the long one; None if it cannot be used."""
        clean = None if corrected else read_clean(self.source, file, self.others)
        if clean is not None:
            column_drift(self.source, file.name, header(file), self.findings)
            return _Read(file, self.shelf.keep(clean), clean.height)
        texts = read_file(self.source, file, self.findings)
        return self._as_text(file, texts) if texts is not None else None

    def _as_text(self, file: SourceFile, texts: pl.DataFrame) -> _Read:
        values = _typed(self.source, texts)[1]
        return _Read(file, self.shelf.keep(values), texts.height, self.shelf.keep(texts))

    def _correct(self, read: Sequence[_Read], given: pl.DataFrame) -> tuple[list[_Read], int]:
        """The files with corrected rows in their place, and how many rows were corrected or dropped."""
        mistaken = mistakes(given, {one.file.name: (one.file.sha256, one.rows) for one in read})
        self.findings.problems += mistaken
        if mistaken:
            return list(read), 0
        mended = []
        for one in read:
            own = given.filter(pl.col("file") == one.file.name)
            if own.height and one.texts is not None:
                texts = put_in_place(self.source, one.texts.collect(), own)
                mended.append(self._as_text(one.file, texts))
            else:
                mended.append(one)
        return mended, given.height

    def _seen_before(self, read: Sequence[_Read]) -> dict[str, pl.Series]:
        """The places, by file, of the rows whose key an earlier row has, in whichever file."""
        unique = self.source.unique
        if not any_repeats(pl.concat([one.values for one in read]), unique):
            return {}
        placed = [
            one.values.select(*unique, pl.lit(one.file.name).alias(FILE), pl.int_range(pl.len()).alias(PLACE))
            for one in read
        ]
        portions = in_portions(pl.concat(placed), unique)
        again = pl.concat([rules.repeated(keys.collect(engine="streaming"), self.source) for keys in portions])
        rules.note_repeated(again, self.findings)
        return {str(name): rows[PLACE] for (name,), rows in again.partition_by(FILE, as_dict=True).items()}

    def _judge(self, one: _Read, again: pl.Series | None) -> tuple[pl.LazyFrame, _Bad | None]:
        """The good rows of a file, and the bad ones if there may be any."""
        texts = one.texts.collect() if one.texts is not None else None
        if texts is None:
            if again is None:
                return one.values, None
            # Their rows must be shown as they were written, so this file takes the long way, too.
            texts = read_file(self.source, one.file, Findings())
            assert texts is not None  # noqa: S101 it was read before
        rows = rules.Rows(one.file, *_typed(self.source, texts), again)
        broken = rules.broken(self.source, rows, self.others, self.findings)
        is_bad = broken.select(pl.any_horizontal(pl.all())).to_series()
        totals = dict(zip(broken.columns, broken.select(pl.all().sum()).row(0), strict=True))
        bad = _Bad(_with_reasons(texts.filter(is_bad), broken.filter(is_bad), one.file), totals)
        return self.shelf.keep(rows.values.filter(~is_bad)), bad


@dataclass(frozen=True)
class _Read:
    """A file after it was read: its rows in their types and, if a row of it may be bad, as they came."""

    file: SourceFile
    values: pl.LazyFrame
    rows: int
    texts: pl.LazyFrame | None = None


@dataclass(frozen=True)
class _Bad:
    """The bad rows of a file, as they came and why, and how many there are of each reason."""

    rows: pl.DataFrame
    reasons: dict[str, int]


def _typed(source: Source, texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The texts with a null wherever the source spells one, and their values; in both, the source's columns."""
    columns = [pl.col(column.name) for column in source.columns]
    texts = texts.select(pl.when(~column.is_in(source.null_values)).then(column) for column in columns)
    return texts, texts.select(rules.typed(column) for column in source.columns)


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for count in counts:
        total.update(count)
    return {reason: count for reason, count in total.items() if count}


def _references_first(model: Model) -> list[Source]:
    needs = {source.name: [reference.source for reference in source.references] for source in model.sources}
    return [model.source(name) for name in TopologicalSorter(needs).static_order()]


def _unmatched(source: Source, good: pl.LazyFrame, others: Mapping[str, pl.LazyFrame]) -> Iterator[tuple[str, int]]:
    for reference in source.references:
        if reference.optional and reference.source in others:
            nowhere = good.select(rules.dangling(reference, others).sum()).collect(engine="streaming")
            yield f"{source.name}.{reference.column}: not in {reference.source}", int(nowhere.item())


def _with_reasons(rows: pl.DataFrame, broken: pl.DataFrame, file: SourceFile) -> pl.DataFrame:
    """Bad rows as they came, behind why each was set aside, its file, the file's sha256, its number there."""
    reasons = pl.concat_str(
        (pl.when(pl.col(reason)).then(pl.lit(reason)) for reason in broken.columns), separator="; ", ignore_nulls=True
    )
    position = (
        pl.col(FILE).alias("file"),
        pl.col(ROW).alias("row"),
        pl.lit(file.sha256).alias("sha256"),
    )
    return rows.select(broken.select(reasons.alias(REASON)).to_series(), *position, pl.exclude(POSITION))


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
