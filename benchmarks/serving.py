"""The inference server beside its yardstick, the usual way and its peers, side by side in one run.

`python benchmarks/serving.py [TURNS [SECONDS]]`, with .venv-bench* (`make bench`) and wrk (apt install wrk, or brew
install wrk). Two workers each, on loopback; the load shares their cores. A machine that is shared changes its speed
from one second to the next: so servers are asked by turns, many and short ones, a ratio is made within a turn, and the
median of all turns is told. CPU is that of the whole process tree; memory its proportional share (Linux).

MLServer is there twice. Its two parallel workers stand behind a third process, which parses and passes on every
request; without workers that process predicts too, for less CPU a request but on one core. Which setting is its best
the table says.
"""

from __future__ import annotations

import contextlib
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
from serving_asked import BENTOML, SAGEMAKER, SCRIPT, V2, Asked

HOST = "127.0.0.1"
SERVE, BENCH = ROOT / ".venv-serve/bin/python", ROOT / ".venv-bench/bin"
COUNTS = (1, 100)
START_SECONDS, END_SECONDS = 60, 10
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
    asked: Asked = SAGEMAKER
    process: subprocess.Popen[bytes] | None = None
    figures: dict[str, list[float]] = field(default_factory=dict)

    def note(self, figure: str, value: float) -> None:
        self.figures.setdefault(figure, []).append(value)

    def median(self, figure: str) -> float:
        return statistics.median(self.figures[figure])

    def to(self, other: Server, figure: str) -> float:
        """How many times another's figure ours is, by turns."""
        pairs = zip(self.figures[figure], other.figures[figure], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)

    def start(self, root: Path) -> None:
        """Until it answers rightly: a first prediction, not only a ping."""
        begun = time.monotonic()
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            self.command,
            cwd=ROOT / "benchmarks",
            env=surroundings(root),
            stdout=quiet,
            stderr=quiet,
            start_new_session=True,
        )
        row = self.body(root, 1).read_bytes()
        while True:
            try:
                self.ask(row)
                break
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() - begun > START_SECONDS:
                    self.end()
                    sys.exit(f"{self.name} does not answer: {error}")
                time.sleep(0.01)
        self.note("start s", time.monotonic() - begun)

    def body(self, root: Path, count: int) -> Path:
        return root / f"{count}.{self.asked.suffix}"

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}{self.asked.path}"

    def ask(self, body: bytes) -> bytes:
        request = Request(self.url, body, {"Content-Type": self.asked.type})  # noqa: S310 loopback
        with urlopen(request, timeout=10) as answer:  # noqa: S310 loopback
            return bytes(answer.read())

    def load(self, body: Path, connections: int, seconds: int) -> tuple[float, float, float]:
        """Requests a second, median microseconds, CPU microseconds a request."""
        before = self.cpu()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", f"{body}.lua", self.url]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
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
        """By force where asking is not enough: after load, MLServer's workers may keep it from ending."""
        assert self.process  # noqa: S101
        for signaled, patience in ((signal.SIGTERM, END_SECONDS), (signal.SIGKILL, None)):
            with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
                os.killpg(self.process.pid, signaled)
                self.process.wait(patience)


def main(rounds: int, seconds: int) -> None:
    if not shutil.which("wrk"):
        sys.exit("wrk is missing; apt install wrk, or brew install wrk")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(
            [ROOT / ".venv/bin/python", "benchmarks/serving_model.py", root], cwd=ROOT, check=True, capture_output=True
        )
        servers = contenders(root)
        write_bodies(servers, root)
        alone = compare(servers, root, rounds, seconds)
    print(f"serving {json.dumps(rounds)} turns of {seconds} s, two workers")
    print(table(servers, alone))


def write_bodies(servers: list[Server], root: Path) -> None:
    """The same rows for everyone, each in its own words."""
    lines = (root / "rows.csv").read_text().splitlines()
    saved = json.loads((root / "model/features.json").read_text())
    for server in servers:
        for count in COUNTS:
            body = server.body(root, count)
            body.write_text(server.asked.body(lines[:count], saved))
            Path(f"{body}.lua").write_text(SCRIPT.format(type=server.asked.type, file=body))


def compare(servers: list[Server], root: Path, rounds: int, seconds: int) -> list[float]:
    """Measures all by turns; what our handler takes alone, which has its turn too."""
    alone: list[float] = []
    started = []
    try:
        for server in servers:
            started.append(server)
            server.start(root)
        for server in servers:
            check(server, root)
            server.note("MiB", server.memory())
        for _ in range(rounds):
            for server in servers:
                measure(server, root, seconds)
            alone.append(handler_alone(root))
    finally:
        for server in started:
            server.end()
    return alone


def surroundings(root: Path) -> dict[str, str]:
    """The environment of every process that is measured."""
    return {
        "PATH": os.defpath,
        "SLIPWAY_ML_ROOT": str(root),
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(root / "bentoml"),
    }


def contenders(root: Path) -> list[Server]:
    """The yardstick, ours, and the others."""
    hello, ours, usual, bento = (_free_port() for _ in range(4))
    uvicorn = [
        str(SERVE),
        "-m",
        "uvicorn",
        "serving_hello:hello",
        "--workers",
        "2",
        "--no-access-log",
        "--no-proxy-headers",
        "--log-level",
        "error",
    ]
    gunicorn = [str(BENCH / "gunicorn"), "serving_flask:app", "--workers", "2", "--bind", f"{HOST}:{usual}"]
    slipway = [str(SERVE), "-m", "pipeline_code.server", "--workers", "2", "--port", str(ours)]
    bentoml = [str(ROOT / ".venv-bench-bentoml/bin/bentoml"), "serve", "serving_bentoml:Trees", "--host", HOST]
    return [
        Server("uvicorn, hello", [*uvicorn, "--port", str(hello)], hello),
        Server("slipway", slipway, ours),
        Server("gunicorn, Flask, pandas", gunicorn, usual),
        Server("BentoML", [*bentoml, "--port", str(bento)], bento, BENTOML),
        mlserver("MLServer", root / "mlserver/parallel", 2),
        mlserver("MLServer, no workers", root / "mlserver/alone", 0),
    ]


def mlserver(name: str, folder: Path, workers: int) -> Server:
    """Its settings are files in a folder; what it offers beside predictions is off, as ours has none of it."""
    port = _free_port()
    settings = {
        "debug": False,
        "host": HOST,
        "http_port": port,
        "grpc_port": _free_port(),
        "metrics_endpoint": None,
        "metrics_dir": str(folder / "metrics"),
        "environments_dir": str(folder / "environments"),
        "gzip_enabled": False,
        "parallel_workers": workers,
    }
    folder.mkdir(parents=True)
    (folder / "settings.json").write_text(json.dumps(settings))
    model = {"name": "trees", "implementation": "serving_mlserver.Trees"}
    (folder / "model-settings.json").write_text(json.dumps(model))
    return Server(name, [str(ROOT / ".venv-bench-mlserver/bin/mlserver"), "start", str(folder)], port, V2)


def handler_alone(root: Path) -> float:
    """Microseconds of a row without a server around it; two at once, as two workers share the machine under load."""
    command, place = [str(SERVE), "serving_alone.py", str(root)], ROOT / "benchmarks"
    both = [subprocess.Popen(command, cwd=place, env=surroundings(root), stdout=subprocess.PIPE) for _ in range(2)]
    told = [process.communicate()[0] for process in both]
    if any(process.returncode for process in both):
        sys.exit("serving_alone.py failed")
    return statistics.mean(float(each) for each in told)


def check(server: Server, root: Path) -> None:
    """Only equal work is compared: the same answers to the same rows."""
    if server.name.endswith("hello"):
        return
    server.figures["answers"] = server.asked.read(server.ask(server.body(root, 100).read_bytes()))


def measure(server: Server, root: Path, seconds: int) -> None:
    one, hundred = (server.body(root, count) for count in COUNTS)
    rate, _, cpu = server.load(one, 16, seconds)
    server.note("1 row /s", rate)
    server.note("CPU us", cpu)
    server.note("p50 us", server.load(one, 1, seconds)[1])
    server.note("100 rows /s", server.load(hundred, 16, seconds)[0])


def table(servers: list[Server], alone: list[float]) -> str:
    figures = ("1 row /s", "p50 us", "CPU us", "100 rows /s", "start s", "MiB")
    hello, ours, *others = servers
    lines = [machine(), f"{'':<26}" + "".join(f"{name:>13}" for name in figures)]
    lines += [f"{s.name:<26}" + "".join(f"{s.median(name):>13,.2f}" for name in figures) for s in servers]
    lines.append(f"{'parse + predict us':<26}{'':>26}{statistics.median(alone):>13,.2f}")
    lines.append(
        f"slipway to hello: {ours.to(hello, '1 row /s'):.2f} of its requests, {ours.to(hello, 'p50 us'):.2f} of its p50"
    )
    turns = zip(ours.figures["CPU us"], hello.figures["CPU us"], alone, strict=True)
    least, *_, most = sums = sorted(mine / (theirs + handler) for mine, theirs, handler in turns)
    lines.append(
        f"slipway to hello and parse + predict: {statistics.median(sums):.2f} of their CPU ({least:.2f} to {most:.2f})"
    )
    return "\n".join([*lines, *(beside(ours, other) for other in others)])


def beside(ours: Server, other: Server) -> str:
    """How many times another server's figures ours are."""
    one, cpu, hundred = (ours.to(other, name) for name in ("1 row /s", "CPU us", "100 rows /s"))
    off = max(abs(a - b) for a, b in zip(ours.figures["answers"], other.figures["answers"], strict=True))
    return (
        f"slipway to {other.name}: {one:.1f} times its requests of 1 row, "
        f"{hundred:.1f} times of 100 rows, 1/{1 / cpu:.0f} of its CPU; answers {off:.1e} apart"
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    main(*(given + [15, 1][len(given) :]))
