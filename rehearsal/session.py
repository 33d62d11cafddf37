"""Holds what a rehearsal stands on: a temporary folder and the embedded AWS, both gone when it ends."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rehearsal.embedded import EmbeddedAws
from rehearsal.guard import check
from rehearsal.story import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from rehearsal.story import Plan


NEEDED_MB = 200
"""What lies in the temporary folder at the end, twice over."""


class SpaceError(Exception):
    """There is no room for a rehearsal."""


@contextmanager
def start(plan: Plan, tell: Callable[[str], None]) -> Iterator[Rehearsal]:
    """A rehearsal ready to run. SIGTERM ends it like Ctrl-C: nothing stays behind."""
    check(os.environ)
    _check_space(Path(tempfile.gettempdir()))
    signal.signal(signal.SIGTERM, _interrupt)
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="slipway-rehearsal-", ignore_cleanup_errors=True) as folder:
        state = Path(folder)
        tell("embedded AWS ...")
        with EmbeddedAws(state / "aws", job_python=plan.root / ".venv-job/bin/python") as aws:
            seconds = round(time.monotonic() - begun, 2)
            tell(f"embedded AWS: {seconds:.1f} s, {aws.endpoint}")
            yield Rehearsal(aws, plan, tell, state, begun, {"embedded AWS": seconds})


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MB:
        raise SpaceError(
            f"{folder} has {free} MB free, a rehearsal needs {NEEDED_MB}; make room or set TMPDIR to a larger folder"
        )


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
