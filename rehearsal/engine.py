"""Executes a pipeline definition: steps in the order their references give, independent ones side by side."""

from __future__ import annotations

import json
import secrets
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from rehearsal import jobs
from rehearsal.expressions import ExpressionError, Scope, dig, references
from rehearsal.jobs import Job, JobError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.image import Images
    from rehearsal.resources import Place

Json = dict[str, Any]

WORKERS = 2
CARRIED_OUT = {"Name", "Type", "Arguments", "DependsOn", "PropertyFiles", "DisplayName", "Description"}
"""What a step may say; a feature that is not executed here must not be skipped in silence."""


class StepError(Exception):
    """Why a step failed."""


@dataclass
class StepRun:
    """One step of an execution, as ListPipelineExecutionSteps shows it."""

    name: str
    kind: str
    status: str = "Executing"
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    ended: datetime | None = None
    failure: str | None = None
    metadata: Json = field(default_factory=dict)


@dataclass
class Execution:
    """One run of a pipeline."""

    arn: str
    pipeline_arn: str
    pipeline_name: str
    definition: Json
    parameters: Json
    place: Place
    display_name: str | None = None
    status: str = "Executing"
    failure: str | None = None
    started: datetime = field(default_factory=lambda: datetime.now(UTC))
    changed: datetime = field(default_factory=lambda: datetime.now(UTC))
    steps: dict[str, StepRun] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    @property
    def id(self) -> str:
        return self.arn.rsplit("/", 1)[1]


class Engine:
    """Runs one execution. `keep` hears of every job, so that it can be described."""

    def __init__(self, execution: Execution, folder: Path, images: Images, keep: Callable[[Job], None]) -> None:
        self.execution, self.folder, self.images, self.keep = execution, folder, images, keep
        self.definitions: dict[str, Json] = {}
        self.scope = Scope(execution.parameters, self._variables(), self._property_file)
        self.kinds: dict[str, Callable[[StepRun, Json], Json]] = {
            "Processing": self._job,
            "Training": self._job,
            "RegisterModel": self._register,
            "Condition": self._condition,
            "Fail": self._fail,
        }
        self.branches: list[Json] = []

    def run(self) -> None:
        """To the end: Succeeded, Failed with the reason of the first step that failed, or Stopped."""
        execution = self.execution
        try:
            self._run_all(execution.definition["Steps"])
            execution.status = "Stopped" if execution.stop.is_set() else "Succeeded"
        except StepError as error:
            execution.status = "Stopped" if execution.stop.is_set() else "Failed"
            execution.failure = None if execution.stop.is_set() else str(error)
        execution.changed = datetime.now(UTC)

    def _run_all(self, steps: list[Json]) -> None:
        waiting = {step["Name"]: step for step in steps}
        running: dict[Future[None], str] = {}
        failures: list[str] = []
        with ThreadPoolExecutor(WORKERS) as workers:
            while waiting or running:
                if not failures and not self.execution.stop.is_set():
                    for name in [name for name, step in waiting.items() if self._ready(step)]:
                        running[workers.submit(self._run_step, waiting.pop(name))] = name
                if not running:
                    break
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    name, error = running.pop(done), done.exception()
                    failures += (
                        [f"Step {name}: {error}" if not isinstance(error, StepError) else str(error)] if error else []
                    )
                waiting.update({step["Name"]: step for step in self.branches})
                self.branches = []
        if failures:
            raise StepError(failures[0])
        if waiting and not self.execution.stop.is_set():
            raise StepError(f"steps {', '.join(waiting)} wait for steps that never run")

    def _ready(self, step: Json) -> bool:
        """Whether all it waits for has ended; what its branches wait for is theirs."""
        own = {k: v for k, v in step.get("Arguments", {}).items() if k not in {"IfSteps", "ElseSteps"}}
        return {*step.get("DependsOn", []), *references(own)} <= set(self.scope.steps)

    def _run_step(self, step: Json) -> None:
        run = self.execution.steps[step["Name"]] = StepRun(step["Name"], step["Type"])
        self.definitions[run.name] = step
        try:
            self._refuse_unknown(step)
            self.scope.steps[run.name] = self.kinds[run.kind](run, step["Arguments"])
            run.status = "Succeeded"
        except Exception as error:
            run.status = "Stopped" if self.execution.stop.is_set() else "Failed"
            run.failure = str(error)
            raise
        finally:
            run.ended = datetime.now(UTC)

    def _refuse_unknown(self, step: Json) -> None:
        unknown = sorted(set(step) - CARRIED_OUT)
        if unknown:
            raise StepError(f"the embedded AWS does not carry out {', '.join(unknown)} of a step")
        if step["Type"] not in self.kinds:
            raise StepError(f"the embedded AWS has no step type {step['Type']!r}; it has {', '.join(self.kinds)}")

    def _job(self, run: StepRun, arguments: Json) -> Json:
        """Start the job SageMaker Pipelines would start, under the name it would give, and wait for it."""
        name = f"pipelines-{self.execution.id}-{run.name}-{secrets.token_hex(5)}"[:63]
        job = Job(run.kind, name, self.scope.resolve(arguments), self.execution.place, self.folder / name)
        run.metadata = {f"{run.kind}Job": {"Arn": job.arn}}
        self.keep(job)
        jobs.run(job, self.images, self.execution.stop)
        if job.status != "Completed":
            raise JobError(job.failure or f"{run.kind} job {job.status.lower()}")
        return job.describe()

    def _register(self, run: StepRun, arguments: Json) -> Json:
        sagemaker = self.execution.place.client("sagemaker")
        arn = sagemaker.create_model_package(**self.scope.resolve(arguments))["ModelPackageArn"]
        run.metadata = {"RegisterModel": {"Arn": arn}}
        described: Json = sagemaker.describe_model_package(ModelPackageName=arn)
        return described

    def _condition(self, run: StepRun, arguments: Json) -> Json:
        outcome = all(self.scope.holds(condition) for condition in arguments["Conditions"])
        run.metadata = {"Condition": {"Outcome": "True" if outcome else "False"}}
        self.branches += arguments.get("IfSteps" if outcome else "ElseSteps", [])
        return {"Outcome": outcome}

    def _fail(self, run: StepRun, arguments: Json) -> Json:
        message = str(self.scope.resolve(arguments.get("ErrorMessage", "")))
        run.metadata = {"Fail": {"ErrorMessage": message}}
        raise StepError(message)

    def _variables(self) -> Json:
        execution = self.execution
        started = execution.started.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
        return {
            "PipelineName": execution.pipeline_name,
            "PipelineArn": execution.pipeline_arn,
            "PipelineExecutionId": execution.id,
            "PipelineExecutionArn": execution.arn,
            "StartDateTime": started,
            "CurrentDateTime": started,
        }

    def _property_file(self, step: str, name: str) -> Any:
        declared = self.definitions[step].get("PropertyFiles", [])
        file = next((f for f in declared if f["PropertyFileName"] == name), None)
        if file is None:
            raise ExpressionError(f"step {step} declares no property file {name!r}")
        path = f"ProcessingOutputConfig.Outputs['{file['OutputName']}'].S3Output.S3Uri"
        uri = f"{dig(self.scope.steps[step], path, name).rstrip('/')}/{file['FilePath']}"
        place, s3 = urlparse(uri), self.execution.place.client("s3")
        try:
            return json.loads(s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read())
        except s3.exceptions.NoSuchKey:
            raise ExpressionError(f"property file {name!r} of step {step}: nothing at {uri}") from None
        except ValueError as error:
            raise ExpressionError(f"property file {name!r} of step {step}: {uri} is not JSON ({error})") from None
