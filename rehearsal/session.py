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

from rehearsal import guard
from rehearsal.background import Background
from rehearsal.cdk import Cdk
from rehearsal.embedded import EmbeddedAws, EmbeddedAwsError
from rehearsal.guard import check
from rehearsal.story import Rehearsal, assembly

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

    from rehearsal.plan import Plan


PREFIX = "slipway-rehearsal-"
NEEDED_MB = 200
"""What lies in the temporary folder at the end, twice over."""


class SpaceError(Exception):
    """There is no room for a rehearsal."""


@contextmanager
def start(plan: Plan, tell: Callable[[str], None]) -> Iterator[Rehearsal]:
    """A rehearsal ready to run. SIGTERM ends it like Ctrl-C: nothing stays behind."""
    begun = time.monotonic()
    with folder() as state:
        seconds: dict[str, float] = {}
        synth = Background(lambda: _synth(plan, state, tell, seconds))  # it asks AWS nothing
        tell("embedded AWS ...")
        with embedded(plan.root, state, plan.organization) as aws:
            seconds["embedded AWS"] = round(time.monotonic() - begun, 2)
            tell(f"embedded AWS: {seconds['embedded AWS']:.1f} s, {aws.endpoint}")
            yield Rehearsal(aws, plan, tell, state, begun, synth, seconds)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for all that a rehearsal writes, gone when it ends, by SIGTERM too."""
    check(os.environ)
    _check_space(Path(tempfile.gettempdir()))
    signal.signal(signal.SIGTERM, _interrupt)
    _sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}{os.getpid()}-", ignore_cleanup_errors=True) as made:
        yield Path(made)


@contextmanager
def embedded(root: Path, state: Path, organization: str | None = None) -> Iterator[EmbeddedAws]:
    """The embedded AWS, up; who fails because it ended is told so."""
    with EmbeddedAws(state / "aws", root / ".venv-job/bin/python", organization) as aws:
        try:
            yield aws
        except Exception as error:
            if aws.ended:
                raise EmbeddedAwsError(aws.ended) from error
            raise


def _synth(plan: Plan, state: Path, tell: Callable[[str], None], seconds: dict[str, float]) -> None:
    """The templates of all environments of the story, by the real CLI."""
    begun = time.monotonic()
    tell("cdk synth ...")
    environments = ",".join(site.environment for site in plan.sites)
    context = ["--context", f"environment={environments}", "--context", f"commit={plan.commit}"]
    validation = [] if plan.validate else ["--no-validation"]
    cdk = Cdk(plan.root, plan.root, guard.clean(os.environ), state / "cdk-synth.log")
    cdk.run("synth", "--quiet", "--output", str(assembly(state)), *context, *validation)
    seconds["cdk synth"] = round(time.monotonic() - begun, 2)
    tell(f"cdk synth: {seconds['cdk synth']:.1f} s")


def _sweep(folder: Path) -> None:
    """Remove what rehearsals left that were killed: their folders name a process that is no more."""
    for left in folder.glob(f"{PREFIX}*-*"):
        try:
            os.kill(int(left.name.removeprefix(PREFIX).split("-")[0]), 0)
        except ProcessLookupError:
            shutil.rmtree(left, ignore_errors=True)
        except (ValueError, PermissionError):  # not ours, or another user's that still runs
            continue


def _check_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free // 1_000_000
    if free < NEEDED_MB:
        raise SpaceError(
            f"{folder} has {free} MB free, a rehearsal needs {NEEDED_MB}; make room or set TMPDIR to a larger folder"
        )


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
