"""Capture by the server: SageMaker's own layout and form, a share of the requests, and nobody ever waits for it."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline_code import capture
from pipeline_code.capture import Capture
from pipeline_code.contract import CaptureEnvironment, ContractError

GRACE = 30.0
NAME = re.compile(r"\d{4}/\d\d/\d\d/\d\d/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl")


def records(folder: Path) -> list[dict[str, dict[str, dict[str, str]]]]:
    return [json.loads(line) for file in sorted(folder.rglob("*.jsonl")) for line in file.read_text().splitlines()]


def begun(folder: Path, percent: int = 100) -> Capture:
    made = capture.begin(CaptureEnvironment(str(folder), percent))
    assert made
    return made


def test_files_have_the_layout_and_lines_of_sagemaker(tmp_path: Path) -> None:
    kept = begun(tmp_path)

    kept.offer(b"1,2", "text/csv", b"0.5", "text/csv; charset=utf-8")
    kept.offer(b"\xff\x00", "application/octet-stream", b'{"a":1}', "application/json")
    kept.end(GRACE)

    assert all(NAME.fullmatch(file.relative_to(tmp_path).as_posix()) for file in tmp_path.rglob("*.jsonl"))
    first, second = records(tmp_path)
    assert set(first) == {"captureData", "eventMetadata", "eventVersion"}
    assert first["captureData"] == {
        "endpointInput": {"observedContentType": "text/csv", "mode": "INPUT", "data": "1,2", "encoding": "CSV"},
        "endpointOutput": {
            "observedContentType": "text/csv; charset=utf-8",
            "mode": "OUTPUT",
            "data": "0.5",
            "encoding": "CSV",
        },
    }
    assert second["captureData"]["endpointInput"]["data"] == "/wA="
    assert [side["encoding"] for side in second["captureData"].values()] == ["BASE64", "JSON"]
    assert (kept.written, kept.dropped) == (2, 0)


def test_a_share_is_met_exactly(tmp_path: Path) -> None:
    kept = begun(tmp_path, percent=20)

    for number in range(100):
        kept.offer(str(number).encode(), "text/csv", b"", "text/csv")
    kept.end(GRACE)

    assert [r["captureData"]["endpointInput"]["data"] for r in records(tmp_path)] == [str(n) for n in range(4, 100, 5)]


def test_a_writer_that_hangs_holds_up_nobody_and_drops_are_counted() -> None:
    hangs, free = threading.Event(), threading.Event()

    def write(_name: str, _content: bytes) -> None:
        hangs.set()
        free.wait(GRACE)

    kept = Capture(100, write, most_waiting=10, file_seconds=0.0)
    kept.offer(b"first", "text/csv", b"", "text/csv")
    assert hangs.wait(GRACE)  # the writer is busy from here on

    for _ in range(1_000):
        kept.offer(b"more", "text/csv", b"", "text/csv")

    assert (kept.written, kept.dropped) == (0, 990)
    free.set()
    kept.end(GRACE)
    assert kept.written == 11


def stuck() -> tuple[Callable[[str, bytes], None], list[int], threading.Event]:
    """What writes nothing until it may; the records of each file that was begun; and the word that it may."""
    begun_with: list[int] = []
    free = threading.Event()

    def write(_name: str, content: bytes) -> None:
        begun_with.append(content.count(b"\n"))
        free.wait(GRACE)

    return write, begun_with, free


def test_large_requests_are_bounded_by_their_bytes_until_they_are_written() -> None:
    write, files, free = stuck()
    kept = Capture(100, write)  # a file is gathered for a minute, and those in it are in memory too

    large = b"x" * 2**20
    for _ in range(200):
        kept.offer(large, "text/csv", b"", "text/csv")

    assert kept.dropped == 200 - 64  # 64 MB are held
    free.set()
    kept.end(GRACE)
    assert kept.written == 64
    assert files == [8] * 8  # nor does one file take them all


def test_there_is_room_again_for_what_was_written() -> None:
    write, _, free = stuck()
    kept = Capture(100, write)
    large = b"x" * 2**20
    for _ in range(65):
        kept.offer(large, "text/csv", b"", "text/csv")
    free.set()
    while kept.written < 48:
        pass

    for _ in range(40):
        kept.offer(large, "text/csv", b"", "text/csv")
    kept.end(GRACE)

    assert (kept.written, kept.dropped) == (104, 1)


def test_a_record_larger_than_a_file_has_one_of_its_own() -> None:
    write, files, free = stuck()
    free.set()
    kept = Capture(100, write)
    for size in (1, 25 * 2**20, 1):
        kept.offer(b"x" * size, "text/csv", b"", "text/csv")
    kept.end(GRACE)

    assert files == [1, 1, 1]


def test_a_file_ends_with_its_hour(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who reads the files of an hour finds all of that hour in its folder, and nothing else."""
    times = [datetime(2026, 3, 1, 10, 59, 58, tzinfo=UTC) + timedelta(seconds=n) for n in range(4)]

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return (next(told) if threading.current_thread() is threading.main_thread() else times[0]).astimezone(tz)

    told = iter(times)
    monkeypatch.setattr(capture, "datetime", Clock)
    kept = begun(tmp_path)
    for number in range(4):
        kept.offer(str(number).encode(), "text/csv", b"", "text/csv")
    kept.end(GRACE)

    assert sorted(file.parent.relative_to(tmp_path).as_posix() for file in tmp_path.rglob("*.jsonl")) == [
        "2026/03/01/10",
        "2026/03/01/11",
    ]
    assert [record["captureData"]["endpointInput"]["data"] for record in records(tmp_path)] == ["0", "1", "2", "3"]
    assert (kept.written, kept.dropped) == (4, 0)


def test_what_cannot_be_written_is_counted_and_the_next_is_written() -> None:
    tried: list[str] = []

    def write(name: str, _content: bytes) -> None:
        tried.append(name)
        if len(tried) == 1:
            raise OSError("no space left")

    kept = Capture(100, write, file_seconds=0.0)
    kept.offer(b"1", "text/csv", b"", "text/csv")
    while not kept.dropped:
        pass
    kept.offer(b"2", "text/csv", b"", "text/csv")
    kept.end(GRACE)

    assert (kept.written, kept.dropped) == (1, 1)


def test_the_environment_is_read_as_it_was_rendered() -> None:
    wanted = CaptureEnvironment("s3://bucket/capture", 20)

    assert CaptureEnvironment.parse(wanted.render()) == wanted
    assert CaptureEnvironment.parse({}) is None
    with pytest.raises(ContractError, match="SLIPWAY_CAPTURE_PERCENT = '0'; give a whole number from 1 to 100"):
        CaptureEnvironment.parse({**wanted.render(), "SLIPWAY_CAPTURE_PERCENT": "0"})
