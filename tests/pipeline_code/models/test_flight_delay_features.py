"""Features see what is known at the scheduled departure, and nothing else."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import narwhals as nw
import numpy as np
import polars as pl
import pytest

from pipeline_code import data, periods
from pipeline_code.model import DAY
from pipeline_code.models import load_features, load_model
from pipeline_code.models.flight_delay import features

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


Sources = dict[str, pl.DataFrame]
MODEL = load_model("flight_delay")
KEY = list(MODEL.key)
ASKED = 24
WITHOUT_ZONE = "America/Puerto_Rico"
"""The four destinations that airports.csv lacks: BQN, PSE, SJU and STT."""


def make(sources: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    made = load_features("flight_delay")(sources)
    assert isinstance(made, pl.LazyFrame)
    return made.collect().sort(KEY)


@pytest.fixture(scope="module")
def january(real_periods: Path) -> Sources:
    """Validated sources of January, with the true UTC instants of each flight's schedule, by the zones' own rules."""
    files = [file for file in periods.find(real_periods, "2013-02", MODEL.sources).files if file.period == "2013-01"]
    latest = [
        file
        for file in periods.find(real_periods, "2013-02", MODEL.sources).files
        if file.source not in ("flights", "weather")
    ]
    return {name: source.good.collect() for name, source in data.check(MODEL, [*files, *latest]).items()}


@pytest.fixture(scope="module")
def schedule(january: Sources, real_periods: Path) -> pl.DataFrame:
    """When each flight of January was to leave and to arrive, in UTC: independent of the code under test."""
    zones = pl.read_csv(real_periods / "2013-01/airports.csv", null_values=["NA"], infer_schema_length=None)
    flights = january["flights"].join(zones.select("tzone", dest="faa"), on="dest", how="left")
    departs = pl.col("time_hour") + pl.duration(minutes="minute")
    flights = flights.select(*KEY, "dest", "sched_arr_time", pl.col("tzone").fill_null(WITHOUT_ZONE), departs=departs)
    parts = []
    for (zone,), part in flights.group_by("tzone"):
        local = pl.col("departs").dt.replace_time_zone("UTC").dt.convert_time_zone(str(zone))
        clock = pl.duration(hours=pl.col("sched_arr_time") // 100, minutes=pl.col("sched_arr_time") % 100)
        arrives = local.dt.truncate("1d") + clock
        arrives = pl.when(arrives < local).then(arrives.dt.offset_by("1d")).otherwise(arrives)
        parts.append(part.with_columns(arrives=arrives.dt.convert_time_zone("UTC").dt.replace_time_zone(None)))
    return january["flights"].select(*KEY).join(pl.concat(parts), on=KEY, how="left")


def rewrite_the_future(sources: Sources, schedule: pl.DataFrame, now: dt.datetime, seed: int) -> Sources:
    """Another course of things after `now` that agrees with everything anyone could have seen until then.

    Who has left or landed by now did so as recorded. Everyone else leaves and lands at some other time from now on,
    or never. Weather from now on is anything.
    """
    rng = np.random.default_rng(seed)
    flights = sources["flights"].with_columns(schedule["departs"], schedule["arrives"])
    count = flights.height
    never, minutes = rng.random((2, count)) < 0.2, rng.integers(0, 400, (2, count))
    for scheduled, delay, clock, row in (
        ("departs", "dep_delay", "dep_time", 0),
        ("arrives", "arr_delay", "arr_time", 1),
    ):
        happened = (pl.col(scheduled) + pl.duration(minutes=delay) < now).fill_null(value=False)
        earliest = (pl.lit(now) - pl.col(scheduled)).dt.total_minutes() + 1
        soonest = pl.max_horizontal(earliest, pl.lit(-30))
        other = pl.when(~pl.Series(never[row])).then(soonest + pl.Series(minutes[row]))
        flights = flights.with_columns(
            pl.when(happened).then(delay).otherwise(other).alias(delay),
            pl.when(happened).then(clock).otherwise(pl.when(~pl.Series(never[row])).then(1200)).alias(clock),
        )
    measured = [name for name, dtype in sources["weather"].schema.items() if dtype == pl.Float64]
    future = pl.col("time_hour") >= pl.lit(now).dt.truncate("1h")
    weather = sources["weather"].with_columns(
        pl.when(future).then(pl.Series(rng.uniform(0, 50, sources["weather"].height))).otherwise(name).alias(name)
        for name in measured
    )
    return {**sources, "flights": flights.drop("departs", "arrives"), "weather": weather}


def asked(schedule: pl.DataFrame) -> list[dict[str, Any]]:
    """The first flights of some mornings, when red-eyes are still in the air, and others of the day."""
    later = schedule.filter(pl.col("departs") > dt.datetime(2013, 1, 9)).sort("departs", *KEY)  # noqa: DTZ001
    mornings = later.group_by(pl.col("departs").dt.date(), maintain_order=True).first().drop("departs")
    mornings = mornings.join(later, on=KEY, how="left").head(ASKED // 2)
    return [
        *mornings.select(*KEY, "departs").to_dicts(),
        *later.sample(ASKED // 2, seed=3).select(*KEY, "departs").to_dicts(),
    ]


def changed(january: Sources, schedule: pl.DataFrame) -> list[str]:
    """Features that differ in another future, over all the flights asked."""
    before = make(january)
    found = set()
    for number, flight in enumerate(asked(schedule)):
        after = make(rewrite_the_future(january, schedule, flight["departs"], seed=number))
        same = pl.all_horizontal(pl.col(name) == pl.lit(flight[name]) for name in KEY)
        one, other = (made.filter(same).row(0, named=True) for made in (before, after))
        found |= {name for name in MODEL.feature_names if one[name] != other[name]}
    return sorted(found)


def test_no_feature_depends_on_what_happens_later(january: Sources, schedule: pl.DataFrame) -> None:
    assert changed(january, schedule) == []


@pytest.mark.parametrize(
    ("leak", "value", "feature"),
    [
        # Counts a flight on the day before it leaves, so that flights of the same day see it.
        ("_known_day", lambda: nw.col(DAY).dt.offset_by("-1d"), "carrier_late_7d"),
        # Counts delays that are still growing.
        ("STALL_MINUTES", 180, "origin_stall"),
    ],
)
def test_a_leak_would_be_noticed(
    monkeypatch: pytest.MonkeyPatch,
    january: Sources,
    schedule: pl.DataFrame,
    *,
    leak: str,
    value: object,
    feature: str,
) -> None:
    monkeypatch.setattr(features, leak, value)

    assert feature in changed(january, schedule)


def test_the_past_does_count(january: Sources) -> None:
    flights = january["flights"]
    worse = flights.with_columns(pl.when(pl.col("day") < 20).then(200).otherwise("arr_delay").alias("arr_delay"))

    before, after = make(january), make({**january, "flights": worse})

    of_the_20th = pl.col("day") == dt.date(2013, 1, 20)
    assert after.filter(of_the_20th)["carrier_late_7d"].min() == 1
    assert not after.filter(of_the_20th)["dest_late_7d"].equals(before.filter(of_the_20th)["dest_late_7d"])


def test_known_days_are_never_too_early(january: Sources, schedule: pl.DataFrame) -> None:
    flights, airports = (nw.from_native(january[name]).lazy() for name in ("flights", "airports"))
    found = features._schedule(flights, airports).with_columns(known=features._known_day()).to_native().collect()

    truth = found.select(*KEY, "known").join(schedule, on=KEY)
    outcome = pl.col("arrives") + pl.duration(minutes=features.LATE_MINUTES)
    new_york = outcome.dt.replace_time_zone("UTC").dt.convert_time_zone("America/New_York").dt.date()
    early = truth.filter(pl.col("known") < new_york)
    assert early.is_empty()
    assert truth.filter(pl.col("known") > new_york).height < 0.15 * truth.height


def test_every_flight_becomes_one_row(january: Sources) -> None:
    made = make(january)

    assert made.select(KEY).equals(january["flights"].select(KEY).sort(KEY))


def test_labels_and_exclusions_are_those_of_the_arrivals(january: Sources) -> None:
    made = make(january).join(january["flights"].select(*KEY, "arr_delay", "dep_time"), on=KEY)

    assert made.filter(pl.col("arr_delay") == 15)["label"].unique().to_list() == [0]
    assert made.filter(pl.col("arr_delay") == 16)["label"].unique().to_list() == [1]
    assert made.filter(pl.col("arr_delay").is_null())["label"].null_count() == made["excluded"].count()
    assert set(made.filter(pl.col("dep_time").is_null())["excluded"]) == {"cancelled"}
    assert set(made["excluded"].drop_nulls()) == {"cancelled", "diverted"}


def test_minutes_in_the_air_know_time_zones(january: Sources) -> None:
    made = make(january).group_by("dest").agg(pl.col("sched_minutes").median(), pl.col("distance").first())
    minutes = dict(made.select("dest", "sched_minutes").iter_rows())

    assert 330 < minutes["LAX"] < 420
    assert 600 < minutes["HNL"] < 720
    assert 60 < minutes["BOS"] < 90


def test_weekdays_are_real(january: Sources) -> None:
    made = make(january)

    expected = made["day"].dt.weekday() % 7
    assert made["dow"].cast(pl.Int64).equals(expected.cast(pl.Int64), check_names=False)


def test_weather_is_that_of_the_hour_before(january: Sources) -> None:
    made = make(january)
    earlier = january["weather"].select("origin", pl.col("time_hour").dt.offset_by("1h"), was="temp")

    both = made.join(earlier, on=["origin", "time_hour"])

    assert both["temp"].equals(both["was"], check_names=False)
