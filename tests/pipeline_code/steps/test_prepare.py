"""Prepare on real data: what comes out, that it comes out the same again, and what stops it."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING

import polars as pl
import pytest
from real_jobs import give_periods, write_listing

from pipeline_code import data, periods
from pipeline_code.contract import DataError
from pipeline_code.model import DAY, LABEL
from pipeline_code.models import load_features
from pipeline_code.steps import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from real_jobs import NewJob, Real, Seal

    from pipeline_code.model import Model


def part(real: Real, name: str) -> pl.DataFrame:
    return pl.read_parquet(real.dataset / f"{name}.parquet")


def test_parts_follow_each_other_in_time(real: Real, flight_delay: Model) -> None:
    train, validation, test = (part(real, name)[DAY] for name in prepare.PARTS)

    assert train.min() == dt.date(2013, 1, 1)
    assert train.max() == dt.date(2013, 3, 31) - dt.timedelta(days=flight_delay.validation_days)
    assert validation.min() == dt.date(2013, 3, 18)
    assert validation.max() == dt.date(2013, 3, 31)
    assert (test.min(), test.max()) == (dt.date(2013, 4, 1), dt.date(2013, 4, 30))


def test_rows_are_ordered_by_their_key_and_hold_what_the_model_declares(real: Real, flight_delay: Model) -> None:
    for name in prepare.PARTS:
        frame = part(real, name)
        assert frame.equals(frame.sort(flight_delay.key))
        assert {*flight_delay.feature_names, *flight_delay.key, DAY, LABEL} == set(frame.columns)
        assert set(frame[LABEL].unique()) == {0, 1}


def test_nothing_is_lost_on_the_way(real: Real) -> None:
    snapshot = real.document("snapshot")
    arrived = sum(file["rows"] for file in snapshot["files"] if "flights" in file["uri"])

    assert snapshot["rows"] == {"train": 65_075, "validation": 12_836, "test": 27_564}
    assert snapshot["excluded"] == {"cancelled": 3_311, "diverted": 333}
    assert sum(snapshot["rows"].values()) + sum(snapshot["excluded"].values()) == arrived == 109_119


def test_the_impossible_wind_is_quarantined_with_its_place(real: Real) -> None:
    assert real.document("snapshot")["quarantined"] == {
        "total": 1,
        "by_reason": {"weather: wind_speed: above 253": 1},
    }
    (row,) = pl.read_csv(real.quarantine / "weather.csv", infer_schema=False).to_dicts()
    assert (row["reason"], row["file"], row["row"]) == ("wind_speed: above 253", "2013-02/weather.csv", "268")
    assert row["wind_speed"] == "1048.36058"


def test_the_snapshot_names_files_by_version(real: Real) -> None:
    snapshot = real.document("snapshot")

    (april,) = [file for file in snapshot["files"] if file["uri"] == "s3://bucket/periods/2013-04/flights.csv"]
    assert april["version_id"] == "version-of-flights.csv"
    assert april["rows"] == 28_330
    assert april["bytes"] == (real.periods / "2013-04/flights.csv").stat().st_size
    assert snapshot["unmatched"]["flights.tailnum: not in planes"] > 0


def test_everything_registered_is_a_string(real: Real) -> None:
    properties = real.document("snapshot")["properties"]

    assert set(prepare.STEP.registers) == set(properties)
    assert all(isinstance(value, str) for value in properties.values())
    assert properties["train_to"] == "2013-03-31"


def test_the_same_periods_give_the_same_bytes(real: Real, new_job: NewJob, tmp_path: Path) -> None:
    job = new_job("prepare", tmp_path)
    give_periods(job, real.periods)

    prepare.main(job)

    for folder in ("dataset", "snapshot", "quarantine"):
        first, again = getattr(real, folder), job.write(folder)
        assert sorted(f.name for f in first.iterdir()) == sorted(f.name for f in again.iterdir())
        for file in first.iterdir():
            assert file.read_bytes() == (again / file.name).read_bytes(), file.name


def test_later_periods_do_not_change_an_earlier_run(real: Real, new_job: NewJob, tmp_path: Path) -> None:
    job = new_job("prepare", tmp_path, period="2013-03")
    give_periods(job, real.periods)

    prepare.main(job)

    march = pl.read_parquet(job.write("dataset") / "test.parquet")
    before_april = pl.concat([part(real, "train"), part(real, "validation")])
    assert march.equals(before_april.filter(pl.col(DAY) >= dt.date(2013, 3, 1)))


def rewrite(file: Path, change: Callable[[list[str]], list[str]]) -> None:
    file.write_text("\n".join(change(file.read_text().splitlines())) + "\n")


def of_type(lines: list[str]) -> list[str]:
    header, *rows = lines
    place = header.split(",").index("distance")
    return [header, *(",".join([*row.split(",")[:place], "far", *row.split(",")[place + 1 :]]) for row in rows)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda lines: lines[:1], "2013-02/flights.csv: no rows; upload the whole file"),
        (
            lambda lines: [line.replace("carrier", "airline") for line in lines],
            "2013-02/flights.csv: no column carrier",
        ),
        (of_type, "distance is not a number in 100% of the rows, first 'far'; was its type changed?"),
        (lambda lines: [*lines, *lines[1:]], "time_hour + carrier + flight + origin: seen before ("),
        (lambda lines: [line.replace(",EWR,", ",XXX,") for line in lines], "origin: not one of EWR, JFK, LGA ("),
        (lambda lines: [line.replace(",UA,", ",ZZ,") for line in lines], "carrier: not in airlines ("),
        (
            lambda lines: [line.replace("2013,2,", "2013,3,") for line in lines],
            "2013-02/flights.csv: every row is of another period (2013-03); upload it to its own",
        ),
    ],
    ids=["empty", "column", "type", "duplicates", "category", "reference", "period"],
)
def test_bad_flights_stop_the_run(
    small_periods: Path,
    new_job: NewJob,
    seal: Seal,
    tmp_path: Path,
    *,
    change: Callable[[list[str]], list[str]],
    expected: str,
) -> None:
    rewrite(small_periods / "2013-02/flights.csv", change)
    seal(small_periods / "2013-02")
    job = new_job("prepare", tmp_path, period="2013-02")
    give_periods(job, small_periods)

    with pytest.raises(DataError) as caught:
        prepare.main(job)

    assert expected in str(caught.value)
    assert not (job.write("dataset") / "test.parquet").exists()


def test_weather_that_matches_no_flight_stops_the_run(
    small_periods: Path, new_job: NewJob, seal: Seal, tmp_path: Path
) -> None:
    for period in ("2013-01", "2013-02"):
        rewrite(
            small_periods / period / "weather.csv", lambda lines: [line.replace("2013-0", "2012-0") for line in lines]
        )
        seal(small_periods / period)
    job = new_job("prepare", tmp_path, period="2013-02")
    give_periods(job, small_periods)

    with pytest.raises(DataError, match=r"temp: 100\.0% of the rows are null, at most 5% may be"):
        prepare.main(job)


def test_a_join_that_multiplies_rows_stops_the_run(small_periods: Path, flight_delay: Model) -> None:
    files = periods.find(small_periods, "2013-02", flight_delay.sources).files
    sources = {name: source.good for name, source in data.check(flight_delay, files).items()}
    sources["planes"] = pl.concat([sources["planes"], sources["planes"]])

    with pytest.raises(DataError, match=r"rows repeat the key time_hour \+ origin \+ carrier \+ flight"):
        prepare.run(flight_delay, load_features("flight_delay"), sources, "2013-02")


def test_too_little_history_stops_the_run(small_periods: Path, new_job: NewJob, tmp_path: Path) -> None:
    job = new_job("prepare", tmp_path, period="2013-02")
    give_periods(job, small_periods)

    with pytest.raises(DataError, match="train: 0 rows with only one kind of label"):
        prepare.main(job)


def test_parquet_in_many_files_gives_the_same_dataset(real: Real, seal: Seal, new_job: NewJob, tmp_path: Path) -> None:
    job = new_job("prepare", tmp_path)
    give_periods(job, real.periods)
    april = job.read("periods") / "2013-04"
    flights = pl.read_csv(april / "flights.csv", null_values=["NA"], infer_schema_length=None)
    typed = flights.with_columns(pl.col("time_hour").str.to_datetime("%Y-%m-%dT%H:%M:%SZ", time_zone="UTC"))
    typed.head(20_000).write_parquet(april / "flights-1.parquet")
    typed.tail(-20_000).write_parquet(april / "flights-2.parquet")
    (april / "flights.csv").unlink()
    seal(april)
    write_listing(job.read("listing"), job.read("periods"), "2013-04")

    prepare.main(job)

    found = json.loads((job.write("snapshot") / "snapshot.json").read_text())
    assert found["sha256"] == real.document("snapshot")["sha256"]


def test_categories_are_text_and_the_rest_numbers(real: Real, flight_delay: Model) -> None:
    schema = part(real, "test").schema

    expected = {f.name: pl.String if f.type == "category" else pl.Float64 for f in flight_delay.features}
    assert {name: schema[name] for name in expected} == expected


def test_beyond_memory_the_dataset_is_the_same(
    real: Real, new_job: NewJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline_code.shelf.Shelf.__init__.__defaults__", (None, 0))
    monkeypatch.setattr("pipeline_code.order.in_portions.__defaults__", (10_000,))
    job = new_job("prepare", tmp_path)
    give_periods(job, real.periods)

    prepare.main(job)

    for name in prepare.PARTS:
        assert pl.read_parquet(job.write("dataset") / f"{name}.parquet").equals(part(real, name)), name
    found = json.loads((job.write("snapshot") / "snapshot.json").read_text())
    expected = real.document("snapshot")
    for document in (found, expected):  # rows in other groups are other bytes
        document["properties"].pop("data_sha256")
        document.pop("sha256")
    assert found == expected
    quarantined = (file.read_bytes() for file in (job.write("quarantine"), real.quarantine) for file in file.iterdir())
    assert len(set(quarantined)) == 1
    assert not list(tmp_path.glob("tmp*"))
