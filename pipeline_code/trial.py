"""Tries a packaged version in the server that will serve it: a process of its own, started as an endpoint starts it."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import ML_ROOT_VARIABLE, ContractError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HOST = "127.0.0.1"
START_SECONDS = 60.0
END_SECONDS = 10.0
CHUNKS = (1, 7, 100, 1_000)
"""Rows a request, by turns, so that both ways of predicting answer."""

TIMED = 300
"""Single rows that are timed."""


@dataclass(frozen=True)
class Serve:
    """How the server is started: its Python, and where the root of the model's folder lies."""

    python: Path
    root: Path

    def crossover(self, rows: Path) -> dict[str, Any]:
        """What `crossover` prints of the version below `root`; `rows` is a .npy file."""
        done = self._run("pipeline_code.crossover", str(self.root / "model"), str(rows))
        found: dict[str, Any] = json.loads(done)
        return found

    @contextmanager
    def start(self) -> Iterator[http.client.HTTPConnection]:
        """The server, healthy; ended with the block. Raises ContractError with its last words if it is not."""
        port = _free_port()
        with tempfile.TemporaryFile() as said:
            command = [str(self.python), "-m", "pipeline_code.server", "--port", str(port), "--workers", "1", "serve"]
            process = subprocess.Popen(command, env=self._environment(), stdout=said, stderr=said)
            connection = http.client.HTTPConnection(HOST, port, timeout=START_SECONDS)
            try:
                healthy = _wait_for_health(connection, process)
                if not healthy:
                    said.seek(0)
                    words = said.read().decode(errors="replace")[-500:].strip()
                    raise ContractError(f"the version does not serve: {words or 'no answer to GET /ping'}")
                yield connection
            finally:
                connection.close()
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _run(self, *module: str) -> str:
        command = [str(self.python), "-m", *module]
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            raise ContractError(f"{module[0]} failed: {done.stderr[-500:].strip()}")
        return done.stdout

    def _environment(self) -> Mapping[str, str]:
        return {
            "PATH": os.defpath,
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(Path(__file__).resolve().parent.parent),
            "PYTHONDONTWRITEBYTECODE": "1",
            ML_ROOT_VARIABLE: str(self.root),
        }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _wait_for_health(connection: http.client.HTTPConnection, process: subprocess.Popen[bytes]) -> bool:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            connection.request("GET", "/ping")
            response = connection.getresponse()
            response.read()
        except OSError:
            connection.close()
            time.sleep(0.05)
            continue
        return response.status == http.client.OK
    return False


def probabilities(connection: http.client.HTTPConnection, lines: Sequence[str]) -> list[float]:
    """The server's answers to lines of CSV, asked in chunks of several sizes."""
    found: list[float] = []
    start = turn = 0
    while start < len(lines):
        size = CHUNKS[turn % len(CHUNKS)]
        found += [one["probability"] for one in _ask(connection, lines[start : start + size])]
        start, turn = start + size, turn + 1
    return found


def milliseconds(connection: http.client.HTTPConnection, lines: Sequence[str]) -> dict[str, float]:
    """Median and 99th percentile of a single row's round trip on this machine."""
    taken = []
    for number in range(TIMED):
        begun = time.perf_counter()
        _ask(connection, [lines[number % len(lines)]])
        taken.append((time.perf_counter() - begun) * 1000)
    taken.sort()
    return {"p50_ms": round(taken[TIMED // 2], 3), "p99_ms": round(taken[TIMED * 99 // 100], 3)}


def _ask(connection: http.client.HTTPConnection, lines: Sequence[str]) -> list[dict[str, Any]]:
    headers = {"Content-Type": "text/csv", "Accept": "application/json"}
    connection.request("POST", "/invocations", "\n".join(lines), headers)
    response = connection.getresponse()
    body = response.read()
    if response.status != http.client.OK:
        raise ContractError(f"the server answers real rows with {response.status}: {body[:300].decode()}")
    predictions: list[dict[str, Any]] = json.loads(body)["predictions"]
    return predictions
