"""Starts a training pipeline and follows it, step by step, to its end and its version."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

ENDED = ("Succeeded", "Failed", "Stopped")
LOG_GROUPS = {"ProcessingJob": "/aws/sagemaker/ProcessingJobs", "TrainingJob": "/aws/sagemaker/TrainingJobs"}
LOG_LINES = 20


@dataclass(frozen=True)
class StepState:
    """One step of an execution as ListPipelineExecutionSteps tells it; `seconds` is None until it ended."""

    name: str
    status: str
    seconds: float | None
    failure: str
    metadata: dict[str, Any]


@dataclass(frozen=True)
class Outcome:
    """How an execution ended: the version it registered, or why it did not."""

    arn: str
    status: str
    failure: str
    steps: tuple[StepState, ...]

    @property
    def version_arn(self) -> str | None:
        for step in self.steps:
            registered = step.metadata.get("RegisterModel")
            if registered:
                return str(registered["Arn"])
        return None


def start_execution(sagemaker: Any, *, pipeline: str, period: str, token: str) -> str:
    """Start the pipeline for a period; the same token never starts it twice. Returns the execution's ARN."""
    answer = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        PipelineExecutionDisplayName=f"period-{period}",
        PipelineParameters=[{"Name": "Period", "Value": period}],
        ClientRequestToken=token,
    )
    return str(answer["PipelineExecutionArn"])


def follow_execution(sagemaker: Any, arn: str, *, every_seconds: float) -> Iterator[StepState | Outcome]:
    """Each step whenever its status changes, and last the outcome."""
    seen: dict[str, str] = {}
    while True:
        execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        steps = _steps(sagemaker, arn)
        for step in steps:
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                yield step
        if execution["PipelineExecutionStatus"] in ENDED:
            yield Outcome(arn, execution["PipelineExecutionStatus"], execution.get("FailureReason", ""), steps)
            return
        time.sleep(every_seconds)


def last_log_lines(logs: Any, step: StepState, lines: int = LOG_LINES) -> list[str]:
    """What the step's job printed last; empty for a step without a job or one that never started."""
    for kind, group in LOG_GROUPS.items():
        if kind not in step.metadata:
            continue
        job = step.metadata[kind]["Arn"].rsplit("/", 1)[1]
        try:
            streams = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=f"{job}/")["logStreams"]
        except logs.exceptions.ResourceNotFoundException:
            return []
        found = [
            event["message"]
            for stream in streams
            for event in logs.get_log_events(
                logGroupName=group, logStreamName=stream["logStreamName"], limit=lines, startFromHead=False
            )["events"]
        ]
        return found[-lines:]
    return []


def _steps(sagemaker: Any, arn: str) -> tuple[StepState, ...]:
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    return tuple(_state(step) for page in pages for step in page["PipelineExecutionSteps"])


def _state(step: dict[str, Any]) -> StepState:
    return StepState(
        name=step["StepName"],
        status=step["StepStatus"],
        seconds=_seconds(step.get("StartTime"), step.get("EndTime")),
        failure=step.get("FailureReason", ""),
        metadata=step.get("Metadata", {}),
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
