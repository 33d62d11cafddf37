"""Capture by the server: SageMaker's own layout and form, a share of the requests, and nobody ever waits for it."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path

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


def test_large_requests_are_bounded_by_their_bytes() -> None:
    hangs, free = threading.Event(), threading.Event()

    def write(_name: str, _content: bytes) -> None:
        hangs.set()
        free.wait(GRACE)

    kept = Capture(100, write, file_seconds=0.0)
    kept.offer(b"first", "text/csv", b"", "text/csv")
    assert hangs.wait(GRACE)

    large = b"x" * 2**20
    for _ in range(65):
        kept.offer(large, "text/csv", b"", "text/csv")

    assert kept.dropped == 1  # 64 MB may wait
    free.set()
    kept.end(GRACE)


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
