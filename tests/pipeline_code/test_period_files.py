"""Files of a period are taken only when its manifest says they are whole."""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from pipeline_code import periods
from pipeline_code.contract import READY_MANIFEST, DataError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from pipeline_code.model import Model


def test_events_of_all_periods_and_the_latest_references(real_periods: Path, flight_delay: Model) -> None:
    found = periods.find(real_periods, "2013-03", flight_delay.sources).files

    by_source = {name: [f.period for f in found if f.source == name] for name in ("flights", "weather", "planes")}
    months = ["2013-01", "2013-02", "2013-03"]
    assert by_source == {"flights": months, "weather": months, "planes": ["2013-03"]}


def test_a_reference_may_stay_away_when_an_earlier_period_brought_it(
    small_periods: Path, flight_delay: Model, seal: Callable[[Path], None]
) -> None:
    (small_periods / "2013-02/planes.csv").unlink()
    seal(small_periods / "2013-02")

    found = periods.find(small_periods, "2013-02", flight_delay.sources).files

    assert [file.period for file in found if file.source == "planes"] == ["2013-01"]


def test_a_source_may_come_in_many_files(
    small_periods: Path, flight_delay: Model, seal: Callable[[Path], None]
) -> None:
    whole = small_periods / "2013-02/flights.csv"
    header, *rows = whole.read_text().splitlines()
    for number, part in enumerate((rows[:100], rows[100:]), start=1):
        whole.with_name(f"flights-{number}.csv").write_text("\n".join([header, *part]) + "\n")
    whole.unlink()
    seal(small_periods / "2013-02")

    found = periods.find(small_periods, "2013-02", flight_delay.sources).files

    names = [file.path.name for file in found if file.source == "flights" and file.period == "2013-02"]
    assert names == ["flights-1.csv", "flights-2.csv"]


def remove_manifest(folder: Path) -> None:
    (folder / READY_MANIFEST).unlink()


def spoil_manifest(folder: Path) -> None:
    (folder / READY_MANIFEST).write_text('{"files": {"flights.csv": {}}}')


def truncate(folder: Path) -> None:
    content = (folder / "flights.csv").read_bytes()
    (folder / "flights.csv").write_bytes(content[: len(content) // 2])


def alter(folder: Path) -> None:
    content = (folder / "flights.csv").read_bytes()
    (folder / "flights.csv").write_bytes(content[:-2] + b"9\n")


def lose(folder: Path) -> None:
    (folder / "flights.csv").unlink()


def forget(folder: Path) -> None:
    manifest = json.loads((folder / READY_MANIFEST).read_text())
    for name in ("weather.csv", "airports.csv"):
        del manifest["files"][name]
    (folder / READY_MANIFEST).write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (remove_manifest, ["2013-02: no _READY.json; write it last, when all files of the period are there"]),
        (spoil_manifest, ['2013-02/_READY.json: give {"files": {name: {"sha256", "bytes", "version_id"}}}']),
        (truncate, ["2013-02/flights.csv: ", " bytes, but _READY.json says ", "; upload it again"]),
        (alter, ["2013-02/flights.csv: sha256 is ", ", but _READY.json says "]),
        (lose, ["2013-02/flights.csv: listed in _READY.json but missing; upload it again"]),
        (forget, ["2013-02/airports.csv: not in _READY.json", "2013-02/weather.csv: not in _READY.json"]),
        (shutil.rmtree, ["2013-02: no such folder below periods/; upload the period's files"]),
    ],
)
def test_a_spoilt_period_is_refused(
    small_periods: Path, flight_delay: Model, spoil: Callable[[Path], object], expected: list[str]
) -> None:
    spoil(small_periods / "2013-02")

    with pytest.raises(DataError) as caught:
        periods.find(small_periods, "2013-02", flight_delay.sources)

    for part in expected:
        assert part in str(caught.value)


def test_all_problems_are_told_at_once(small_periods: Path, flight_delay: Model) -> None:
    remove_manifest(small_periods / "2013-01")
    truncate(small_periods / "2013-02")

    with pytest.raises(DataError) as caught:
        periods.find(small_periods, "2013-02", flight_delay.sources)

    assert len(caught.value.problems) == 2
    assert str(caught.value).startswith("periods up to 2013-02: 2 problems\n- ")


def test_a_missing_event_source_is_refused(
    small_periods: Path, flight_delay: Model, seal: Callable[[Path], None]
) -> None:
    (small_periods / "2013-02/weather.csv").unlink()
    for period in ("2013-01", "2013-02"):
        (small_periods / period / "planes.csv").unlink()
        seal(small_periods / period)

    with pytest.raises(DataError) as caught:
        periods.find(small_periods, "2013-02", flight_delay.sources)

    assert caught.value.problems == (
        "2013-02: no planes in any period; upload planes.csv or planes.parquet",
        "2013-02: no weather; upload weather.csv or weather.parquet",
    )


def test_a_file_that_came_twice_is_refused(
    small_periods: Path, flight_delay: Model, seal: Callable[[Path], None]
) -> None:
    shutil.copy(small_periods / "2013-02/flights.csv", small_periods / "2013-02/flights-again.csv")
    shutil.copy(small_periods / "2013-01/weather.csv", small_periods / "2013-02/weather.csv")
    seal(small_periods / "2013-02")

    with pytest.raises(DataError) as caught:
        periods.find(small_periods, "2013-02", flight_delay.sources)

    assert set(caught.value.problems) == {
        "2013-02/flights-again.csv: the same content as 2013-02/flights.csv; remove the one that is wrong",
        "2013-02/weather.csv: the same content as 2013-01/weather.csv; remove the one that is wrong",
    }


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("2013-4", "is not a month; give it as YYYY-MM"),
        ("2013-01", "no earlier period to train on"),
        ("2013-07", "2013-07: no such folder"),
    ],
)
def test_a_period_must_be_there_and_have_a_past(
    small_periods: Path, flight_delay: Model, period: str, expected: str
) -> None:
    with pytest.raises(DataError, match=expected):
        periods.find(small_periods, period, flight_delay.sources)


def test_a_gap_between_periods_is_refused(real_periods: Path, flight_delay: Model, tmp_path: Path) -> None:
    for period in ("2013-01", "2013-04"):
        shutil.copytree(real_periods / period, tmp_path / period)

    with pytest.raises(DataError) as caught:
        periods.find(tmp_path, "2013-04", flight_delay.sources)

    assert sorted(caught.value.problems) == [
        "2013-02: missing between 2013-01 and 2013-04; upload it",
        "2013-03: missing between 2013-01 and 2013-04; upload it",
    ]


@pytest.mark.parametrize(("made_for", "read"), [(1, True), (2, False)])
def test_files_made_for_another_contract_are_not_guessed_at(
    small_periods: Path, flight_delay: Model, made_for: int, read: bool
) -> None:
    manifest = small_periods / "2013-02" / READY_MANIFEST
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), "contract": {"flights": made_for}}))

    if read:
        assert periods.find(small_periods, "2013-02", flight_delay.sources).files
        return
    with pytest.raises(DataError) as caught:
        periods.find(small_periods, "2013-02", flight_delay.sources)
    (problem,) = caught.value.problems
    assert problem.startswith("2013-02: flights was made for version 2 of its contract, this code reads version 1; ")


def test_the_source_s_own_file_is_read_first() -> None:
    names = ["flights-2.csv", "flights.csv", "airlines.csv", "flights-1.parquet"]

    in_order = sorted(names, key=periods.in_order)

    assert in_order == ["airlines.csv", "flights.csv", "flights-1.parquet", "flights-2.csv"]
