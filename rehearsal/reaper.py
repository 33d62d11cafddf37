"""Ends process groups whose starter is gone, however it went: a process of its own, told of each group over a pipe.

Whoever is killed by SIGKILL cannot end what it started; a pipe that closes tells this one.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from typing import TextIO


class Reaper:
    """The starter's side: says which process groups are to end with it. Begins with the first of them."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def watch(self, group: int) -> None:
        self._say(f"+{group}")

    def forget(self, group: int) -> None:
        self._say(f"-{group}")

    def _say(self, line: str) -> None:
        with self._lock:
            if self._process is None:
                self._process = subprocess.Popen(
                    [sys.executable, "-S", "-E", __file__],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    text=True,
                    start_new_session=True,
                )
                atexit.register(self._end)
            assert self._process.stdin  # noqa: S101 it is a pipe
            self._process.stdin.write(f"{line}\n")
            self._process.stdin.flush()

    def _end(self) -> None:
        assert self._process  # noqa: S101 it was started
        assert self._process.stdin  # noqa: S101 it is a pipe
        self._process.stdin.close()
        self._process.wait()


def reap(lines: TextIO) -> None:
    """Follow what is said until nobody speaks any more, then kill the groups that were not forgotten."""
    groups: set[int] = set()
    for line in lines:
        group = int(line[1:])
        (groups.add if line[0] == "+" else groups.discard)(group)
    for group in groups:
        with suppress(ProcessLookupError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)
    reap(sys.stdin)
