"""Whatever lies in a file: a named problem or a row set aside, never another error, and no row lost."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy_source import GOOD, HEADER, SHOPS, VISITS, file

from pipeline_code import data
from pipeline_code.contract import DataError
from pipeline_code.models import load_model
from pipeline_code.periods import SourceFile

TOY = replace(load_model("flight_delay"), name="toy", sources=(replace(VISITS, max_quarantined=1.0), SHOPS))
FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
VALUES = st.one_of(
    st.none(),
    st.sampled_from(["", "NA", "nan", "inf", "-0", "1e400", "0x10", "2020-01-05T10:00:00Z", "walk", "north", "9" * 40]),
    st.text(max_size=12),
    st.integers().map(str),
    st.floats().map(str),
)


def problems_of(files: list[SourceFile], corrections: list[SourceFile] | None = None) -> tuple[Any, tuple[str, ...]]:
    """What was checked, or the problems that stop a run; any other error fails the test."""
    try:
        return data.check(TOY, files, corrections or ()), ()
    except DataError as error:
        return None, error.problems


def examined(content: bytes, name: str = "visits.csv") -> Any:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / name).write_bytes(content)
        (Path(folder) / "shops.csv").write_text("id,size\nnorth,3\n")
        files = [file(Path(folder) / name, "visits"), file(Path(folder) / "shops.csv", "shops")]
        checked, problems = problems_of(files)
    assert all(name in problem or "2020-01 visits" in problem for problem in problems)
    return checked["visits"] if checked else None


def nothing_is_lost(found: Any, rows: int) -> None:
    assert found.good.collect().height + found.bad.height == rows
    assert found.bad["reason"].null_count() == 0
    assert found.bad.filter(pl.col("reason") == "").height == 0


@FUZZ
@given(st.lists(st.lists(VALUES, min_size=7, max_size=7), min_size=1, max_size=30))
def test_any_values_are_good_or_set_aside_with_a_reason(rows: list[list[str | None]]) -> None:
    frame = pl.DataFrame({name: [row[i] for row in rows] for i, name in enumerate(HEADER.split(","))}, strict=False)
    typed = frame.with_columns(pl.all().cast(pl.String))

    found = examined(typed.write_csv().encode())

    if found is not None and all(any(value not in {None, ""} for value in row) for row in rows):
        nothing_is_lost(found, len(rows))


@FUZZ
@given(st.binary(max_size=400))
def test_any_bytes_are_a_named_problem_or_rows(content: bytes) -> None:
    examined(content)
    examined(content, "visits.parquet")


@FUZZ
@given(st.binary(max_size=60), st.integers(min_value=0, max_value=200))
def test_a_good_file_with_something_in_it_is_a_named_problem_or_rows(noise: bytes, place: int) -> None:
    good = "\n".join([HEADER, *[GOOD] * 5]).encode()

    examined(good[:place] + noise + good[place:])


@FUZZ
@given(
    st.dictionaries(
        st.sampled_from([*HEADER.split(","), "other"]),
        st.sampled_from([pl.Int64, pl.Float64, pl.String, pl.Boolean, pl.Datetime, pl.Date, pl.Binary, pl.Categorical]),
        min_size=1,
    ),
    st.integers(min_value=0, max_value=5),
)
def test_parquet_of_any_types_is_a_named_problem_or_rows(types: dict[str, Any], rows: int) -> None:
    columns = {name: pl.Series(name, [None] * rows, dtype=dtype) for name, dtype in types.items()}
    with tempfile.TemporaryDirectory() as folder:
        pl.DataFrame(columns).write_parquet(Path(folder) / "made.parquet")
        content = (Path(folder) / "made.parquet").read_bytes()

    examined(content, "visits.parquet")


@FUZZ
@given(st.lists(st.fixed_dictionaries({"file": VALUES, "row": VALUES, "sha256": VALUES, "kind": VALUES}), max_size=6))
def test_any_corrections_are_a_named_problem_or_taken(rows: list[dict[str, str | None]]) -> None:
    columns = ["reason", "file", "row", "sha256", *HEADER.split(",")]
    frame = pl.DataFrame(
        [{name: row.get(name) for name in columns} for row in rows], schema=dict.fromkeys(columns, pl.String)
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "visits.csv").write_text(f"{HEADER}\n{GOOD}\n")
        (Path(folder) / "shops.csv").write_text("id,size\nnorth,3\n")
        frame.write_csv(Path(folder) / "visits.corrections.csv")
        files = [file(Path(folder) / "visits.csv", "visits"), file(Path(folder) / "shops.csv", "shops")]
        _, problems = problems_of(files, [file(Path(folder) / "visits.corrections.csv", "visits")])
    assert not problems or "visits.corrections.csv" in problems[0]
