"""The short way answers as the long one does, in order, and gives way where it must."""

from __future__ import annotations

import asyncio
import http.client
import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest
import uvicorn
from real_jobs import Real
from real_server import Running, root, rows, server

from pipeline_code.inference import Answer
from pipeline_code.predictor import Predictor
from pipeline_code.server import SETTINGS, Server
from pipeline_code.short_way import HOLD_SECONDS

__all__ = ["root", "rows"]  # fixtures
PAUSES = {"soon": 0.02, "late": HOLD_SECONDS * 1.5}

HEADERS = {
    "csv": "content-type: text/csv",
    "json asked for": "content-type: text/csv\r\naccept: application/json",
    "nothing said": "x-nothing: said",
    "wrong type": "content-type: image/png",
    "wrong answer": "content-type: text/csv\r\naccept: image/png",
    "gzip": "content-type: text/csv\r\ncontent-encoding: gzip",
    "last time": "content-type: text/csv\r\nconnection: close",
    "expects": "content-type: text/csv\r\nexpect: 100-continue",
    "upgrade": "content-type: text/csv\r\nconnection: upgrade\r\nupgrade: h2c",
}


@pytest.fixture(scope="module")
def running(root: Path) -> Iterator[Running]:
    with server(root, "--workers", "1", "serve") as started:
        started.wait()
        yield started


@pytest.fixture(scope="module")
def lines(rows: pl.DataFrame) -> list[bytes]:
    return rows.write_csv(include_header=False).encode().splitlines(keepends=True)


def head(length: int, headers: str = HEADERS["csv"], version: str = "1.1") -> bytes:
    return f"POST /invocations HTTP/{version}\r\nhost: x\r\ncontent-length: {length}\r\n{headers}\r\n\r\n".encode()


def connect(running: Running) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", running.port), timeout=10)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def send(connection: socket.socket, *packets: bytes, pause: float = PAUSES["soon"]) -> None:
    for number, packet in enumerate(packets):
        time.sleep(pause if number else 0)
        connection.sendall(packet)


class Stream(io.BufferedReader):
    """One connection's answers after one another; http.client would read ahead."""

    def makefile(self, *_: Any) -> Stream:
        return self

    def close(self) -> None:
        """Another answer may follow."""


def answers(connection: socket.socket, count: int) -> list[tuple[int, dict[str, str], bytes]]:
    stream = Stream(socket.SocketIO(connection, "r"))
    found = []
    for _ in range(count):
        response = http.client.HTTPResponse(stream)  # type: ignore[arg-type]
        response.begin()
        found.append((response.status, dict(response.getheaders()), response.read()))
    return found


@pytest.mark.parametrize("headers", HEADERS.values(), ids=HEADERS)
@pytest.mark.parametrize("body", ["one", "many", "bad", "none"])
def test_a_request_in_one_packet_is_answered_like_those_that_come_soon_or_late(
    running: Running, lines: list[bytes], headers: str, body: str
) -> None:
    sent = {"one": lines[0], "many": b"".join(lines[:50]), "bad": b"x" + lines[0], "none": b""}[body]
    with ExitStack() as open_ones:
        whole, soon, late = (open_ones.enter_context(closing(connect(running))) for _ in range(3))
        send(whole, head(len(sent), headers) + sent)
        send(soon, head(len(sent), headers), sent, pause=PAUSES["soon"])
        send(late, head(len(sent), headers), sent, pause=PAUSES["late"])

        found = answers(whole, 1)

        assert found == answers(soon, 1) == answers(late, 1)
    assert found[0][0] in {200, 400, 406, 415}


def test_requests_in_one_packet_are_answered_in_order(running: Running, lines: list[bytes], real: Real) -> None:
    with closing(connect(running)) as connection:
        send(connection, b"".join(head(len(line)) + line for line in lines[:30]))
        found = [float(body.split(b",")[0]) for _, _, body in answers(connection, 30)]

    expected = Predictor.load(real.model).predict(
        pl.read_parquet(real.dataset / "test.parquet").to_dict(as_series=False)
    )
    assert found == pytest.approx(list(expected[:30]), abs=1e-6)


@pytest.mark.parametrize("cut", [1, 40, 100, 180])
def test_short_and_long_follow_one_another(running: Running, lines: list[bytes], cut: int) -> None:
    """The second packet ends one request, holds a whole one, and begins a third."""
    first, second, third = (head(len(line)) + line for line in lines[:3])
    with closing(connect(running)) as connection:
        send(connection, first[:cut], first[cut:] + second + third[:cut], third[cut:])
        mixed = [body for _, _, body in answers(connection, 3)]
    with closing(connect(running)) as connection:
        send(connection, first + second + third)
        assert [body for _, _, body in answers(connection, 3)] == mixed


def test_a_body_that_comes_in_many_small_parts(running: Running, lines: list[bytes]) -> None:
    body = lines[0]
    with closing(connect(running)) as connection:
        send(connection, head(len(body)), *(body[place : place + 10] for place in range(0, len(body), 10)), pause=0.01)

        assert answers(connection, 1)[0][0] == 200


def test_http_1_0_is_answered_and_closed(running: Running, lines: list[bytes]) -> None:
    with closing(connect(running)) as connection:
        send(connection, head(len(lines[0]), version="1.0") + lines[0])

        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        while connection.recv(65536):
            pass


def test_who_asks_and_never_reads_is_not_listened_to_any_more(running: Running, lines: list[bytes]) -> None:
    """What cannot be written is not piled up: reading stops until the client reads."""
    request = head(0, "content-type: text/csv") * 500  # 50 KB
    with closing(connect(running)) as connection:
        connection.settimeout(2)
        with pytest.raises(TimeoutError):
            connection.sendall(request * 1_000)
        assert running.ask("POST", "/invocations", lines[0], content_type="text/csv")[0] == 200


@contextmanager
def inside(app: Server) -> Iterator[int]:
    """The server within the test's process; the port it listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(app, lifespan="off", log_level="critical", **SETTINGS)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=lambda: asyncio.run(running.serve([listening])))
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(30)


def test_a_fault_of_ours_is_told_by_the_long_way(root: Path, lines: list[bytes]) -> None:
    app = Server(root / "model")
    asked: list[bytes] = []

    class Broken:
        def answer(self, body: bytes, *_: str) -> Answer:
            asked.append(body)
            raise ZeroDivisionError

    app._handler = Broken()  # type: ignore[assignment]
    with inside(app) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("POST", "/invocations", lines[0], {"content-type": "text/csv"})
        response = connection.getresponse()

        assert response.status == 500
        assert b"Traceback" not in response.read()
        connection.close()
    assert asked == [lines[0], lines[0]]


def test_a_large_body_in_one_request_takes_the_long_way(root: Path, lines: list[bytes]) -> None:
    app = Server(root / "model")
    short: list[int] = []
    at_once = app.at_once

    def counted(headers: Any, body: bytes) -> Answer:
        short.append(len(body))
        return at_once(headers, body)

    app.at_once = counted  # type: ignore[method-assign]
    with inside(app) as port:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        for body in (b"".join(lines * 2), lines[0]):  # http.client sends head and body apart
            connection.request("POST", "/invocations", body, {"content-type": "text/csv"})
            response = connection.getresponse()
            assert response.status == 200
            assert len(response.read().splitlines()) == len(body.splitlines())
        connection.close()
    assert short == [len(lines[0])]


def test_a_request_that_has_begun_is_finished_when_the_server_ends(root: Path, lines: list[bytes]) -> None:
    with server(root, "--workers", "1") as started:
        started.wait()
        with closing(connect(started)) as connection:
            connection.sendall(head(len(lines[0])) + lines[0][:10])
            time.sleep(PAUSES["soon"])
            started.process.terminate()
            time.sleep(HOLD_SECONDS / 2)
            connection.sendall(lines[0][10:])

            assert answers(connection, 1)[0][0] == 200


@pytest.mark.parametrize("ends", [True, False], ids=["whole", "hung up"])
def test_half_a_body_is_neither_answered_nor_captured(root: Path, lines: list[bytes], *, ends: bool) -> None:
    """Two good rows of many, and then nobody: what came would be a request of its own."""
    app, kept, told = Server(root / "model"), [], []
    app._capture = SimpleNamespace(offer=lambda body, *_: kept.append(body))  # type: ignore[assignment]
    rest = {"type": "http.request", "body": b"".join(lines[2:4])} if ends else {"type": "http.disconnect"}
    messages = iter([{"type": "http.request", "body": b"".join(lines[:2]), "more_body": True}, rest])

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        told.append(message.get("status"))

    scope = {"type": "http", "method": "POST", "path": "/invocations", "headers": [(b"content-type", b"text/csv")]}
    asyncio.run(app(scope, receive, send))

    assert told[0] == (200 if ends else 400)
    assert [body.count(b"\n") for body in kept] == ([4] if ends else [])
