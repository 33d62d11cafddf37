"""Starts a training pipeline and follows it, step by step, to its end and its version."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

ENDED = ("Succeeded", "Failed", "Stopped")
LOG_GROUPS = {"ProcessingJob": "/aws/sagemaker/ProcessingJobs", "TrainingJob": "/aws/sagemaker/TrainingJobs"}
LOG_LINES = 20


@dataclass(frozen=True)
class StepState:
    """One step of an execution as ListPipelineExecutionSteps tells it; `seconds` and `span` once it has ended."""

    name: str
    status: str
    seconds: float | None
    failure: str
    metadata: dict[str, Any]
    attempts: int = 1
    cached: bool = False
    span: tuple[datetime, datetime] | None = None


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


def start_execution(
    sagemaker: Any,
    *,
    pipeline: str,
    period: str,
    token: str,
    parameters: Mapping[str, str],
    steps: tuple[str, ...] = (),
    source: str | None = None,
) -> str:
    """Start the pipeline for a period; the same token never starts it twice. Returns the execution's ARN.

    With `steps`, only these run, and what they need of others comes from the execution `source`.
    """
    given = {"Period": period, **parameters}
    selection: dict[str, Any] = {"SelectedSteps": [{"StepName": step} for step in steps]}
    if source:
        selection["SourcePipelineExecutionArn"] = source
    answer = sagemaker.start_pipeline_execution(
        PipelineName=pipeline,
        PipelineExecutionDisplayName=f"period-{period}",
        PipelineExecutionDescription=f"{given['Reason']}, asked by {given['StartedBy']}"[:3072],
        PipelineParameters=[{"Name": name, "Value": value} for name, value in given.items()],
        ClientRequestToken=token,
        **({"SelectiveExecutionConfig": selection} if steps else {}),
    )
    return str(answer["PipelineExecutionArn"])


def retry_execution(sagemaker: Any, arn: str) -> None:
    """Run a failed or stopped execution again, from the steps that did not succeed."""
    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)


def stop_execution(sagemaker: Any, arn: str) -> None:
    """Stop an execution and the jobs it started."""
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken=uuid.uuid4().hex)


def latest_execution(sagemaker: Any, pipeline: str, *statuses: str) -> str | None:
    """The newest execution, of these statuses if any are given."""
    pages = sagemaker.get_paginator("list_pipeline_executions").paginate(PipelineName=pipeline)
    for page in pages:
        for found in page["PipelineExecutionSummaries"]:
            if not statuses or found["PipelineExecutionStatus"] in statuses:
                return str(found["PipelineExecutionArn"])
    return None


def follow_execution(sagemaker: Any, arn: str, *, every_seconds: float) -> Iterator[StepState | Outcome]:
    """Each step whenever its status changes, and last the outcome."""
    seen: dict[str, str] = {}
    while True:
        execution = sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
        steps = read_steps(sagemaker, arn)
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


def read_steps(sagemaker: Any, arn: str) -> tuple[StepState, ...]:
    """The steps of an execution so far, in the order they began."""
    pages = sagemaker.get_paginator("list_pipeline_execution_steps").paginate(
        PipelineExecutionArn=arn, SortOrder="Ascending"
    )
    return tuple(_state(step) for page in pages for step in page["PipelineExecutionSteps"])


def _state(step: dict[str, Any]) -> StepState:
    return StepState(
        name=step["StepName"],
        status=step["StepStatus"],
        seconds=_seconds(step.get("StartTime"), step.get("EndTime")),
        span=(step["StartTime"], step["EndTime"]) if "EndTime" in step else None,
        failure=step.get("FailureReason", ""),
        metadata=step.get("Metadata", {}),
        attempts=step.get("AttemptCount", 1),
        cached="CacheHitResult" in step,
    )


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
