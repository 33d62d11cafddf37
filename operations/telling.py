"""A run told line by line as it goes, to its version or to why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations.executions import Outcome, StepState, follow_execution, last_log_lines
from operations.notices import lines_that_matter

if TYPE_CHECKING:
    from collections.abc import Iterator


class RunFailedError(Exception):
    """A run that failed or was stopped: which step, why, and the lines of its log that matter."""


def tell_run(sagemaker: Any, logs: Any, arn: str, *, every_seconds: float = 2) -> Iterator[str]:
    """Follow an execution; raises RunFailedError at its end if it did not succeed."""
    for news in follow_execution(sagemaker, arn, every_seconds=every_seconds):
        yield _ended(news, logs) if isinstance(news, Outcome) else _step(news)


def _step(step: StepState) -> str:
    notes = [f"{step.seconds:.0f} s"] if step.seconds else []
    notes += ["cached"] if step.cached else []
    notes += [f"attempt {step.attempts}"] if step.attempts > 1 else []
    return "  ".join([f"{step.name:<10} {step.status}", *notes])


def _ended(outcome: Outcome, logs: Any) -> str:
    if outcome.status == "Succeeded":
        return f"registered {outcome.version_arn or 'nothing: the step that registers was not among those that ran'}"
    lines = [f"{outcome.status}: {outcome.failure}" if outcome.failure else outcome.status]
    for step in outcome.steps:
        if step.status == "Failed":
            lines += [f"{step.name}: {step.failure}", *lines_that_matter(last_log_lines(logs, step, lines=200))]
    raise RunFailedError("\n".join([*lines, f"When the cause is gone: slipway retry {outcome.arn}"]))
