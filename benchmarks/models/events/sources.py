"""One event table, every column with a rule."""

from __future__ import annotations

from pipeline_code.model import Column, Source

MEASURES = tuple(f"measure_{i}" for i in range(10))
KINDS = tuple(f"kind_{i}" for i in range(4))

SOURCES = (
    Source(
        "events",
        "event",
        (
            Column("at", "timestamp"),
            Column("id", "integer", minimum=0),
            Column("year", "integer"),
            Column("month", "integer"),
            Column("day", "integer"),
            Column("happened", "integer", minimum=0, maximum=1),
            *(Column(name, "string", categories=("alpha", "beta", "gamma", "delta", "epsilon")) for name in KINDS),
            *(Column(name, "number", minimum=-100, maximum=200) for name in MEASURES),
        ),
        unique=("id",),
        date_columns=("year", "month", "day"),
    ),
)
