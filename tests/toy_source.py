"""A small source with every kind of rule, for tests of the data contract."""

from pathlib import Path

from pipeline_code.model import Column, Reference, Source
from pipeline_code.periods import SourceFile

SHOPS = Source("shops", "reference", (Column("id", "string"), Column("size", "integer", nullable=True)), ("id",))
VISITS = Source(
    "visits",
    "event",
    (
        Column("at", "timestamp"),
        Column("year", "integer"),
        Column("month", "integer"),
        Column("day", "integer"),
        Column("shop", "string"),
        Column("kind", "string", categories=("walk", "ride")),
        Column("spent", "number", nullable=True, minimum=0, maximum=100),
    ),
    ("at", "shop"),
    references=(Reference("shop", "shops", "id"), Reference("kind", "shops", "id", optional=True)),
    date_columns=("year", "month", "day"),
    max_quarantined=0.9,
)
HEADER = "at,year,month,day,shop,kind,spent"
GOOD = "2020-01-05T10:00:00Z,2020,1,5,north,walk,9.5"


def file(path: Path, source: str, period: str = "2020-01") -> SourceFile:
    return SourceFile(source, period, path, "", path.stat().st_size, "")
