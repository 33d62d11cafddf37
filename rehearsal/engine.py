"""Executes a pipeline definition: steps in the order their references give, independent ones side by side."""

from __future__ import annotations

import json
import os
import secrets
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from rehearsal import faults, jobs
from rehearsal.caching import ATTRIBUTES, Cache, Kept
from rehearsal.clock import clock
from rehearsal.executions import StepRun
from rehearsal.expressions import ExpressionError, Scope, dig
from rehearsal.graph import needs
from rehearsal.job import Job, JobError
from rehearsal.retries import Retries

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.executions import Execution
    from rehearsal.image import Images

Json = dict[str, Any]

CARRIED_OUT = {
    "Name",
    "Type",
    "Arguments",
    "CacheConfig",
    "DependsOn",
    "Description",
    "DisplayName",
    "PropertyFiles",
    "RetryPolicies",
}
"""What a step may say; a feature that is not executed here must not be skipped in silence."""

MACHINES = max(2, os.cpu_count() or 1)
"""Steps that run side by side here, however many more the pipeline allows."""


class StepError(Exception):
    """Why a step failed."""


@dataclass(frozen=True)
class Services:
    """What steps need of the rehearsal; `keep` hears of every job, so that it can be described."""

    folder: Path
    images: Images
    keep: Callable[[Job], None]
    cache: Cache = field(default_factory=Cache)


class Engine:
    """Runs one execution, or what is left of it: steps that succeeded before are not run again."""

    def __init__(self, execution: Execution, services: Services) -> None:
        self.execution, self.services = execution, services
        self.scope = Scope(execution.parameters, self._variables(), self._property_file)
        self.scope.steps.update({name: run.result for name, run in execution.steps.items() if run.result is not None})
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
            self._run_all(self._steps_to_run())
        except StepError as error:
            stopped = execution.stop.is_set()
            execution.become("Stopped" if stopped else "Failed", None if stopped else str(error))
        else:
            execution.become("Stopped" if execution.stop.is_set() else "Succeeded")

    def _steps_to_run(self) -> list[Json]:
        """The selected steps that have not succeeded yet, and the branches that conditions took before."""
        selected = self.execution.selected
        steps = [step for step in self.execution.definition["Steps"] if selected is None or step["Name"] in selected]
        for step in steps:
            if step["Type"] == "Condition" and step["Name"] in self.scope.steps:
                steps = [*steps, *_branch(step, outcome=self.scope.steps[step["Name"]]["Outcome"])]
        return [step for step in steps if step["Name"] not in self.scope.steps]

    def _run_all(self, steps: list[Json]) -> None:
        waiting = {step["Name"]: step for step in steps}
        running: dict[Future[None], str] = {}
        failures: list[str] = []
        with ThreadPoolExecutor(min(self.execution.parallel, MACHINES)) as workers:
            while waiting or running:
                if not failures and not self.execution.stop.is_set():
                    for name in [name for name, step in waiting.items() if self._ready(step)]:
                        running[workers.submit(self._run_step, waiting.pop(name))] = name
                if not running:
                    break
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    name, error = running.pop(done), done.exception()
                    if error:
                        failures.append(str(error) if isinstance(error, StepError) else f"Step {name}: {error}")
                waiting.update({step["Name"]: step for step in self.branches})
                self.branches = []
        if failures:
            raise StepError(failures[0])
        if waiting and not self.execution.stop.is_set():
            raise StepError(f"steps {', '.join(waiting)} wait for steps that never run")

    def _ready(self, step: Json) -> bool:
        """Whether all it waits for has ended; what its branches wait for is theirs."""
        return needs(step) <= set(self.scope.steps)

    def _run_step(self, step: Json) -> None:
        execution = self.execution
        if execution.stop.is_set():
            return
        run = execution.steps[step["Name"]] = StepRun(step["Name"], step["Type"], step)
        try:
            self._refuse_unknown(step)
            execution.step_becomes(run, "Executing")
            run.result = self._cached(run, step) or self._attempts(run, step)
            self.scope.steps[run.name] = run.result
            execution.step_becomes(run, "Succeeded")
        except Exception as error:
            stopped = execution.stop.is_set()
            execution.step_becomes(run, "Stopped" if stopped else "Failed", None if stopped else str(error))
            raise

    def _refuse_unknown(self, step: Json) -> None:
        unknown = sorted(set(step) - CARRIED_OUT)
        if unknown:
            raise StepError(f"the embedded AWS does not carry out {', '.join(unknown)} of a step")
        if step["Type"] not in self.kinds:
            raise StepError(f"the embedded AWS has no step type {step['Type']!r}; it has {', '.join(self.kinds)}")

    def _cached(self, run: StepRun, step: Json) -> Json | None:
        """The results of an earlier run with the same arguments, if the step may be cached."""
        if not step.get("CacheConfig"):
            return None
        arguments = self.scope.resolve(step["Arguments"])
        kept = self.services.cache.find(self.execution.pipeline_arn, step, arguments, clock.now())
        if kept is None:
            return None
        run.cached_from, run.metadata = kept.execution, kept.metadata
        return kept.result

    def _attempts(self, run: StepRun, step: Json) -> Json:
        """Run the step until it succeeds or no policy allows another attempt."""
        retries = Retries(step.get("RetryPolicies", []), run.started)
        while True:
            try:
                result = self._attempt(run, step)
            except (JobError, ClientError) as error:
                seconds = retries.wait(faults.exception_type(_reason(error)), clock.now())
                if seconds is None or self.execution.stop.is_set():
                    raise JobError(_reason(error)) from None
                clock.skip(seconds, f"step {run.name} is tried again: {_reason(error).partition(':')[0]}")
                run.attempt += 1
            else:
                if step["Type"] in ATTRIBUTES:
                    kept = Kept(self.execution.arn, clock.now(), result, run.metadata)
                    arguments = self.scope.resolve(step["Arguments"])
                    self.services.cache.keep(self.execution.pipeline_arn, step, arguments, kept)
                return result

    def _attempt(self, run: StepRun, step: Json) -> Json:
        fault = faults.faults.take(run.name)
        if fault in {faults.LIMIT, faults.THROTTLED, faults.UNAVAILABLE} or (fault and run.kind == "RegisterModel"):
            raise JobError(faults.REASONS[fault])  # the call that would start the job is refused
        run.fault = fault
        return self.kinds[run.kind](run, step["Arguments"])

    def _job(self, run: StepRun, arguments: Json) -> Json:
        """Start the job SageMaker Pipelines would start, under the name it would give, and wait for it."""
        name = f"pipelines-{self.execution.id}-{run.name}-{secrets.token_hex(5)}"[:63]
        job = Job(run.kind, name, self.scope.resolve(arguments), self.execution.place, self.services.folder / name)
        run.metadata = {f"{run.kind}Job": {"Arn": job.arn}}
        self.services.keep(job)
        jobs.run(job, self.services.images, self.execution.stop, run.fault)
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
        self.branches += _branch({"Arguments": arguments}, outcome=outcome)
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
        declared = self.execution.declared[step].get("PropertyFiles", [])
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


def _branch(condition: Json, *, outcome: bool) -> list[Json]:
    steps: list[Json] = condition["Arguments"].get("IfSteps" if outcome else "ElseSteps", [])
    return steps


def _reason(error: Exception) -> str:
    """A failure in SageMaker's form, `Code: message`."""
    if isinstance(error, ClientError):
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    return str(error)
