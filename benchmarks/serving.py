"""The inference server beside its yardstick and beside the usual way, side by side in one run.

`python benchmarks/serving.py [ROUNDS [SECONDS]]`, with .venv-bench (`make bench`) and wrk (apt install wrk, or brew
install wrk). Two workers each, on loopback; the load shares their cores. Servers are asked by turns. CPU is that of the
whole process tree; memory its proportional share (Linux).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.request import Request, urlopen

from measure import ROOT, machine

HOST = "127.0.0.1"
SERVE, BENCH = ROOT / ".venv-serve/bin/python", ROOT / ".venv-bench/bin"
SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "text/csv"
wrk.body = io.open("{file}"):read("*a")
"""
LATENCY = re.compile(r"50%\s+([\d.]+)(us|ms|s)")
REQUESTS = re.compile(r"(\d+) requests in")
RATE = re.compile(r"Requests/sec:\s+([\d.]+)")
UNITS = {"us": 1.0, "ms": 1e3, "s": 1e6}
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A contender: how it starts, and what was measured of it."""

    name: str
    command: list[str]
    port: int
    process: subprocess.Popen[bytes] | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])

    def start(self, root: Path) -> None:
        """Until it answers rightly: a first prediction, not only a ping."""
        begun = time.monotonic()
        environment = {
            "PATH": os.defpath,
            "SLIPWAY_ML_ROOT": str(root),
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
        }
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            self.command, cwd=ROOT / "benchmarks", env=environment, stdout=quiet, stderr=quiet, start_new_session=True
        )
        row = (root / "1.csv").read_bytes()
        while True:
            try:
                self.ask(row)
                break
            except OSError:
                time.sleep(0.01)
        self.note("start s", time.monotonic() - begun)

    def ask(self, body: bytes) -> bytes:
        request = Request(f"http://{HOST}:{self.port}/invocations", body, {"Content-Type": "text/csv"})
        with urlopen(request, timeout=10) as answer:  # noqa: S310 loopback
            return bytes(answer.read())

    def load(self, script: Path, connections: int, seconds: int) -> tuple[float, float, float]:
        """Requests a second, median microseconds, CPU microseconds a request."""
        before = self.cpu()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script)]
        done = subprocess.run(
            [*command, f"http://{HOST}:{self.port}/invocations"], capture_output=True, text=True, check=True
        )
        if "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
            sys.exit(f"{self.name}: {done.stdout}")
        used, count = self.cpu() - before, int(REQUESTS.search(done.stdout)[1])  # type: ignore[index]
        value, unit = LATENCY.search(done.stdout).groups()  # type: ignore[union-attr]
        return float(RATE.search(done.stdout)[1]), float(value) * UNITS[unit], used * 1e6 / count  # type: ignore[index]

    def _tree(self) -> list[int]:
        assert self.process  # noqa: S101
        found, new = [], [self.process.pid]
        while new:
            found += new
            new = [int(child) for pid in new for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return found

    def cpu(self) -> float:
        fields = [Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split() for pid in self._tree()]
        return sum(int(one[11]) + int(one[12]) for one in fields) / TICKS

    def memory(self) -> float:
        rolled = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self._tree()]
        return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.MULTILINE)[1]) for text in rolled) / 1024  # type: ignore[index]

    def end(self) -> None:
        assert self.process  # noqa: S101
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait()


def main(rounds: int, seconds: int) -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is missing; apt install wrk, or brew install wrk")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(
            [ROOT / ".venv/bin/python", "benchmarks/serving_model.py", root], cwd=ROOT, check=True, capture_output=True
        )
        lines = (root / "rows.csv").read_text().splitlines()
        for count in (1, 100):
            (root / f"{count}.csv").write_text("\n".join(lines[:count]) + "\n")
            (root / f"{count}.lua").write_text(SCRIPT.format(file=root / f"{count}.csv"))
        servers = contenders()
        for server in servers:
            server.start(root)
            check(server, root)
            server.note("MiB", server.memory())
        for _ in range(rounds):
            for server in servers:
                measure(server, root, seconds)
        for server in servers:
            server.end()
    print(f"serving {json.dumps(rounds)} rounds of {seconds} s, two workers")
    print(table(servers))


def contenders() -> list[Server]:
    ports = [_free_port() for _ in range(3)]
    uvicorn = [
        str(SERVE),
        "-m",
        "uvicorn",
        "serving_hello:hello",
        "--workers",
        "2",
        "--no-access-log",
        "--log-level",
        "error",
    ]
    gunicorn = [str(BENCH / "gunicorn"), "serving_flask:app", "--workers", "2", "--bind", f"{HOST}:{ports[2]}"]
    slipway = [str(SERVE), "-m", "pipeline_code.server", "--workers", "2", "--port", str(ports[1])]
    return [
        Server("uvicorn, hello", [*uvicorn, "--port", str(ports[0])], ports[0]),
        Server("slipway", slipway, ports[1]),
        Server("gunicorn, Flask, pandas", gunicorn, ports[2]),
    ]


def check(server: Server, root: Path) -> None:
    """Only equal work is compared: the same answers to the same rows."""
    if server.name.endswith("hello"):
        return
    found = [float(line.split(",")[0]) for line in server.ask((root / "100.csv").read_bytes()).decode().splitlines()]
    server.figures["answers"] = found


def measure(server: Server, root: Path, seconds: int) -> None:
    rate, _, cpu = server.load(root / "1.lua", 16, seconds)
    server.note("1 row /s", rate)
    server.note("CPU us", cpu)
    server.note("p50 us", server.load(root / "1.lua", 1, seconds)[1])
    server.note("100 rows /s", server.load(root / "100.lua", 16, seconds)[0])


def table(servers: list[Server]) -> str:
    figures = ("1 row /s", "p50 us", "CPU us", "100 rows /s", "start s", "MiB")
    lines = [machine(), f"{'':<26}" + "".join(f"{name:>13}" for name in figures)]
    lines += [f"{s.name:<26}" + "".join(f"{s.median(name):>13,.2f}" for name in figures) for s in servers]
    hello, ours, usual = servers
    off = max(abs(a - b) for a, b in zip(ours.figures["answers"], usual.figures["answers"], strict=True))
    lines.append(
        f"slipway to hello: {ours.median('1 row /s') / hello.median('1 row /s'):.2f} of its requests, "
        f"{ours.median('p50 us') / hello.median('p50 us'):.2f} of its p50"
    )
    lines.append(
        f"slipway to Flask: {ours.median('1 row /s') / usual.median('1 row /s'):.1f} times its requests of 1 row, "
        f"{ours.median('100 rows /s') / usual.median('100 rows /s'):.1f} times of 100 rows; answers {off:.1e} apart"
    )
    return "\n".join(lines)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [3, 3][len(given) :]))
