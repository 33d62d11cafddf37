"""What a shelf keeps can be read as often as needed, wherever it lies."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import polars as pl
import pytest

from pipeline_code.shelf import Shelf

if TYPE_CHECKING:
    from pathlib import Path

TABLE = pl.DataFrame({"day": [dt.date(2013, month, 5) for month in (3, 1, 2, 1)], "value": [1, 2, 3, 4]})


@pytest.mark.parametrize("in_memory", [0, 1, 10**9])
def test_what_was_kept_is_there_as_often_as_it_is_asked_for(tmp_path: Path, in_memory: int) -> None:
    shelf = Shelf(tmp_path, in_memory)

    kept = [shelf.keep(TABLE), shelf.keep(TABLE), shelf.keep_part(TABLE), shelf.keep_lazy(TABLE.lazy())]

    assert all(table.collect().equals(TABLE) for table in kept * 2)
    assert len(list(tmp_path.iterdir())) == {0: 4, 1: 3, 10**9: 0}[in_memory]


def test_a_table_beyond_memory_comes_by_months_earliest_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, 0)

    pieces = list(shelf.by_month(shelf.keep(TABLE), "day"))

    assert [piece["value"].to_list() for piece in pieces] == [[2, 4], [3], [1]]


def test_a_table_in_memory_comes_in_one_piece(tmp_path: Path) -> None:
    for shelf in (Shelf(), Shelf(tmp_path)):
        assert [piece.equals(TABLE) for piece in shelf.by_month(shelf.keep(TABLE), "day")] == [True]
