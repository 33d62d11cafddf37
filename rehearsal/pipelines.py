"""SageMaker Pipelines' API: pipelines and their versions, executions that really run, stop and run again."""

from __future__ import annotations

import json
import secrets
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moto.sagemaker.responses import SageMakerResponse

from rehearsal import starting
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.definition import mistakes
from rehearsal.engine import Engine, Services
from rehearsal.executions import RETRIED, Execution
from rehearsal.paging import between, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from rehearsal.image import Images
    from rehearsal.job_records import JobRecords
    from rehearsal.resources import Place

KEPT = (
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDefinition",
    "PipelineDescription",
    "RoleArn",
    "ParallelismConfiguration",
)
SUMMARY = (
    "PipelineArn",
    "PipelineName",
    "PipelineDisplayName",
    "PipelineDescription",
    "RoleArn",
    "CreationTime",
    "LastModifiedTime",
)


@dataclass
class Version:
    """A pipeline as one CreatePipeline or UpdatePipeline left it; executions run the version they were started with."""

    number: int
    described: Json
    made: datetime = field(default_factory=clock.now)
    told: Json = field(default_factory=dict)
    last_execution: str | None = None

    def summary(self) -> Json:
        last = {"LastExecutionPipelineExecutionArn": self.last_execution} if self.last_execution else {}
        about = {"PipelineArn": self.described["PipelineArn"], "PipelineVersionId": self.number}
        return {**about, "CreationTime": self.made, **self.told, **last}


@dataclass
class Region:
    """All pipelines and executions of one account and region."""

    pipelines: dict[str, list[Version]] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    services: Services | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pipelines:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place], state: Path, images: Images, jobs: JobRecords) -> None:
        self.place, self.folder, self.jobs = place, state / "jobs", jobs
        self.regions: defaultdict[Caller, Region] = defaultdict(Region)
        self.images = images

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        name = request["PipelineName"]
        if name in self.regions[caller].pipelines:
            message = f"Pipeline names must be unique within an AWS account and region. Pipeline {name} already exists."
            raise ServiceError("ValidationException", message)
        now = clock.now()
        described = {
            **_kept(request),
            "PipelineArn": self.place(caller).arn("sagemaker", f"pipeline/{name}"),
            "PipelineStatus": "Active",
            "CreationTime": now,
            "LastModifiedTime": now,
            "CreatedBy": {},
            "LastModifiedBy": {},
        }
        self.regions[caller].pipelines[name] = [Version(1, described)]
        return {"PipelineArn": described["PipelineArn"]}

    def UpdatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        versions = self._versions(caller, request["PipelineName"])
        described = {**versions[-1].described, **_kept(request), "LastModifiedTime": clock.now()}
        versions.append(Version(len(versions) + 1, described))
        return {"PipelineArn": described["PipelineArn"], "PipelineVersionId": versions[-1].number}

    def DescribePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        versions = self._versions(caller, request["PipelineName"])
        version = _version(versions, request.get("PipelineVersionId"))
        last = [self.regions[caller].executions[v.last_execution].started for v in versions if v.last_execution]
        return {**version.described, **version.told, **({"LastRunTime": max(last)} if last else {})}

    def DeletePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        described = self._versions(caller, request["PipelineName"])[-1].described
        del self.regions[caller].pipelines[described["PipelineName"]]
        return {"PipelineArn": described["PipelineArn"]}

    def ListPipelines(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        newest = [versions[-1].described for versions in self.regions[caller].pipelines.values()]
        named = [p for p in newest if p["PipelineName"].startswith(request.get("PipelineNamePrefix", ""))]
        found = between(request, lambda pipeline: pipeline["CreationTime"], named)
        return page("PipelineSummaries", [{k: p[k] for k in SUMMARY if k in p} for p in found], request)

    def ListPipelineVersions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = [version.summary() for version in self._versions(caller, request["PipelineName"])]
        wanted = between(request, lambda version: version["CreationTime"], found)
        return page("PipelineVersionSummaries", wanted, request)

    def UpdatePipelineVersion(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        version = _version(self._versions(caller, request["PipelineArn"]), request["PipelineVersionId"])
        told = ("PipelineVersionDisplayName", "PipelineVersionDescription")
        version.told.update({key: request[key] for key in told if key in request})
        return {"PipelineArn": version.described["PipelineArn"], "PipelineVersionId": version.number}

    def StartPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region = self.regions[caller]
        version = _version(self._versions(caller, request["PipelineName"]), request.get("PipelineVersionId"))
        with region.lock:
            token = request.get("ClientRequestToken") or secrets.token_hex(16)
            if token in region.tokens:
                return {"PipelineExecutionArn": region.tokens[token]}
            execution = self._execution_of(caller, version, request)
            region.executions[execution.arn] = execution
            region.tokens[token] = version.last_execution = execution.arn
        execution.announce(None)
        self._run(caller, execution)
        return {"PipelineExecutionArn": execution.arn}

    def RetryPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """Run a failed or stopped execution again from the steps that did not succeed."""
        execution = self._execution(caller, request)
        region = self.regions[caller]
        with region.lock:
            if region.tokens.get(request["ClientRequestToken"]) == execution.arn:
                return {"PipelineExecutionArn": execution.arn}
            if execution.status not in RETRIED:
                state = f"{execution.arn} is {execution.status}; only {' and '.join(RETRIED)} are retried"
                raise ServiceError("ValidationException", f"Pipeline execution {state}")
            region.tokens[request["ClientRequestToken"]] = execution.arn
            execution.stop = threading.Event()
            execution.become("Executing")
        self._run(caller, execution)
        return {"PipelineExecutionArn": execution.arn}

    def StopPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        with self.regions[caller].lock:
            if execution.status == "Executing":
                execution.become("Stopping")
                execution.stop.set()
        return {"PipelineExecutionArn": execution.arn}

    def UpdatePipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        told = ("PipelineExecutionDescription", "PipelineExecutionDisplayName")
        execution.request.update({key: request[key] for key in told if key in request})
        return {"PipelineExecutionArn": execution.arn}

    def DescribePipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._execution(caller, request).describe()

    def ListPipelineExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        arn = self._versions(caller, request["PipelineName"])[-1].described["PipelineArn"]
        found = [e.summary() for e in list(self.regions[caller].executions.values()) if e.pipeline_arn == arn]
        wanted = between(request, lambda execution: execution["StartTime"], found)
        return page("PipelineExecutionSummaries", wanted, request)

    def ListPipelineExecutionSteps(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        runs = sorted(self._execution(caller, request).steps.values(), key=lambda run: run.started)
        return page("PipelineExecutionSteps", [run.describe() for run in runs], request)

    def ListPipelineParametersForExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        given = self._execution(caller, request).parameters
        listed: list[Json] = [{"Name": name, "Value": str(value)} for name, value in given.items()]
        return page("PipelineParameters", listed, request, newest_first=False)

    def DescribePipelineDefinitionForExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        return {"PipelineDefinition": json.dumps(execution.definition), "CreationTime": execution.started}

    def _execution_of(self, caller: Caller, version: Version, request: Json) -> Execution:
        described = version.described
        definition = json.loads(described["PipelineDefinition"])
        parallel = request.get("ParallelismConfiguration") or described.get("ParallelismConfiguration") or {}
        execution = Execution(
            arn=f"{described['PipelineArn']}/execution/{secrets.token_hex(6)}",
            pipeline_arn=described["PipelineArn"],
            pipeline_name=described["PipelineName"],
            definition=definition,
            parameters=starting.given_values(definition, request.get("PipelineParameters", [])),
            place=self.place(caller),
            version=version.number,
            request={key: value for key, value in request.items() if key != "PipelineParameters"},
            parallel=parallel.get("MaxParallelExecutionSteps", 50),
        )
        starting.reuse(execution, self.regions[caller].executions)
        return execution

    def _run(self, caller: Caller, execution: Execution) -> None:
        region = self.regions[caller]
        region.services = region.services or Services(self.folder, self.images, lambda job: self.jobs.keep(caller, job))
        threading.Thread(target=Engine(execution, region.services).run, daemon=True, name=execution.id).start()

    def _versions(self, caller: Caller, name_or_arn: str) -> list[Version]:
        for name, versions in self.regions[caller].pipelines.items():
            if name_or_arn in {name, versions[-1].described["PipelineArn"]}:
                return versions
        raise ServiceError("ResourceNotFound", f"Pipeline '{name_or_arn}' does not exist.")

    def _execution(self, caller: Caller, request: Json) -> Execution:
        arn = request["PipelineExecutionArn"]
        if arn not in self.regions[caller].executions:
            raise ServiceError("ResourceNotFound", f"Pipeline execution with ARN '{arn}' does not exist.")
        return self.regions[caller].executions[arn]


def _version(versions: list[Version], number: int | None) -> Version:
    if number is None:
        return versions[-1]
    if not 1 <= number <= len(versions):
        known = f"versions are 1 to {len(versions)}"
        raise ServiceError("ResourceNotFound", f"Pipeline version {number} does not exist; {known}")
    return versions[number - 1]


def _kept(request: Json) -> Json:
    """What a pipeline keeps of a request, its definition found to be sound; SageMaker notices most mistakes later."""
    try:
        definition = json.loads(request["PipelineDefinition"])
    except ValueError as error:
        raise ServiceError("ValidationException", f"Pipeline definition is not JSON: {error}") from None
    found = mistakes(definition)
    if found:
        raise ServiceError("ValidationException", "Invalid pipeline definition: " + "; ".join(found))
    return {key: request[key] for key in KEPT if key in request}
