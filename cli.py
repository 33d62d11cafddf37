"""`slipway ...`: the command's entry; its verbs stand in commands/."""

from __future__ import annotations

import errno
import sys

import typer

from commands import (
    acceptance,
    data,
    delivery,
    doctor,
    guardrails,
    platform,
    rehearse,
    rehearse_delivery,
    releases,
    rollout,
    runs,
    studio,
)
from stacks.config import ConfigError

STOPPED = 130
"""How a shell reports a command that Ctrl-C ended."""

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for verb in (
    platform.check,
    platform.schema,
    platform.synth,
    doctor.doctor,
    rehearse.rehearse,
    rehearse_delivery.rehearse_delivery,
    acceptance.acceptance,
    runs.train,
    runs.retry,
    runs.stop,
    releases.release,
    releases.rollback,
    releases.copy,
    releases.status,
    releases.history,
    releases.replay,
    delivery.changes,
    delivery.verify,
):
    app.command()(verb)
app.add_typer(data.app, name="data")
app.add_typer(rollout.app, name="rollout")
app.add_typer(guardrails.app, name="guardrails")
app.add_typer(studio.app, name="studio")


def main() -> None:
    """Run a verb; every foreseen failure is its message on stderr, never a traceback."""
    try:
        app()
    except SystemExit as ended:
        if ended.code == STOPPED:
            _fail("stopped", code=STOPPED)
        raise
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        _fail(f"no space left on the disk{f': {error.filename}' if error.filename else ''}; make room and run it again")
    except Exception as error:
        if not _foreseen(error):
            raise
        _fail(str(error))


def _foreseen(error: Exception) -> bool:
    """Errors that say themselves what is wrong: our own, and those of AWS calls."""
    own = type(error).__module__.split(".")[0] in {"stacks", "operations", "rehearsal", "commands"}
    return own or type(error).__module__.startswith("botocore") or isinstance(error, ConfigError)


def _fail(message: str, code: int = 1) -> None:
    for line in message.splitlines():
        print(f"slipway: {line}", file=sys.stderr)  # noqa: T201 rich would wrap what people copy
    sys.exit(code)


if __name__ == "__main__":
    main()
