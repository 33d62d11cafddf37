"""Runs a job's process, passes its output on line by line, and ends it with everything it started."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from rehearsal.reaper import Reaper

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path


LOOK_SECONDS = 0.1


class Processes:
    """All running jobs of this server."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[str]] = set()
        self._lock = threading.Lock()
        self._closed = False
        self._reaper = Reaper()

    def run(
        self,
        command: Sequence[str],
        *,
        folder: Path,
        environment: Mapping[str, str],
        heard: Callable[[str], None],
        seconds: float,
        until: Callable[[], bool],
        grace: float = 0.0,
    ) -> int:
        """Run to the end; returns the exit code, negative if it was killed: after `seconds`, or when `until` holds.

        It is asked to end so many seconds of `grace` before it is killed.
        """
        with self._lock:
            if self._closed:
                return -signal.SIGTERM
            process = subprocess.Popen(
                command,
                cwd=folder,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                start_new_session=True,
            )
            self._running.add(process)
            self._reaper.watch(process.pid)
        watch = threading.Thread(target=_watch, args=(process, seconds, until, grace), daemon=True)
        watch.start()
        assert process.stdout  # noqa: S101 it is a pipe
        with process.stdout:
            for line in process.stdout:
                heard(line.rstrip("\n"))
        code = process.wait()
        with self._lock:
            self._running.discard(process)
            self._reaper.forget(process.pid)
        return code

    def terminate_all(self) -> None:
        """End every job and let none begin."""
        with self._lock:
            self._closed = True
            for process in self._running:
                _kill(process)


def _watch(process: subprocess.Popen[str], seconds: float, until: Callable[[], bool], grace: float) -> None:
    end = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < end and not until():
        time.sleep(LOOK_SECONDS)
    if grace and process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(grace)
    if process.poll() is None:
        _kill(process)


def _kill(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
