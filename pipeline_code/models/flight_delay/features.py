"""Features of a flight from what is known at its scheduled departure, and the label from its arrival.

Written once against narwhals: Polars runs it here, Spark can when a year outgrows one machine. Functions that
silently mean different things on the two (weekday numbers, rounding, parsing timestamps) are avoided or noted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from pipeline_code.model import DAY, EXCLUDED, LABEL
from pipeline_code.models.flight_delay import MODEL

if TYPE_CHECKING:
    from collections.abc import Mapping

WEATHER = ("temp", "humid", "wind_speed", "precip", "pressure", "visib")
LATE_MINUTES = 15
"""A flight is late when it arrives more than this after schedule, as the US Department of Transportation counts."""
STALL_MINUTES = 60
CLOCK_MARGIN = 120
HISTORY_DAYS = 7
MINUTES_PER_DAY = 1440
NEW_YORK_TZ = -5

Frame = nw.LazyFrame[Any]


def make(sources: Mapping[str, Any]) -> Any:
    """One row per flight: key, day, features, label (null for a flight without arrival) and why it is excluded.

    `sources` are frames of flights, weather, planes and airports as sources.py declares them; the result is a lazy
    frame of the same engine, unordered.
    """
    flights, weather, planes, airports = (
        nw.from_native(sources[name]).lazy() for name in ("flights", "weather", "planes", "airports")
    )
    flights = _schedule(flights, airports)
    made = (
        flights.join(_stall(flights), on=["origin", "time_hour"], how="left")
        .join(_weather(weather), on=["origin", "time_hour"], how="left")
        .join(planes.select("tailnum", "seats", built="year"), on="tailnum", how="left")
        .with_columns(plane_age=nw.col("year") - nw.col("built"))
    )
    for column in ("carrier", "dest"):
        made = made.join(_history(flights, column), on=[column, DAY], how="left")
    columns = dict.fromkeys([*MODEL.key, DAY, *MODEL.feature_names, LABEL, EXCLUDED])
    return made.with_columns(*_outcome()).select(*columns).to_native()


def _minutes(hhmm: str) -> nw.Expr:
    return (nw.col(hhmm) // 100) * 60 + nw.col(hhmm) % 100


def _schedule(flights: Frame, airports: Frame) -> Frame:
    """Adds what the timetable alone tells: day, weekday, minute of the day, minutes in the air, departures that hour.

    Arrival times are local to the destination. Where its time zone is not listed, New York's is taken.
    """
    local = _minutes("sched_arr_time") - _minutes("sched_dep_time")
    behind = (nw.col("tz").fill_null(NEW_YORK_TZ) - NEW_YORK_TZ).cast(nw.Int64) * 60
    date = nw.col("year") * 10_000 + nw.col("month") * 100 + nw.col("day")
    return (
        flights.join(airports.select("tz", dest="faa"), on="dest", how="left")
        .with_columns(
            date.cast(nw.String).str.to_date(format="%Y%m%d").alias(DAY),
            minute_of_day=_minutes("sched_dep_time"),
            sched_minutes=(local - behind + 2 * MINUTES_PER_DAY) % MINUTES_PER_DAY,
            origin_load=nw.len().over("origin", "time_hour"),
        )
        # Sunday is 7 on Polars and 0 on Spark; the remainder is the same on both.
        .with_columns(dow=nw.col(DAY).dt.weekday() % 7)
    )


def _outcome() -> tuple[nw.Expr, nw.Expr]:
    """Label, and the reason when there is none: no departure is a cancellation, no arrival a diversion."""
    arrived, departed = ~nw.col("arr_delay").is_null(), ~nw.col("dep_time").is_null()
    label = nw.when(arrived).then((nw.col("arr_delay") > LATE_MINUTES).cast(nw.Int64))
    reason = (
        nw.when(~arrived & ~departed).then(nw.lit("cancelled")).otherwise(nw.when(~arrived).then(nw.lit("diverted")))
    )
    return label.alias(LABEL), reason.alias(EXCLUDED)


def _stall(flights: Frame) -> Frame:
    """Mean departure delay of the flights scheduled two hours earlier at the same airport, each cut off at an hour.

    The last of them was due 61 minutes before this hour begins. An hour after its time it has either left, and its
    delay is known, or not, and counts as an hour: cancelled or very late makes no difference, as nobody knows yet.
    """
    cut = nw.col("dep_delay").fill_null(STALL_MINUTES).clip(upper_bound=STALL_MINUTES)
    mean = flights.with_columns(stall=cut).group_by("origin", "time_hour").agg(origin_stall=nw.col("stall").mean())
    return mean.with_columns(time_hour=nw.col("time_hour").dt.offset_by("2h"))


def _weather(weather: Frame) -> Frame:
    """The observation of the hour before: the one of the same hour may be made after departure."""
    observed = weather.with_columns(time_hour=nw.col("time_hour").dt.offset_by("1h"))
    return observed.select("origin", "time_hour", *WEATHER)


def _history(flights: Frame, column: str) -> Frame:
    """Share of flights not on time, by carrier or destination, over the last days whose outcome is known.

    Whether a flight is on time is known once its scheduled arrival is LATE_MINUTES past, even if it is then still in
    the air, diverted or cancelled: all of these are not on time. A flight counts on the New York day of that moment,
    and a day's flights see earlier days only, so a red-eye that lands this morning is not seen today.
    """
    late = (nw.col("arr_delay").is_null() | (nw.col("arr_delay") > LATE_MINUTES)).cast(nw.Int64)
    outcomes = flights.select(column, _known_day().alias(DAY), late=late, flights=nw.lit(1))
    asking = flights.select(column, DAY, late=nw.lit(0).cast(nw.Int64), flights=nw.lit(0))
    daily = nw.concat([outcomes, asking]).group_by(column, DAY).agg(nw.col("late", "flights").sum())
    sums = nw.col("late", "flights").rolling_sum(HISTORY_DAYS, min_samples=1).over(column, order_by=DAY)
    before = nw.col("late", "flights").shift(1).over(column, order_by=DAY)
    share = nw.when(nw.col("flights") > 0).then(nw.col("late") / nw.col("flights"))
    return daily.with_columns(sums).with_columns(before).select(column, DAY, share.alias(f"{column}_late_7d"))


def _known_day() -> nw.Expr:
    """The New York day on which it is known whether a flight is on time.

    CLOCK_MARGIN covers what winter time zones leave out: daylight saving here and not there, and the night it begins.
    """
    days = (nw.col("minute_of_day") + nw.col("sched_minutes") + LATE_MINUTES + CLOCK_MARGIN) // MINUTES_PER_DAY
    same, next_day = nw.col(DAY), nw.col(DAY).dt.offset_by("1d")
    return (
        nw.when(days <= 0)
        .then(same)
        .otherwise(nw.when(days == 1).then(next_day).otherwise(next_day.dt.offset_by("1d")))
    )
