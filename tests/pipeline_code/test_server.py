"""The server as a process of its own, from the serve lock: healthy only when it predicts, and not to be broken."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from real_jobs import Real
from real_server import Running, raw, root, rows, server

from pipeline_code.predictor import Predictor

__all__ = ["root", "rows"]  # fixtures


@pytest.fixture(scope="module")
def running(root: Path) -> Iterator[Running]:
    with server(root, "--workers", "2", "serve") as started:
        started.wait()
        yield started


def test_thousands_of_rows_are_answered_as_the_trainer_would(running: Running, rows: pl.DataFrame, real: Real) -> None:
    expected = Predictor.load(real.model).predict(rows.to_dict(as_series=False))

    status, body = running.ask(
        "POST", "/invocations", rows.write_csv(include_header=False), content_type="text/csv", accept="application/json"
    )

    assert status == 200
    found = [one["probability"] for one in json.loads(body)["predictions"]]
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) <= 1e-6


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/ping", 200),
        ("GET", "/invocations", 405),
        ("POST", "/ping", 405),
        ("GET", "/", 404),
        ("POST", "/../etc/passwd", 404),
    ],
)
def test_it_answers_what_sagemaker_asks_and_nothing_else(running: Running, method: str, path: str, status: int) -> None:
    assert running.ask(method, path)[0] == status


def test_a_body_that_is_too_large_is_refused(running: Running) -> None:
    claimed = f"content-length: {26 * 2**20}\r\ncontent-type: text/csv\r\n"

    answer = raw(running, f"POST /invocations HTTP/1.1\r\nhost: x\r\n{claimed}\r\n1,2,3".encode())

    assert answer.startswith(b"HTTP/1.1 413")
    assert b"send fewer rows" in answer


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: \xff\xfe\r\ncontent-length: 1\r\n\r\n1",
        b"\x00\x01\x02\x03\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\n1",
        b"GET /ping HTTP/9.9\r\n\r\n",
    ],
    ids=["negative", "lying", "chunk", "header", "noise", "gzip", "version"],
)
def test_broken_http_is_refused_and_the_server_lives_on(running: Running, request_bytes: bytes) -> None:
    answer = raw(running, request_bytes)

    assert not answer.startswith(b"HTTP/1.1 5")
    assert running.ask("GET", "/ping")[0] == 200


def test_who_goes_away_in_the_middle_harms_nobody(running: Running, rows: pl.DataFrame) -> None:
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n1,2")

    line = rows.head(1).write_csv(include_header=False)
    assert running.ask("POST", "/invocations", line, content_type="text/csv")[0] == 200


def test_requests_in_flight_are_finished_when_it_is_ended(root: Path, rows: pl.DataFrame) -> None:
    body = rows.write_csv(include_header=False) * 10
    answers: list[int] = []
    with server(root, "--workers", "1") as started:
        started.wait()
        asking = threading.Thread(
            target=lambda: answers.append(started.ask("POST", "/invocations", body, content_type="text/csv")[0])
        )
        asking.start()
        time.sleep(0.05)
        started.process.send_signal(signal.SIGTERM)
        asking.join(30)

    assert answers == [200]


def test_a_folder_that_is_no_version_ends_it_with_a_word(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()

    done = Running(tmp_path, "--workers", "1").process
    out, _ = done.communicate(timeout=30)

    assert done.returncode == 1
    assert b"model without serving.json; serve a version that the step `package` has made" in out
    assert b"Traceback" not in out


def test_a_version_that_predicts_otherwise_is_never_healthy(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "model", tmp_path / "model")
    file = tmp_path / "model/serving.json"
    saved = json.loads(file.read_text())
    saved["test"]["probabilities"][0] += 0.01
    file.write_text(json.dumps(saved))

    with server(tmp_path, "--workers", "1") as started:
        started.wait(status=503)
        status, body = started.ask("GET", "/ping")

    assert status == 503
    assert b"predictions are 0.01 off those of the trainer" in body
