"""The server as a process of its own, from the serve lock, and what tests ask it."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from real_jobs import Real

from pipeline_code.predictor import Predictor, unpack_archive
from stacks.config import ROOT

PYTHON = ROOT / ".venv-serve/bin/python"


class Running:
    """A server, and the port it listens on."""

    def __init__(self, root: Path, *arguments: str) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        command = [str(PYTHON), "-m", "pipeline_code.server", "--port", str(self.port), *arguments]
        environment = {"PATH": os.defpath, "SLIPWAY_ML_ROOT": str(root), "PYTHONPATH": str(ROOT)}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def wait(self, status: int = 200) -> None:
        end = time.monotonic() + 30
        while time.monotonic() < end and self.process.poll() is None:
            try:
                if self.ask("GET", "/ping")[0] == status:
                    return
            except OSError:
                time.sleep(0.05)
        raise AssertionError(self.ended())

    def ended(self) -> str:
        self.process.kill()
        out, _ = self.process.communicate(timeout=10)
        return str(out.decode())


@contextmanager
def server(root: Path, *arguments: str) -> Iterator[Running]:
    running = Running(root, *arguments)
    try:
        yield running
    finally:
        running.process.terminate()
        running.process.communicate(timeout=40)


@pytest.fixture(scope="module")
def root(real: Real, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("ml")
    unpack_archive(real.package / "model.tar.gz", made / "model")
    return made


@pytest.fixture(scope="module")
def rows(real: Real) -> pl.DataFrame:
    features = Predictor.load(real.model).encoding.features
    return pl.read_parquet(real.dataset / "test.parquet").select(features).head(2_000)


def raw(running: Running, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        answer = b""
        while part := connection.recv(65536):
            answer += part
        return answer
