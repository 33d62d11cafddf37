"""Where a step keeps its tables: in memory as far as that goes, then in files.

What was kept depends on the data alone, not on the machine, so that the same data takes the same way everywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

IN_MEMORY = 3 * 2**29
"""Bytes that are kept in memory; what comes after them goes to files."""


class Shelf:
    """Takes tables and hands each back as a lazy one that can be read any number of times.

    Without a folder everything stays in memory. The folder is its owner's to remove.
    """

    def __init__(self, folder: Path | None = None, in_memory: int = IN_MEMORY) -> None:
        self._folder = folder
        self._room = in_memory
        self._files = 0

    @property
    def overflows(self) -> bool:
        """Whether memory is used up: work must go by pieces from here on."""
        return self._folder is not None and self._room <= 0

    def keep(self, table: pl.DataFrame) -> pl.LazyFrame:
        """A table that is at hand."""
        if self._folder is None:
            return table.lazy()
        if not self.overflows:
            self._room -= int(table.estimated_size())
            return table.lazy()
        file = self._next()
        table.write_parquet(file, compression="lz4")
        return pl.scan_parquet(file)

    def keep_part(self, table: pl.DataFrame) -> pl.LazyFrame:
        """A slice of a table that is at hand: as long as that stays in memory, it takes none of its own."""
        return self.keep(table) if self.overflows else table.lazy()

    def keep_lazy(self, table: pl.LazyFrame) -> pl.LazyFrame:
        """A table that has yet to be made; it is made now, and never whole in memory once that is used up."""
        if not self.overflows:
            return table.collect().lazy()
        file = self._next()
        table.sink_parquet(file, compression="lz4")
        return pl.scan_parquet(file)

    def by_month(self, table: pl.LazyFrame, day: str) -> Iterator[pl.DataFrame]:
        """A kept table in pieces that fit into memory, earlier days first; in one piece if it lies there already."""
        if not self.overflows:
            yield table.collect()
            return
        month = pl.col(day).dt.truncate("1mo")
        for first in table.select(month.unique()).collect(engine="streaming").to_series().drop_nulls().sort():
            yield table.filter(pl.col(day).is_between(first, pl.lit(first).dt.month_end())).collect()

    def _next(self) -> Path:
        assert self._folder is not None  # noqa: S101 nothing overflows without one
        self._files += 1
        return self._folder / f"{self._files}.parquet"
