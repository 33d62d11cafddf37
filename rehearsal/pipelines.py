"""SageMaker Pipelines' API: pipelines, their executions that really run, and the jobs these start."""

from __future__ import annotations

import json
import secrets
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.definition import mistakes
from rehearsal.engine import Engine, Execution, StepRun
from rehearsal.image import Images

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.jobs import Job
    from rehearsal.resources import Place

TYPES: dict[str, type] = {"String": str, "Integer": int, "Float": float, "Boolean": bool}


@dataclass
class Region:
    """All pipelines, executions and jobs of one account and region."""

    pipelines: dict[str, Json] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    jobs: dict[str, Job] = field(default_factory=dict)


class Pipelines:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place], state: Path, job_python: Path) -> None:
        self.place, self.folder = place, state / "jobs"
        self.regions: defaultdict[Caller, Region] = defaultdict(Region)
        self.images = Images(state / "images", job_python)

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["PipelineName"]
        if name in self.regions[caller].pipelines:
            raise ServiceError(
                "ConflictException", f"Pipeline names must be unique within an AWS account; {name} exists"
            )
        arn = self.place(caller).arn("sagemaker", f"pipeline/{name.lower()}")
        now = datetime.now(UTC)
        self.regions[caller].pipelines[name] = {
            "PipelineArn": arn,
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            **_checked(request),
        }
        return {"PipelineArn": arn}

    def UpdatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        pipeline = self._pipeline(caller, request["PipelineName"])
        pipeline.update({**_checked(request), "LastModifiedTime": datetime.now(UTC)})
        return {"PipelineArn": pipeline["PipelineArn"]}

    def DescribePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._pipeline(caller, request["PipelineName"])

    def DeletePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        pipeline = self._pipeline(caller, request["PipelineName"])
        del self.regions[caller].pipelines[pipeline["PipelineName"]]
        return {"PipelineArn": pipeline["PipelineArn"]}

    def ListPipelines(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        return {"PipelineSummaries": list(self.regions[caller].pipelines.values())}

    def StartPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region, pipeline = self.regions[caller], self._pipeline(caller, request["PipelineName"])
        token = request.get("ClientRequestToken", secrets.token_hex(16))
        if token in region.tokens:
            return {"PipelineExecutionArn": region.tokens[token]}
        definition = json.loads(pipeline["PipelineDefinition"])
        execution = Execution(
            arn=f"{pipeline['PipelineArn']}/execution/{secrets.token_hex(6)}",
            pipeline_arn=pipeline["PipelineArn"],
            pipeline_name=pipeline["PipelineName"],
            definition=definition,
            parameters=_parameters(definition, request.get("PipelineParameters", [])),
            place=self.place(caller),
            display_name=request.get("PipelineExecutionDisplayName"),
        )
        region.executions[execution.arn] = execution
        region.tokens[token] = execution.arn
        engine = Engine(execution, self.folder, self.images, lambda job: _keep(region, job))
        threading.Thread(target=engine.run, daemon=True, name=execution.id).start()
        return {"PipelineExecutionArn": execution.arn}

    def StopPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        if execution.status == "Executing":
            execution.status = "Stopping"
            execution.stop.set()
        return {"PipelineExecutionArn": execution.arn}

    def DescribePipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        return {"PipelineArn": execution.pipeline_arn, **_summary(execution), "LastModifiedTime": execution.changed}

    def ListPipelineExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn = self._pipeline(caller, request["PipelineName"])["PipelineArn"]
        found = [e for e in self.regions[caller].executions.values() if e.pipeline_arn == arn]
        return {"PipelineExecutionSummaries": [_summary(execution) for execution in reversed(found)]}

    def ListPipelineExecutionSteps(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        steps = [_step(run) for run in list(self._execution(caller, request).steps.values())]
        return {"PipelineExecutionSteps": steps if request.get("SortOrder") == "Ascending" else steps[::-1]}

    def ListPipelineParametersForExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        given = self._execution(caller, request).parameters
        return {"PipelineParameters": [{"Name": name, "Value": str(value)} for name, value in given.items()]}

    def DescribePipelineDefinitionForExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        return {"PipelineDefinition": json.dumps(execution.definition), "CreationTime": execution.started}

    def DescribeProcessingJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._job(caller, request["ProcessingJobName"])

    def DescribeTrainingJob(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._job(caller, request["TrainingJobName"])

    def ListProcessingJobs(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        return {"ProcessingJobSummaries": self._jobs(caller, "Processing")}

    def ListTrainingJobs(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        return {"TrainingJobSummaries": self._jobs(caller, "Training")}

    def _pipeline(self, caller: Caller, name_or_arn: str) -> Json:
        for pipeline in self.regions[caller].pipelines.values():
            if name_or_arn in {pipeline["PipelineName"], pipeline["PipelineArn"]}:
                return pipeline
        raise ServiceError("ResourceNotFound", f"Pipeline '{name_or_arn}' does not exist.")

    def _execution(self, caller: Caller, request: Json) -> Execution:
        arn = request["PipelineExecutionArn"]
        if arn not in self.regions[caller].executions:
            raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN '{arn}' does not exist.")
        return self.regions[caller].executions[arn]

    def _job(self, caller: Caller, name: str) -> Json:
        if name not in self.regions[caller].jobs:
            raise ServiceError("ValidationException", f"Could not find requested job with name: {name}")
        return self.regions[caller].jobs[name].describe()

    def _jobs(self, caller: Caller, kind: str) -> list[Json]:
        return [job.describe() for job in self.regions[caller].jobs.values() if job.kind == kind]


def _checked(request: Json) -> Json:
    """The request, its definition found to be sound; SageMaker itself notices most mistakes only at run time."""
    try:
        definition = json.loads(request["PipelineDefinition"])
    except ValueError as error:
        raise ServiceError("ValidationException", f"Pipeline definition is not JSON: {error}") from None
    found = mistakes(definition)
    if found:
        raise ServiceError("ValidationException", "Invalid pipeline definition: " + "; ".join(found))
    return request


def _parameters(definition: Json, given: list[Json]) -> Json:
    """A value for each declared parameter, in its type; all mistakes at once."""
    declared = {parameter["Name"]: parameter for parameter in definition.get("Parameters", [])}
    named = {parameter["Name"]: parameter["Value"] for parameter in given}
    problems = [f"Parameter {name} is not one of {', '.join(declared)}" for name in named if name not in declared]
    values: Json = {}
    for name, parameter in declared.items():
        value = named.get(name, parameter.get("DefaultValue"))
        if value is None:
            problems.append(f"Parameter {name} has no default and needs a value")
            continue
        try:
            values[name] = TYPES[parameter["Type"]](value)
        except ValueError:
            problems.append(f"Parameter {name}: {value!r} is not of type {parameter['Type']}")
    if problems:
        raise ServiceError("ValidationException", "; ".join(problems))
    return values


def _keep(region: Region, job: Job) -> None:
    region.jobs[job.name] = job


def _summary(execution: Execution) -> Json:
    return {
        "PipelineExecutionArn": execution.arn,
        "PipelineExecutionDisplayName": execution.display_name,
        "PipelineExecutionStatus": execution.status,
        "PipelineExecutionFailureReason": execution.failure,
        "FailureReason": execution.failure,
        "StartTime": execution.started,
        "CreationTime": execution.started,
    }


def _step(run: StepRun) -> Json:
    return {
        "StepName": run.name,
        "StartTime": run.started,
        "EndTime": run.ended,
        "StepStatus": run.status,
        "FailureReason": run.failure,
        "AttemptCount": 1,
        "Metadata": run.metadata,
    }
