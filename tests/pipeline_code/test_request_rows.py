"""Bodies to rows: the quick ways read as the careful one does, and what is large or wrong takes little memory."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from real_server import root, rows

from pipeline_code.inference import Handler
from pipeline_code.request_problems import RequestError
from pipeline_code.request_rows import CSV, JSON, JSON_LINES, MANY, MOST_ROWS, Rows
from pipeline_code.served import Served

__all__ = ["root", "rows"]  # fixtures


@pytest.fixture(scope="module")
def served(root: Path) -> Served:
    return Served(root / "model")


@pytest.fixture(scope="module")
def reader(served: Served) -> Rows:
    return Rows(served.encoding)


@pytest.fixture(scope="module")
def lines(rows: pl.DataFrame) -> list[str]:
    return rows.write_csv(include_header=False).splitlines()


CELLS = st.one_of(
    st.floats().map(repr),
    st.integers().map(str),
    st.sampled_from(
        ["", " ", "NA", " NA", "-0", "00", "+1", "1.", ".5", "1e3", "1E+3", "0x10", "1e39", "3.4028234e38"]
    ),
    st.sampled_from(
        ["-3.5e38", "1e400", "9" * 400, "nan", "Infinity", "true", "false", "null", "[1]", "[", "]", "[1", "1]"]
    ),
    st.sampled_from(
        ["{}", "{", "}", "\u0661", "\u00a01", "1 ", "\t1", "UA", "EWR", "IAH", "dow", "dest", "18446744073709551616"]
    ),
    st.text(alphabet="0123456789.eE+-[]{}:nul tf", max_size=6),
)
WIDTH = st.sampled_from([19, 19, 19, 19, 18])
EXTRA = st.sampled_from([[], [], [], [], [""], ["1"]])


def spelt_out(row: Sequence[float]) -> list[str]:
    """NaN equals itself here; 0 is 0 with either sign."""
    return [repr(number + 0.0) for number in row]


def told(read: Callable[[], Sequence[Sequence[float]]]) -> Any:
    """The rows read, or what was said instead."""
    try:
        return [spelt_out(row) for row in read()]
    except RequestError as error:
        return error.message, error.problems


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_the_quick_way_reads_as_the_careful_one(reader: Rows, lines: list[str], data: st.DataObject) -> None:
    """Real rows with a few cells changed, one too few or too many: the same numbers, or the same words."""
    sent = []
    for line in data.draw(st.lists(st.sampled_from(lines), min_size=1, max_size=3)):
        cells = line.split(",")
        for place, cell in data.draw(st.dictionaries(st.integers(0, 18), CELLS, max_size=4)).items():
            cells[place] = cell
        sent.append(",".join(cells[: data.draw(WIDTH)] + data.draw(EXTRA)))
    text = "\n".join(sent)

    assert told(lambda: reader.parse(text.encode(), CSV)) == told(lambda: list(reader._careful_csv(text)))
    for line in filter(None, sent):
        with suppress(ValueError, TypeError, IndexError):
            assert spelt_out(reader._cells._quick(line)) == spelt_out(reader._cells._exact(line))


def test_real_rows_take_the_quick_way(reader: Rows, lines: list[str]) -> None:
    for line in lines:
        assert spelt_out(reader._cells._quick(line)) == spelt_out(reader._cells._exact(line))


def test_rows_of_a_large_body_are_those_of_small_ones(reader: Rows, rows: pl.DataFrame) -> None:
    def spelt(part: pl.DataFrame) -> dict[str, tuple[str, str]]:
        records = part.to_dicts()
        return {
            "csv": (CSV, part.write_csv(include_header=False)),
            "header": (CSV, part.write_csv()),
            "quoted": (CSV, part.write_csv(include_header=False, quote_style="always")),
            "json": (JSON, json.dumps(records)),
            "json lines": (JSON_LINES, "\n".join(json.dumps(list(record.values())) for record in records)),
        }

    few: dict[str, list[Any]] = {}
    for start in range(0, len(rows), 100):
        for form, (media, text) in spelt(rows.slice(start, 100)).items():
            few.setdefault(form, []).extend(reader.parse(text.encode(), media))

    for form, (media, text) in spelt(rows).items():
        assert len(text) > MANY
        many = reader.parse(text.encode(), media)
        assert np.array_equal(np.array(many), np.array(few[form], np.float32), equal_nan=True), form


BODIES = {
    "few cells": ("text/csv", b"a\n"),
    "no row": ("text/csv", b"1\n"),
    "bad cells": ("text/csv", b",".join([b"x"] * 19) + b"\n"),
    "a long row": ("text/csv", b"11,"),
    "a long quoted row": ("text/csv", b'"\n",'),
    "lists": ("application/jsonlines", b"[]\n"),
    "numbers": ("application/jsonlines", b"1\n"),
    "empty lines": ("application/jsonlines", b"\n"),
}


@pytest.mark.parametrize("name", BODIES)
def test_what_is_wrong_takes_little_memory_however_much_it_is(served: Served, name: str) -> None:
    """Below the limit on rows too, where each of them is looked at."""
    media, unit = BODIES[name]
    body = unit * (2 * MANY // len(unit))
    tracemalloc.start()
    try:
        answer = Handler(served).answer(body, media)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert answer.status == 400
    assert len(answer.body) < 20_000
    assert peak < 40 * len(body)


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/csv", b"1\n" * (MOST_ROWS + 1)),
        ("application/jsonlines", b"1\n" * (MOST_ROWS + 1)),
        ("application/jsonlines", b"1\r" * (MOST_ROWS + 1)),
        ("application/jsonlines", b"[" + b",".join([b"[]"] * (MOST_ROWS + 3)) + b"]"),
        ("application/json", b'{"instances":[' + b",".join([b"{}"] * (MOST_ROWS + 1)) + b"]}"),
    ],
)
def test_too_many_rows_are_refused_before_they_are_read(served: Served, media: str, body: bytes) -> None:
    answer = Handler(served).answer(body, media)

    assert answer.status == 413
    assert json.loads(answer.body) == {"error": "the request holds more than 500,000 rows; send fewer at a time"}
