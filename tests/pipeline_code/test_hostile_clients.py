"""Clients that mean harm: whatever they send, it is their error, and the server stays small and answers others."""

from __future__ import annotations

import socket
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from real_server import Running, raw, root, rows, server

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

__all__ = ["root", "rows"]  # fixtures

MEGABYTE = 2**20
GROWTH_MB = 120
CONNECTIONS = 200
DEEP = b"[" * 100_000

BODIES = {
    "deep": DEEP + b"]" * 100_000,
    "deep, open": b'{"instances":' + DEEP,
    "nan": b'{"instances": [[NaN]]}',
    "infinity": b'{"instances": [[Infinity, -Infinity]]}',
    "huge": b'{"instances": [[' + b"9" * 10_000 + b"]]}",
    "exponent": b'{"instances": [[1e999999]]}',
    "utf-16": '{"instances": []}'.encode("utf-16"),
    "broken utf-8": b'{"instances": [["\xff\xfe"]]}',
    "null": b"null",
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(50_000)) + b"}",
    "zeros": b"\x00" * 100_000,
}


@pytest.fixture(scope="module")
def running(root: Path) -> Iterator[Running]:
    with server(root, "--workers", "1", "serve") as started:
        started.wait()
        yield started


def memory_mb(running: Running) -> float:
    """What the server and its workers hold."""
    pids = [running.process.pid]
    for pid in pids:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        pids += [int(child) for child in children]
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * 4096 / MEGABYTE


@pytest.fixture
def stays_small(running: Running) -> Iterator[None]:
    if sys.platform != "linux":
        pytest.skip("what a process holds is read from /proc")
    before = memory_mb(running)
    yield
    assert memory_mb(running) - before < GROWTH_MB


@pytest.mark.usefixtures("stays_small")
@pytest.mark.parametrize("media", ["application/json", "application/jsonlines", "text/csv"])
@pytest.mark.parametrize("name", list(BODIES))
def test_strange_bodies_are_the_clients_error(running: Running, media: str, name: str) -> None:
    for _ in range(5):
        status, answer = running.ask("POST", "/invocations", BODIES[name], content_type=media)
        assert 400 <= status < 500, (status, answer[:200])
    assert running.ask("GET", "/ping")[0] == 200


@pytest.mark.usefixtures("stays_small")
def test_a_body_in_chunks_without_an_end_is_cut_off(running: Running) -> None:
    """Nobody keeps more of it than of a body whose length is told."""
    chunk = b"10000\r\n" + b"1" * 0x10000 + b"\r\n"
    head = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(head)
        sent, answer = 0, b""
        try:
            while sent < 100 * MEGABYTE:
                connection.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass  # it has hung up
        with suppress(OSError):
            answer = connection.recv(65536)

    assert sent < 100 * MEGABYTE or answer.startswith(b"HTTP/1.1 4")
    assert running.ask("GET", "/ping")[0] == 200


@pytest.mark.usefixtures("stays_small")
def test_who_connects_and_says_little_keeps_nobody_out(running: Running, rows: pl.DataFrame) -> None:
    """Idle connections, headers and bodies that never end: others are answered meanwhile."""
    parts = [b"", b"POST /invo", b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n1"]
    line = rows.head(1).write_csv(include_header=False)
    with ExitStack() as open_ones:
        for number in range(CONNECTIONS):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=20))
            connection.sendall(parts[number % len(parts)])
        for _ in range(10):
            assert running.ask("POST", "/invocations", line, content_type="text/csv")[0] == 200


def test_a_length_that_lies_and_a_length_beside_chunks_are_no_servers_error(running: Running) -> None:
    head = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\n"
    for request in (
        head + b"content-length: 3\r\n\r\n" + b"1,2,3,4,5\n" * 10,
        head + b"content-length: 500\r\n\r\n1,2",
        head + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        head + b"content-length: 5\r\ncontent-length: 6\r\n\r\n1,2,3",
    ):
        assert not raw(running, request).startswith(b"HTTP/1.1 5")
    assert running.ask("GET", "/ping")[0] == 200


def test_headers_without_measure_are_refused(running: Running) -> None:
    many = b"".join(b"x-%d: y\r\n" % number for number in range(20_000))

    answer = raw(running, b"GET /ping HTTP/1.1\r\nhost: x\r\n" + many + b"\r\n")

    assert not answer.startswith(b"HTTP/1.1 5")
    assert running.ask("GET", "/ping")[0] == 200


@pytest.mark.usefixtures("stays_small")
def test_many_who_send_large_bodies_slowly_are_not_all_held(running: Running, rows: pl.DataFrame) -> None:
    """Twelve times twenty megabytes: some are taken in, the others' bytes stay with them; small requests go on."""
    head = b"POST /invocations HTTP/1.1\r\nhost: x\r\ncontent-type: text/csv\r\ncontent-length: 25000000\r\n\r\n"
    part = b"1" * (20 * MEGABYTE)
    stopped = 0
    with ExitStack() as open_ones:
        for _ in range(12):
            connection = open_ones.enter_context(socket.create_connection(("127.0.0.1", running.port), timeout=20))
            connection.sendall(head)
            connection.settimeout(0.5)
            try:
                connection.sendall(part)
            except TimeoutError:
                stopped += 1
        line = rows.head(1).write_csv(include_header=False)
        assert running.ask("POST", "/invocations", line, content_type="text/csv")[0] == 200
        assert stopped
