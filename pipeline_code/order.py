"""Whether rows lie in order already: asked first, since what came in order needs neither sorting nor hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_ONCE = 8_000_000
"""Rows whose keys are compared at a time."""


def in_order(rows: pl.DataFrame, columns: Sequence[str], *, strictly: bool = False) -> bool:
    """Whether no row is before the one above it; `strictly`: nor equal to it, so that no two are alike.

    Rows are compared by the first column, then the next. Where a null would have to be compared, the answer is no.
    """
    *before, last = (pl.col(name) for name in columns)
    follows = last > last.shift() if strictly else last >= last.shift()
    for column in reversed(before):
        follows = (column > column.shift()) | ((column == column.shift()) & follows)
    return bool(rows.select(follows.slice(1).fill_null(value=False).all()).item())


def repeats(rows: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether two rows are alike in these columns. The cheap answers come first."""
    if in_order(rows, columns, strictly=True):
        return False
    key = pl.struct(columns)
    if rows.select(key.hash().n_unique()).item() == rows.height:
        return False
    return bool(rows.select(key.n_unique()).item() < rows.height)  # two hashes may happen to be one


def in_portions(rows: pl.LazyFrame, columns: Sequence[str], at_once: int = AT_ONCE) -> Iterator[pl.LazyFrame]:
    """The rows in portions of about `at_once`, in their order; rows alike in these columns are in the same portion."""
    portions = rows.select(pl.len()).collect(engine="streaming").item() // at_once + 1
    if portions == 1:
        yield rows
        return
    share = pl.struct(columns).hash() % portions
    for portion in range(portions):
        yield rows.filter(share == portion)


def any_repeats(rows: pl.LazyFrame, columns: Sequence[str]) -> bool:
    """As `repeats`, of rows that may not fit into memory."""
    keys = rows.select(columns)
    return any(repeats(portion.collect(engine="streaming"), columns) for portion in in_portions(keys, columns))


def count_repeats(rows: pl.LazyFrame, columns: Sequence[str]) -> int:
    """How many rows are like an earlier one in these columns."""
    portions = in_portions(rows.select(columns), columns)
    alike = pl.len() - pl.struct(columns).n_unique()
    return sum(int(portion.collect(engine="streaming").select(alike).item()) for portion in portions)
