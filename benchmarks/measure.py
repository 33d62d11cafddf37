"""Runs commands as whole processes, by turns, and keeps wall seconds and peak memory of each run."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import resource

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Contender:
    """A command and what its runs took."""

    name: str
    command: list[str]
    folder: Path = ROOT
    environment: dict[str, str] = field(default_factory=dict)
    quiet: bool = False
    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def run(self) -> None:
        """One run; memory is the largest process of it, in MiB."""
        environment = {**os.environ, **self.environment}
        start = time.monotonic()
        process = subprocess.Popen(
            self.command,
            cwd=self.folder,
            env={name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL if self.quiet else None,
        )
        _, status, usage = os.wait4(process.pid, 0)
        self.seconds.append(time.monotonic() - start)
        self.megabytes.append(_mebibytes(usage))
        if status:
            sys.exit(f"{self.name} failed: {' '.join(self.command)}")


def by_turns(contenders: list[Contender], rounds: int) -> None:
    """A B A B ..., so that what else the machine does strikes both alike."""
    for _ in range(rounds):
        for contender in contenders:
            contender.run()


def report(contenders: list[Contender], reference: Contender) -> str:
    """Minimum, median and maximum of each, and its medians as parts of the reference's."""
    lines = [f"{machine()}", f"{'':<28}{'wall s, min med max':>24}{'ratio':>8}{'peak MiB':>10}{'ratio':>8}"]
    for one in contenders:
        wall, memory = statistics.median(one.seconds), statistics.median(one.megabytes)
        spread = f"{min(one.seconds):.2f} {wall:.2f} {max(one.seconds):.2f}"
        to = wall / statistics.median(reference.seconds), memory / statistics.median(reference.megabytes)
        lines.append(f"{one.name:<28}{spread:>24}{to[0]:>8.2f}{memory:>10,.0f}{to[1]:>8.2f}")
    return "\n".join(lines)


def machine() -> str:
    """What the figures hold for."""
    model = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        named = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        model = named[0].split(": ", 1)[1] if named else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return f"{os.cpu_count()} cores, {model}, {memory:.0f} GiB, {platform.system()}, Python {platform.python_version()}"


def _mebibytes(usage: resource.struct_rusage) -> float:
    return usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
