"""What people are told of a failed run, and the lines of a log that matter."""

import pytest

from operations.notices import LINES, lines_that_matter

INFO = [f"2026-11-23 INFO line {number}" for number in range(40)]


def test_from_the_first_error_on() -> None:
    crash = ["Traceback (most recent call last):", '  File "x.py", line 3', "ValueError: row 7"]

    assert lines_that_matter([*INFO, *crash]) == crash


def test_the_last_lines_if_none_tells_of_an_error() -> None:
    assert lines_that_matter(INFO) == INFO[-LINES:]


def test_a_long_error_keeps_its_beginning_and_its_end() -> None:
    long = ["Traceback (most recent call last):", *(f"  frame {number}" for number in range(100)), "ValueError: row 7"]

    told = lines_that_matter(long)

    assert told[0] == long[0]
    assert told[-1] == long[-1]
    assert len(told) == LINES
    assert "... 88 lines ..." in told


@pytest.mark.parametrize("lines", [[], ["one"]])
def test_little_is_told_whole(lines: list[str]) -> None:
    assert lines_that_matter(lines) == lines
