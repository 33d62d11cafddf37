"""One run of a pipeline as SageMaker keeps it: its state, its steps, and how both are described and announced."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal import events
from rehearsal.clock import clock
from rehearsal.definition import flatten

if TYPE_CHECKING:
    from datetime import datetime

    from rehearsal.resources import Place

Json = dict[str, Any]

SOURCE = "aws.sagemaker"
EXECUTION_EVENT = "SageMaker Model Building Pipeline Execution Status Change"
STEP_EVENT = "SageMaker Model Building Pipeline Execution Step Status Change"
EVENT_TIME = "%Y-%m-%dT%H:%M:%SZ"
RETRIED = ("Failed", "Stopped")
"""Executions that RetryPipelineExecution takes up again."""


@dataclass
class StepRun:
    """One step of an execution, as ListPipelineExecutionSteps shows it; `result` is what its properties refer to."""

    name: str
    kind: str
    about: Json = field(default_factory=dict)
    status: str = "Starting"
    attempt: int = 1
    started: datetime = field(default_factory=clock.now)
    ended: datetime | None = None
    failure: str | None = None
    metadata: Json = field(default_factory=dict)
    result: Json | None = None
    cached_from: str | None = None
    reused_from: str | None = None
    fault: str | None = None
    """What befalls this attempt, on demand."""

    def describe(self) -> Json:
        found = {
            "StepName": self.name,
            "StepDisplayName": self.about.get("DisplayName"),
            "StepDescription": self.about.get("Description"),
            "StartTime": self.started,
            "EndTime": self.ended,
            "StepStatus": self.status,
            "FailureReason": self.failure,
            "AttemptCount": self.attempt,
            "Metadata": self.metadata or None,
            "CacheHitResult": self.cached_from and {"SourcePipelineExecutionArn": self.cached_from},
            "SelectiveExecutionResult": self.reused_from and {"SourcePipelineExecutionArn": self.reused_from},
        }
        return {key: value for key, value in found.items() if value is not None}


@dataclass
class Execution:
    """One run of a pipeline; `request` is what StartPipelineExecution was asked."""

    arn: str
    pipeline_arn: str
    pipeline_name: str
    definition: Json
    parameters: Json
    place: Place
    version: int = 1
    request: Json = field(default_factory=dict)
    parallel: int = 50
    status: str = "Executing"
    failure: str | None = None
    started: datetime = field(default_factory=clock.now)
    changed: datetime = field(default_factory=clock.now)
    steps: dict[str, StepRun] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[1]

    @property
    def declared(self) -> dict[str, Json]:
        """Every step of the definition by name, those inside conditions too."""
        return {step["Name"]: step for step in flatten(self.definition["Steps"])}

    @property
    def selected(self) -> set[str] | None:
        """The steps of a selective execution, None for all."""
        chosen = self.request.get("SelectiveExecutionConfig")
        return {step["StepName"] for step in chosen["SelectedSteps"]} if chosen else None

    def become(self, status: str, failure: str | None = None) -> None:
        """Take on a state and announce it, as SageMaker does on the account's default bus."""
        before, self.status, self.failure, self.changed = self.status, status, failure, clock.now()
        self.announce(before)

    def announce(self, before: str | None) -> None:
        """https://docs.aws.amazon.com/sagemaker/latest/dg/automating-sagemaker-with-eventbridge.html."""
        detail = {
            "pipelineExecutionDisplayName": self.request.get("PipelineExecutionDisplayName"),
            "pipelineExecutionDescription": self.request.get("PipelineExecutionDescription"),
            "currentPipelineExecutionStatus": self.status,
            "previousPipelineExecutionStatus": before,
            "executionStartTime": self.started.strftime(EVENT_TIME),
            "executionEndTime": None if self.status == "Executing" else self.changed.strftime(EVENT_TIME),
            "pipelineArn": self.pipeline_arn,
            "pipelineExecutionArn": self.arn,
        }
        self._send(EXECUTION_EVENT, detail)

    def step_becomes(self, run: StepRun, status: str, failure: str | None = None) -> None:
        """Let a step take on a state, and announce it."""
        before, run.status, run.failure = run.status, status, failure
        if status not in {"Starting", "Executing", "Stopping"}:
            run.ended = clock.now()
        detail = {
            "stepName": run.name,
            "stepType": run.kind,
            "currentStepStatus": status,
            "previousStepStatus": before,
            "stepStartTime": run.started.strftime(EVENT_TIME),
            "stepEndTime": run.ended and run.ended.strftime(EVENT_TIME),
            "failureReason": failure,
            "metadata": {_lower(kind): _lowered(about) for kind, about in run.metadata.items()},
            "cacheHitResult": run.cached_from and {"sourcePipelineExecutionArn": run.cached_from},
            "pipelineArn": self.pipeline_arn,
            "pipelineExecutionArn": self.arn,
        }
        self._send(STEP_EVENT, detail)

    def _send(self, kind: str, detail: Json) -> None:
        told = {key: value for key, value in detail.items() if value is not None}
        events.send(self.place, SOURCE, kind, told, [self.pipeline_arn, self.arn])

    def summary(self) -> Json:
        return _present(
            {
                "PipelineExecutionArn": self.arn,
                "PipelineExecutionDisplayName": self.request.get("PipelineExecutionDisplayName"),
                "PipelineExecutionDescription": self.request.get("PipelineExecutionDescription"),
                "PipelineExecutionStatus": self.status,
                "PipelineExecutionFailureReason": self.failure,
                "StartTime": self.started,
            }
        )

    def describe(self) -> Json:
        return _present(
            {
                "PipelineArn": self.pipeline_arn,
                "PipelineExecutionArn": self.arn,
                "PipelineExecutionDisplayName": self.request.get("PipelineExecutionDisplayName"),
                "PipelineExecutionDescription": self.request.get("PipelineExecutionDescription"),
                "PipelineExecutionStatus": self.status,
                "FailureReason": self.failure,
                "CreationTime": self.started,
                "LastModifiedTime": self.changed,
                "ParallelismConfiguration": self.request.get("ParallelismConfiguration"),
                "SelectiveExecutionConfig": self.request.get("SelectiveExecutionConfig"),
                "PipelineVersionId": self.version,
            }
        )


def _present(answer: Json) -> Json:
    return {key: value for key, value in answer.items() if value is not None}


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _lowered(about: Json) -> Json:
    return {_lower(key): value for key, value in about.items()}
