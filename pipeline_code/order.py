"""Whether rows lie in order already: asked first, since what came in order needs neither sorting nor hashing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Sequence


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
