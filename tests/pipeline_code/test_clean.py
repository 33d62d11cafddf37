"""The short way through the data contract comes to the same rows as the long one, whatever stands in a file.

And both come to the same with nothing kept in memory.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from toy_source import GOOD, HEADER, SHOPS, VISITS, file

from pipeline_code import clean, data
from pipeline_code.models import load_model
from pipeline_code.periods import SourceFile
from pipeline_code.shelf import Shelf

TOY = replace(load_model("flight_delay"), name="toy", sources=(replace(VISITS, max_quarantined=1.0), SHOPS))
FUZZ = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
SPELLINGS = {
    "at": [
        "2020-01-05T10:00:00Z",
        "2020-01-31T23:59:59Z",
        "2020-01-05 10:00:00",
        "2020-01-05T10:00:00",
        "2020-13-01T0Z",
    ],
    "year": ["2020", "+2020", "02020", " 2020", "2020 ", "2020.0", "2_020", "2e3", '"2020"', "2019"],
    "month": ["1", "01", "+1", "-1", "0x1", "\uff11", "1.0", "2"],
    "day": ["1", "5", "31", "0", "32", "007", "5 ", "  5", "\t5", '" 5"', "\v5", "\xa05"],
    "shop": ["north", "south", '"north"', " north", "NA", '"NA"', '""', "", "west"],
    "kind": ["walk", "ride", '"walk"', "Walk", "NA", ""],
    "spent": [
        "9.5",
        "0",
        "100",
        "100.0",
        "1e2",
        ".5",
        "5.",
        "+5",
        "-0",
        "nan",
        "NaN",
        "inf",
        "1e400",
        "NA",
        "",
        '"9.5"',
    ],
}
SHOP_ROWS = "id,size\nnorth,3\nsouth,NA\nwest,+4\n"


def both_ways(files: list[SourceFile], patch: pytest.MonkeyPatch) -> tuple[Any, Any, bool]:
    """What both ways find, and whether the short one was gone."""
    gone: list[bool] = []

    def spied(source: Any, one: SourceFile, others: Any) -> pl.DataFrame | None:
        frame = clean.read_clean(source, one, others)
        gone.append(frame is not None and source.name == "visits")
        return frame

    patch.setattr(data, "read_clean", spied)
    short = data.examine(TOY, files)
    with tempfile.TemporaryDirectory() as scratch:
        same(short, _in_memory(data.examine(TOY, files, (), Shelf(Path(scratch), 0))))
    patch.setattr(data, "read_clean", lambda *_: None)
    return short, data.examine(TOY, files), any(gone)


def _in_memory(found: Any) -> Any:
    return {name: replace(one, good=one.good.collect().lazy()) for name, one in found[0].items()}, found[1]


def same(short: Any, long: Any) -> None:
    assert short[1] == long[1]
    assert set(short[0]) == set(long[0])
    for name, found in short[0].items():
        other = long[0][name]
        assert_frame_equal(found.good, other.good)
        assert_frame_equal(found.bad.select(other.bad.columns), other.bad, check_dtypes=other.bad.height > 0)
        assert (found.rows, found.reasons, found.unmatched) == (other.rows, other.reasons, other.unmatched)
        assert sorted(found.drift, key=str) == sorted(other.drift, key=str)


def in_folder(folder: str, *contents: str) -> list[SourceFile]:
    """Visits in files of their own, and the shops."""
    (Path(folder) / "shops.csv").write_text(SHOP_ROWS)
    files = [file(Path(folder) / "shops.csv", "shops")]
    for number, content in enumerate(contents):
        path = Path(folder) / f"visits-{number}.csv"
        path.write_text(content)
        files.append(file(path, "visits"))
    return files


@pytest.fixture
def patch(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    return monkeypatch


@FUZZ
@given(rows=st.lists(st.tuples(*(st.sampled_from(values) for values in SPELLINGS.values())), min_size=1, max_size=4))
def test_every_spelling_means_the_same(rows: list[tuple[str, ...]], patch: pytest.MonkeyPatch) -> None:
    content = "\n".join([HEADER, *(",".join(row) for row in rows)]) + "\n"
    with tempfile.TemporaryDirectory() as folder:
        short, long, _ = both_ways(in_folder(folder, content), patch)

    same(short, long)


@pytest.mark.parametrize(("column", "spelling"), [(c, s) for c, found in SPELLINGS.items() for s in found])
def test_one_odd_spelling_among_good_rows(
    column: str, spelling: str, patch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    odd = dict(zip(HEADER.split(","), GOOD.replace("T10", "T11").split(","), strict=True)) | {column: spelling}

    short, long, _ = both_ways(
        in_folder(str(tmp_path), "\n".join([HEADER, GOOD, ",".join(odd.values())]) + "\n"), patch
    )

    same(short, long)


@FUZZ
@given(texts=st.lists(st.text(max_size=6), min_size=7, max_size=7))
def test_any_text_means_the_same(texts: list[str], patch: pytest.MonkeyPatch) -> None:
    row = pl.DataFrame([texts], schema=HEADER.split(","), orient="row").write_csv(include_header=False)
    with tempfile.TemporaryDirectory() as folder:
        short, long, _ = both_ways(in_folder(folder, f"{HEADER}\n{GOOD}\n{row}"), patch)

    same(short, long)


def test_good_files_go_the_short_way_and_one_bad_row_sends_only_its_file_the_long_one(
    patch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    others = [GOOD.replace("T10", f"T{hour}") for hour in (11, 12, 13)]
    contents = [f"{HEADER}\n{GOOD}\n{others[0]}\n", f"{HEADER}\n{others[1].replace('walk', 'fly')}\n{others[2]}\n"]

    short, long, gone = both_ways(in_folder(str(tmp_path), *contents), patch)

    assert gone
    same(short, long)
    assert (short[0]["visits"].good.collect().height, short[0]["visits"].bad.height) == (3, 1)


@pytest.mark.parametrize("again", [(0, 1), (1, 0), (0, 0), (1, 1)])
def test_a_key_seen_before_is_found_across_both_ways(
    patch: pytest.MonkeyPatch, tmp_path: Path, again: tuple[int, int]
) -> None:
    """The first and the second time in a good file or in one with a bad row, each way round."""
    bad = GOOD.replace("T10", "T20").replace("walk", "fly")
    good = [GOOD.replace("T10", f"T{hour}") for hour in (11, 12)]
    lines = [[HEADER, good[0]], [HEADER, bad, good[1]]]
    for index in again:
        lines[index].append(GOOD)

    short, long, _ = both_ways(in_folder(str(tmp_path), *("\n".join(rows) + "\n" for rows in lines)), patch)

    same(short, long)
    assert short[0]["visits"].reasons["at + shop: seen before"] == 1


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("at", pl.Series([dt.datetime(2020, 1, 5, 10, tzinfo=dt.UTC)] * 2).dt.convert_time_zone("Europe/Berlin")),
        ("at", pl.Series([dt.datetime(2020, 1, 5, 10, 0, 0, 999)] * 2)),  # noqa: DTZ001
        ("at", pl.Series(["2020-01-05T10:00:00Z"] * 2)),
        ("year", pl.Series([2020.0, 2020.0])),
        ("year", pl.Series([2020, 2020], dtype=pl.UInt16)),
        ("day", pl.Series([5, 2**63], dtype=pl.UInt64)),
        ("spent", pl.Series([9, 9])),
        ("spent", pl.Series([float("nan"), None])),
        ("spent", pl.Series([float("inf"), 1.5])),
        ("spent", pl.Series([0.1, 1e-300], dtype=pl.Float64)),
        ("spent", pl.Series([0.1, 0.2], dtype=pl.Float32)),
        ("kind", pl.Series(["walk", "NA"])),
        ("shop", pl.Series(["north", ""])),
        ("shop", pl.Series(["north", "south"], dtype=pl.Categorical)),
    ],
)
def test_parquet_of_other_types_means_the_same(
    patch: pytest.MonkeyPatch, tmp_path: Path, column: str, values: pl.Series
) -> None:
    files = in_folder(str(tmp_path))
    frame = pl.DataFrame(
        {
            "at": [dt.datetime(2020, 1, 5, 10), dt.datetime(2020, 1, 5, 11)],  # noqa: DTZ001
            "year": [2020] * 2,
            "month": [1] * 2,
            "day": [5] * 2,
            "shop": ["north"] * 2,
            "kind": ["walk"] * 2,
            "spent": [9.5, None],
        }
    ).with_columns(values.alias(column))
    frame.write_parquet(tmp_path / "visits.parquet")

    short, long, _ = both_ways([*files, file(tmp_path / "visits.parquet", "visits")], patch)

    same(short, long)
