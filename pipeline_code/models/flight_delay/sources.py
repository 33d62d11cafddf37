"""The tables behind flight_delay, as the real data is: what may be null, what is a range, who refers to whom.

https://github.com/tidyverse/nycflights13 describes the columns.
"""

from __future__ import annotations

from pipeline_code.model import Column, Reference, Source

ORIGINS = ("EWR", "JFK", "LGA")

FLIGHTS = Source(
    name="flights",
    kind="event",
    columns=(
        Column("year", "integer", minimum=2000, maximum=2100),
        Column("month", "integer", minimum=1, maximum=12),
        Column("day", "integer", minimum=1, maximum=31),
        # Local times as HHMM; null for what never happened: a cancelled flight, a diverted arrival.
        Column("dep_time", "integer", nullable=True, minimum=1, maximum=2400),
        Column("sched_dep_time", "integer", minimum=0, maximum=2359),
        Column("dep_delay", "integer", nullable=True, minimum=-120, maximum=2880),
        Column("arr_time", "integer", nullable=True, minimum=1, maximum=2400),
        Column("sched_arr_time", "integer", minimum=0, maximum=2400),
        Column("arr_delay", "integer", nullable=True, minimum=-240, maximum=2880),
        Column("carrier", "string"),
        Column("flight", "integer", minimum=1, maximum=9999),
        Column("tailnum", "string", nullable=True),
        Column("origin", "string", categories=ORIGINS),
        Column("dest", "string"),
        Column("distance", "number", minimum=1, maximum=12_000),
        Column("minute", "integer", minimum=0, maximum=59),
        Column("time_hour", "timestamp"),
    ),
    unique=("time_hour", "carrier", "flight", "origin"),
    references=(
        Reference("carrier", "airlines", "carrier"),
        Reference("origin", "airports", "faa"),
        # Real gaps: airports in the Caribbean are not listed, and one plane in seven is in no registry.
        Reference("dest", "airports", "faa", optional=True),
        Reference("tailnum", "planes", "tailnum", optional=True),
    ),
    date_columns=("year", "month", "day"),
)

WEATHER = Source(
    name="weather",
    kind="event",
    columns=(
        Column("origin", "string", categories=ORIGINS),
        Column("year", "integer", minimum=2000, maximum=2100),
        Column("month", "integer", minimum=1, maximum=12),
        Column("day", "integer", minimum=1, maximum=31),
        Column("temp", "number", nullable=True, minimum=-60, maximum=130),
        Column("humid", "number", nullable=True, minimum=0, maximum=100),
        # Miles per hour. The strongest gust ever measured is 253; the data holds a 1048, which is a typing error.
        Column("wind_speed", "number", nullable=True, minimum=0, maximum=253),
        Column("precip", "number", nullable=True, minimum=0, maximum=20),
        Column("pressure", "number", nullable=True, minimum=850, maximum=1090),
        Column("visib", "number", nullable=True, minimum=0, maximum=100),
        Column("time_hour", "timestamp"),
    ),
    unique=("origin", "time_hour"),
    date_columns=("year", "month", "day"),
)

PLANES = Source(
    name="planes",
    kind="reference",
    columns=(
        Column("tailnum", "string"),
        Column("year", "integer", nullable=True, minimum=1900, maximum=2100),
        Column("seats", "integer", minimum=1, maximum=1000),
    ),
    unique=("tailnum",),
)

AIRPORTS = Source(
    name="airports",
    kind="reference",
    columns=(
        Column("faa", "string"),
        # Hours from UTC in winter.
        Column("tz", "number", minimum=-12, maximum=14),
    ),
    unique=("faa",),
)

AIRLINES = Source(
    name="airlines",
    kind="reference",
    columns=(Column("carrier", "string"), Column("name", "string")),
    unique=("carrier",),
)

SOURCES = (AIRLINES, AIRPORTS, PLANES, WEATHER, FLIGHTS)
