"""Rows in order, rows alike: the quick answers are the slow ones'."""

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_code.order import any_repeats, count_repeats, in_order, in_portions, repeats

PAIRS = st.lists(st.tuples(st.integers(0, 3) | st.none(), st.sampled_from(["a", "b", "c", ""]) | st.none()), max_size=8)


def frame(rows: list[tuple[int | None, str | None]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema={"first": pl.Int64, "second": pl.String}, orient="row")


@given(PAIRS)
def test_what_is_called_in_order_is_as_sorted(rows: list[tuple[int | None, str | None]]) -> None:
    found = in_order(frame(rows), ("first", "second"))

    if not any(None in row for row in rows):
        assert found == (rows == sorted(rows))
    elif found:  # no null had to be compared, so it does not matter where nulls lie
        for nulls in (False, True):
            assert rows == sorted(rows, key=lambda row: [((value is None) is nulls, value or 0) for value in row[:1]])


def test_a_null_that_decides_is_no_order() -> None:
    assert not in_order(frame([(1, "a"), (None, "b")]), ("first", "second"))
    assert not in_order(frame([(1, "a"), (1, None)]), ("first", "second"))
    assert in_order(frame([(1, None), (2, None)]), ("first", "second"), strictly=True)


@given(PAIRS)
def test_repeats_are_found_in_any_order(rows: list[tuple[int | None, str | None]]) -> None:
    assert repeats(frame(rows), ("first", "second")) == (len(set(rows)) < len(rows))


@pytest.mark.parametrize(
    ("values", "found"), [([1, 2, 3], False), ([1, 1, 2], True), ([3, 1, 2], False), ([2, 1, 2], True)]
)
def test_one_column_is_enough(values: list[int], found: bool) -> None:
    assert repeats(pl.DataFrame({"id": values}), ("id",)) == found


@given(PAIRS, st.integers(1, 4))
def test_rows_alike_are_in_the_same_portion_and_stay_in_order(
    rows: list[tuple[int | None, str | None]], n: int
) -> None:
    columns = ("first", "second")
    table = frame(rows).with_row_index("place")
    portions = [portion.collect() for portion in in_portions(table.lazy(), columns, at_once=n)]

    assert sorted(place for portion in portions for place in portion["place"]) == list(range(len(rows)))
    assert all(portion["place"].is_sorted() for portion in portions)
    assert sum(portion.select(columns).n_unique() for portion in portions) == len(set(rows))
    assert count_repeats(table.lazy(), columns) == len(rows) - len(set(rows))
    assert any_repeats(table.lazy(), columns) == (len(set(rows)) < len(rows))
