"""Rows that break a rule are set aside with every reason; too many of them stop the run."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
import pytest
from toy_source import GOOD, HEADER, SHOPS, VISITS, file

from pipeline_code import data
from pipeline_code.contract import DataError
from pipeline_code.model import Model

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def toy(flight_delay: Model) -> Model:
    return replace(flight_delay, name="toy", sources=(VISITS, SHOPS))


def checked(model: Model, folder: Path, *rows: str) -> data.Checked:
    """Check visits, given as lines of a CSV file."""
    (folder / "visits.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (folder / "shops.csv").write_text("id,size\nnorth,3\nsouth,NA\n")
    files = [file(folder / "visits.csv", "visits"), file(folder / "shops.csv", "shops")]
    return data.check(model, files)["visits"]


def test_good_rows_are_typed(toy: Model, tmp_path: Path) -> None:
    found = checked(toy, tmp_path, GOOD, GOOD.replace("T10", "T11").replace("9.5", "NA"))

    assert found.good.collect().rows() == [
        (dt.datetime(2020, 1, 5, 10), 2020, 1, 5, "north", "walk", 9.5),  # noqa: DTZ001  # UTC without a zone
        (dt.datetime(2020, 1, 5, 11), 2020, 1, 5, "north", "walk", None),  # noqa: DTZ001
    ]
    assert found.bad.is_empty()
    assert found.rows == {"2020-01/visits.csv": 2}


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("2020-01-05T10:00:00Z", "yesterday", "at: not a UTC time such as 2013-04-01T09:00:00Z"),
        ("2020-01-05T10:00:00Z", "2020-01-05T10:00:00+01:00", "at: not a UTC time such as 2013-04-01T09:00:00Z"),
        ("north", "", "shop: empty"),
        ("north", "NA", "shop: empty"),
        ("north", "west", "shop: not in shops"),
        ("walk", "swim", "kind: not one of walk, ride"),
        ("9.5", "cheap", "spent: not a number"),
        ("9.5", "inf", "spent: not a number"),
        ("9.5", "-1", "spent: below 0"),
        ("9.5", "101", "spent: above 100"),
        ("2020,1,5", "2020,1.5,5", "month: not a whole number; not a date of its period"),
        ("2020,1,5", "2020,2,5", "not a date of its period"),
        ("2020,1,5", "2020,1,32", "not a date of its period"),
    ],
)
def test_each_rule_sets_its_row_aside(toy: Model, tmp_path: Path, old: str, new: str, reason: str) -> None:
    spoilt = GOOD.replace("T10", "T12").replace(old.replace("T10", "T12"), new)

    found = checked(toy, tmp_path, GOOD, spoilt)

    assert found.good.collect().height == 1
    assert found.bad.select("reason", "file", "row").rows() == [(reason, "2020-01/visits.csv", 2)]
    assert found.reasons == dict.fromkeys(reason.split("; "), 1)


def test_a_row_keeps_all_its_reasons_and_its_text(toy: Model, tmp_path: Path) -> None:
    found = checked(toy, tmp_path, GOOD, "never,2020,1,5,west,swim,1e9")

    (row,) = found.bad.to_dicts()
    assert row["reason"].split("; ") == [
        "at: not a UTC time such as 2013-04-01T09:00:00Z",
        "kind: not one of walk, ride",
        "spent: above 100",
        "shop: not in shops",
    ]
    assert (row["at"], row["spent"]) == ("never", "1e9")


def test_of_rows_with_one_key_the_first_stays(toy: Model, tmp_path: Path) -> None:
    found = checked(toy, tmp_path, GOOD, GOOD.replace("9.5", "1"), GOOD)

    assert found.good.collect()["spent"].to_list() == [9.5]
    assert found.bad["row"].to_list() == [2, 3]
    assert found.reasons == {"at + shop: seen before": 2}


def test_optional_references_are_counted_not_set_aside(toy: Model, tmp_path: Path) -> None:
    found = checked(toy, tmp_path, GOOD)

    assert found.good.collect().height == 1
    assert found.unmatched == {"visits.kind: not in shops": 1}


def test_every_row_is_either_good_or_set_aside(toy: Model, tmp_path: Path) -> None:
    rows = [GOOD.replace("T10", f"T{hour:02}").replace("9.5", str(hour * 10)) for hour in range(24)]

    found = checked(toy, tmp_path, *rows)

    assert found.good.collect().height + found.bad.height == 24
    assert found.bad.height == 13


def test_too_many_bad_rows_stop_with_the_reasons(toy: Model, tmp_path: Path) -> None:
    strict = replace(toy, sources=(replace(VISITS, max_quarantined=0.4), SHOPS))

    with pytest.raises(DataError) as caught:
        checked(strict, tmp_path, GOOD, GOOD.replace("T10", "T11").replace("walk", "swim"))

    (problem,) = caught.value.problems
    assert problem == (
        "2020-01 visits: 1 of 2 rows are bad, at most 40% may be: "
        "kind: not one of walk, ride (1, first in 2020-01/visits.csv row 2); "
        "new category 'swim' in kind: 1 rows; declare it in sources.py if it is right"
    )


def test_a_bad_month_is_not_hidden_by_good_ones(toy: Model, tmp_path: Path) -> None:
    strict = replace(toy, sources=(replace(VISITS, max_quarantined=0.4), SHOPS))
    good = [GOOD.replace("T10", f"T{hour:02}") for hour in range(24)]
    bad = [row.replace("2020-01", "2020-02").replace("2020,1", "2020,2").replace("walk", "swim") for row in good[:2]]
    (tmp_path / "1.csv").write_text("\n".join([HEADER, *good]))
    (tmp_path / "2.csv").write_text("\n".join([HEADER, *bad]))
    (tmp_path / "shops.csv").write_text("id,size\nnorth,3\n")
    files = [
        file(tmp_path / "1.csv", "visits"),
        file(tmp_path / "2.csv", "visits", "2020-02"),
        file(tmp_path / "shops.csv", "shops"),
    ]

    with pytest.raises(DataError, match="2020-02 visits: 2 of 2 rows are bad"):
        data.check(strict, files)


def test_parquet_passes_the_same_rules_as_csv(toy: Model, tmp_path: Path) -> None:
    rows = [GOOD, GOOD.replace("T10", "T11").replace("9.5", "101"), GOOD.replace("T10", "T12").replace("9.5", "")]
    from_csv = checked(toy, tmp_path, *rows)
    typed = pl.read_csv(tmp_path / "visits.csv", try_parse_dates=True).with_columns(pl.col("month").cast(pl.Float64))
    typed.write_parquet(tmp_path / "visits.parquet")

    files = [file(tmp_path / "visits.parquet", "visits"), file(tmp_path / "shops.csv", "shops")]
    from_parquet = data.check(toy, files)["visits"]

    assert from_parquet.good.collect().equals(from_csv.good.collect())
    assert from_parquet.reasons == from_csv.reasons == {"spent: above 100": 1}


def test_a_fraction_in_an_integer_column_of_parquet_is_not_cut_off(toy: Model, tmp_path: Path) -> None:
    checked(toy, tmp_path, GOOD)
    typed = pl.read_csv(tmp_path / "visits.csv", try_parse_dates=True).with_columns(day=pl.lit(5.5))
    typed.write_parquet(tmp_path / "visits.parquet")

    with pytest.raises(DataError, match="day: not a whole number"):
        data.check(toy, [file(tmp_path / "visits.parquet", "visits"), file(tmp_path / "shops.csv", "shops")])


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("visits.csv", b"", "no column at, year, month, day, shop, kind, spent; it has none"),
        ("visits.csv", HEADER.encode(), "no rows; upload the whole file"),
        ("visits.csv", b"at,shop\n1,2\n", "no column year, month, day, kind, spent; it has at, shop"),
        ("visits.csv", b"\xff\xfe\x00garbage\n\x80\n", "visits.csv: "),
        ("visits.parquet", b"PAR1 is not enough", "cannot be read: "),
    ],
)
def test_files_that_cannot_be_used_are_named(
    toy: Model, tmp_path: Path, name: str, content: bytes, problem: str
) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "shops.csv").write_text("id\nnorth\n")

    with pytest.raises(DataError) as caught:
        data.check(toy, [file(tmp_path / name, "visits"), file(tmp_path / "shops.csv", "shops")])

    assert len(caught.value.problems) == 2
    assert any(problem in found and name in found for found in caught.value.problems)
    assert "2020-01/shops.csv: no column size; it has id" in caught.value.problems
