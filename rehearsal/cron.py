"""When schedule expressions fall due.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

UNITS = {"minute": 60, "minutes": 60, "hour": 3600, "hours": 3600, "day": 86_400, "days": 86_400}
FIELDS = ("minutes", "hours", "day of month", "month", "day of week", "year")
BOUNDS = ((0, 59), (0, 23), (1, 31), (1, 12), (1, 7), (1970, 2199))
NAMES = {
    name: str(number)
    for names in (
        ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"),
        ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"),
    )
    for number, name in enumerate(names, 1)
}
DAY_OF_MONTH, DAY_OF_WEEK = 2, 4


class ScheduleError(Exception):
    """An expression that is wrong or not carried out here; names the part."""


def due_times(expression: str, after: datetime, until: datetime) -> Iterator[datetime]:
    """When the expression falls due later than `after` and not later than `until`; rates count from midnight."""
    kind, _, inner = expression.rstrip(")").partition("(")
    if kind == "at":
        due = datetime.fromisoformat(inner).replace(tzinfo=after.tzinfo)
        yield from [due] if after < due <= until else []
    elif kind == "rate":
        yield from _rate(inner, after, until)
    elif kind == "cron":
        yield from _cron(inner, after, until)
    else:
        raise ScheduleError(f"schedule {expression!r}; give at(...), rate(...) or cron(...)")


def _rate(text: str, after: datetime, until: datetime) -> Iterator[datetime]:
    match = re.fullmatch(r"([1-9]\d*) (\w+)", text)
    if match is None or match[2] not in UNITS:
        raise ScheduleError(f"rate({text}); give a number and one of {', '.join(UNITS)}")
    step = timedelta(seconds=int(match[1]) * UNITS[match[2]])
    due = after.replace(hour=0, minute=0, second=0, microsecond=0)
    while due <= until:
        if due > after:
            yield due
        due += step


def _cron(text: str, after: datetime, until: datetime) -> Iterator[datetime]:
    minutes, hours, days, months, weekdays, years = fields(text)
    day = after.replace(hour=0, minute=0, second=0, microsecond=0)
    while day <= until:
        # AWS counts the days of a week from Sunday, 1, Python from Monday, 1.
        on_day = day.day in days and day.month in months and day.isoweekday() % 7 + 1 in weekdays and day.year in years
        for hour in sorted(hours) if on_day else ():
            for minute in sorted(minutes):
                due = day.replace(hour=hour, minute=minute)
                if after < due <= until:
                    yield due
        day += timedelta(days=1)


def fields(text: str) -> list[set[int]]:
    """The six fields of a cron expression as the values they allow; L, W and # are not carried out here."""
    parts = text.split()
    if len(parts) != len(FIELDS):
        raise ScheduleError(f"cron({text}) has {len(parts)} fields; give six: {', '.join(FIELDS)}")
    if (parts[DAY_OF_MONTH] == "?") == (parts[DAY_OF_WEEK] == "?"):
        raise ScheduleError(f"cron({text}): one of day of month and day of week, and only one, must be ?")
    return [_field(name, part, *bounds) for name, part, bounds in zip(FIELDS, parts, BOUNDS, strict=True)]


def _field(name: str, text: str, least: int, most: int) -> set[int]:
    found: set[int] = set()
    for part in text.split(","):
        spelt = re.sub(r"[A-Z]{3}", lambda match: NAMES.get(match[0], match[0]), part.upper())
        match = re.fullmatch(r"(\*|\?|(\d+)(?:-(\d+))?)(?:/([1-9]\d*))?", spelt)
        if match is None:
            raise ScheduleError(f"{name} {part!r}; give numbers from {least} to {most}, *, ?, lists, ranges or steps")
        first = int(match[2]) if match[2] else least
        last = int(match[3]) if match[3] else (first if match[2] and not match[4] else most)
        if not least <= first <= last <= most:
            raise ScheduleError(f"{name} {part!r}; values go from {least} to {most}")
        found |= set(range(first, last + 1, int(match[4] or 1)))
    return found


def next_due(expression: str, after: datetime, within: timedelta = timedelta(days=800)) -> datetime:
    """The first time later than `after`."""
    until = after
    while until < after + within:
        begin, until = until, until + timedelta(days=31)
        for due in due_times(expression, begin, until):
            return due
    raise ScheduleError(f"schedule {expression!r} does not fall due within {within.days} days")


def check(expression: str) -> None:
    """Raise ScheduleError for an expression that is wrong or not carried out here."""
    moment = datetime(2026, 1, 1)  # noqa: DTZ001 any moment will do
    next(due_times(expression, moment, moment), None)
