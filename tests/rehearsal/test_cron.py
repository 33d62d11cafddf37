"""Schedule expressions fall due when AWS says they do; what is not carried out is named."""

import itertools
from datetime import UTC, datetime

import pytest

from rehearsal.cron import ScheduleError, check, due_times, next_due


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "due"),
    [
        ("cron(0 6 3 * ? *)", "2026-11-23T14:00", "2026-12-03T06:00"),
        ("cron(0 6 3 * ? *)", "2026-12-03T06:00", "2027-01-03T06:00"),
        ("cron(15 10 ? * MON-FRI *)", "2026-11-20T10:15", "2026-11-23T10:15"),
        ("cron(0/15 * * * ? *)", "2026-11-23T14:01", "2026-11-23T14:15"),
        ("cron(30 8 ? * 1 *)", "2026-11-23T14:01", "2026-11-29T08:30"),  # 1 is Sunday
        ("cron(0 0 29 FEB ? *)", "2026-11-23T14:01", "2028-02-29T00:00"),
        ("cron(0 0 1 1,7 ? 2027)", "2026-11-23T14:01", "2027-01-01T00:00"),
        ("rate(12 hours)", "2026-11-23T14:01", "2026-11-24T00:00"),
        ("at(2026-12-24T18:00:00)", "2026-11-23T14:01", "2026-12-24T18:00"),
    ],
)
def test_the_next_time(expression: str, after: str, due: str) -> None:
    assert next_due(expression, at(after)) == at(due)


def test_every_time_in_a_span_once() -> None:
    span = at("2026-11-01T00:00"), at("2026-11-30T23:59")

    assert [due.day for due in due_times("cron(0 6 1,15 * ? *)", *span)] == [1, 15]


def test_spans_that_meet_miss_and_repeat_nothing() -> None:
    moments = [at(f"2026-11-23T14:{minute:02}") for minute in range(0, 60, 7)]

    found = [due for one, two in itertools.pairwise(moments) for due in due_times("rate(5 minutes)", one, two)]

    assert found == list(due_times("rate(5 minutes)", moments[0], moments[-1]))


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("cron(0 6 * * *)", "has 5 fields; give six"),
        ("cron(0 6 3 * 2 *)", "only one, must be"),
        ("cron(0 6 ? * ? *)", "only one, must be"),
        ("cron(0 25 3 * ? *)", "hours '25'; values go from 0 to 23"),
        ("cron(0 6 L * ? *)", "day of month 'L'; give numbers from 1 to 31"),
        ("cron(0 6 3 * ? 1969)", "year '1969'; values go from 1970 to 2199"),
        ("rate(5 weeks)", "give a number and one of minute"),
        ("rate(0 days)", "give a number"),
        ("often", "give at"),
    ],
)
def test_what_is_wrong_is_named(expression: str, message: str) -> None:
    with pytest.raises(ScheduleError, match=message):
        check(expression)


def test_a_time_that_never_comes_is_said() -> None:
    with pytest.raises(ScheduleError, match="does not fall due within 800 days"):
        next_due("cron(0 0 31 2 ? *)", at("2026-11-23T00:00"))
