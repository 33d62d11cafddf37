"""Tells people that a run or a release failed: where, why, the lines that matter, and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from operations.executions import StepState, last_log_lines, read_steps

if TYPE_CHECKING:
    from collections.abc import Sequence

SUBJECT_LIMIT = 100
"""Characters SNS allows in a subject: https://docs.aws.amazon.com/sns/latest/api/API_Publish.html"""

LINES = 15
TELLING = ("Traceback", " ERROR ", " CRITICAL ", "Error:")


def notice(sagemaker: Any, logs: Any, execution: str) -> tuple[str, str]:
    """Subject and text of the notice about an execution that failed."""
    described = sagemaker.describe_pipeline_execution(PipelineExecutionArn=execution)
    pipeline = execution.split("/")[1]
    failed = [step for step in read_steps(sagemaker, execution) if step.status == "Failed"]
    where = f" in {failed[0].name}" if failed else ""
    lines = [
        f"{described.get('PipelineExecutionDisplayName', 'A run')} of {pipeline} failed{where}.",
        described.get("PipelineExecutionDescription", ""),
        *([] if failed else [described.get("FailureReason", "no reason given")]),
        *(line for step in failed for line in _about(logs, step)),
        "",
        f"When the cause is gone: slipway retry {execution}",
    ]
    return f"{pipeline}: failed{where}"[:SUBJECT_LIMIT], "\n".join(lines)


def release_notice(environment: str, model: str, version: str, because: str) -> tuple[str, str]:
    """Subject and text of the notice about a release that was refused or taken back."""
    number = version.rsplit("/", 1)[-1]
    lines = [
        f"Version {number} of {model} is not live in {environment}. What was live stays live.",
        "",
        because,
        "",
        f"What happened before: slipway history {environment} {model}",
        f"What is live:         slipway status {environment} {model}",
        f"When the cause is gone: approve a version anew, or slipway release {environment} {model} {number}",
    ]
    return f"{model}: version {number} is not live in {environment}"[:SUBJECT_LIMIT], "\n".join(lines)


def _about(logs: Any, step: StepState) -> list[str]:
    said = lines_that_matter(last_log_lines(logs, step, lines=200))
    return ["", f"Step {step.name}: {step.failure}", *(f"  {line}" for line in said)]


def lines_that_matter(lines: Sequence[str], most: int = LINES) -> list[str]:
    """From the first line that tells of an error, or the last lines if none does."""
    first = next((place for place, line in enumerate(lines) if any(word in line for word in TELLING)), None)
    if first is None:
        return list(lines[-most:])
    telling = lines[first:]
    if len(telling) <= most:
        return list(telling)
    half = most // 2
    return [*telling[:half], f"... {len(telling) - 2 * half} lines ...", *telling[-half:]]
