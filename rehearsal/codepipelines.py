"""CodePipeline: executions really run, stage by stage, with their variables, in parallel or one after the other.

Sources come from S3, builds are CodeBuild's, approvals wait for a person. Each action reads and writes artifacts in the
pipeline's own bucket with the keys of its role.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from moto.codepipeline.responses import CodePipelineResponse

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.paging import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

VARIABLE = re.compile(r"#\{variables\.([A-Za-z0-9@_-]+)\}")
PARALLEL = "PARALLEL"
LOOK_SECONDS = 0.05
ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded"})


class ActionError(Exception):
    """Why an action failed."""


@dataclass
class Execution:
    """One execution: its variables, where it stands, and each action it has run."""

    id: str
    pipeline: Json
    variables: dict[str, str]
    trigger: str
    status: str = "InProgress"
    summary: str = ""
    stopped: bool = False
    actions: list[Json] = field(default_factory=list)
    artifacts: dict[str, str] = field(default_factory=dict)

    def resolved(self, text: str) -> str:
        return VARIABLE.sub(lambda found: self.variables[found[1]], text)


@dataclass
class Kept:
    """A pipeline and its executions, the oldest first."""

    declared: Json
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    approvals: dict[str, Json] = field(default_factory=dict)
    turn: threading.Lock = field(default_factory=threading.Lock)


class CodePipelines:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place
        self.kept: defaultdict[Caller, dict[str, Kept]] = defaultdict(dict)
        self.actions = {"S3": self._source, "CodeBuild": self._build, "Manual": self._approval}

    def install(self) -> None:
        install(CodePipelineResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        declared = {"executionMode": "SUPERSEDED", "pipelineType": "V1", **request["pipeline"], "version": 1}
        if declared["name"] in self.kept[caller]:
            raise ServiceError("PipelineNameInUseException", f"A pipeline with the name {declared['name']} exists")
        self._check(declared)
        self.kept[caller][declared["name"]] = Kept(declared)
        return {"pipeline": declared}

    def UpdatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipeline"]["name"])
        self._check(request["pipeline"])
        kept.declared = {**kept.declared, **request["pipeline"], "version": kept.declared["version"] + 1}
        return {"pipeline": kept.declared}

    def GetPipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        declared = self._pipeline(caller, request["name"]).declared
        arn = self.place(caller).arn("codepipeline", declared["name"])
        return {"pipeline": declared, "metadata": {"pipelineArn": arn}}

    def ListPipelines(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        keys = ("name", "version", "pipelineType", "executionMode")
        return {"pipelines": [{key: kept.declared[key] for key in keys} for kept in self.kept[caller].values()]}

    def DeletePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self.kept[caller].pop(request["name"], None)
        return {}

    def StartPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """The same client request token gives the same execution."""
        kept = self._pipeline(caller, request["name"])
        token = request.get("clientRequestToken")
        if token in kept.tokens:
            return {"pipelineExecutionId": kept.tokens[token]}
        declared = {each["name"]: each.get("defaultValue") for each in kept.declared.get("variables", [])}
        given = {each["name"]: each["value"] for each in request.get("variables", [])}
        unknown, missing = set(given) - set(declared), {name for name in declared if not {**declared, **given}[name]}
        if unknown or missing:
            raise ServiceError(
                "ValidationException", f"variables unknown: {sorted(unknown)}, without a value: {sorted(missing)}"
            )
        trigger = caller.role or caller.account
        execution = Execution(str(uuid.uuid4()), kept.declared, {**declared, **given}, trigger)
        kept.executions[execution.id] = execution
        if token:
            kept.tokens[token] = execution.id
        threading.Thread(target=self._run, args=(caller, kept, execution), daemon=True).start()
        return {"pipelineExecutionId": execution.id}

    def StopPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        execution.stopped, execution.status = True, "Stopping"
        return {"pipelineExecutionId": execution.id}

    def GetPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        execution = self._execution(caller, request)
        resolved = [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()]
        return {
            "pipelineExecution": {
                "pipelineName": execution.pipeline["name"],
                "pipelineVersion": execution.pipeline["version"],
                "pipelineExecutionId": execution.id,
                "status": execution.status,
                "statusSummary": execution.summary,
                "variables": resolved,
                "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": execution.trigger},
                "executionMode": execution.pipeline["executionMode"],
            }
        }

    def ListPipelineExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = [
            {"pipelineExecutionId": each.id, "status": each.status, "statusSummary": each.summary}
            for each in self._pipeline(caller, request["pipelineName"]).executions.values()
        ]
        return page("pipelineExecutionSummaries", found, {})

    def ListActionExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        wanted = request.get("filter", {}).get("pipelineExecutionId")
        executions = self._pipeline(caller, request["pipelineName"]).executions.values()
        found = [
            {key: value for key, value in action.items() if key != "token"}
            for each in executions
            if wanted in {None, each.id}
            for action in each.actions
        ]
        return page("actionExecutionDetails", found, {})

    def GetPipelineState(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["name"])
        return {
            "pipelineName": kept.declared["name"],
            "pipelineVersion": kept.declared["version"],
            "stageStates": [_stage_state(kept, stage) for stage in kept.declared["stages"]],
        }

    def PutApprovalResult(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        waiting = kept.approvals.get(request["token"])
        if waiting is None:
            raise ServiceError("InvalidApprovalTokenException", "The approval request already received a response")
        waiting["result"] = request["result"]
        return {"approvedAt": clock.now()}

    def _pipeline(self, caller: Caller, name: str) -> Kept:
        if name not in self.kept[caller]:
            raise ServiceError(
                "PipelineNotFoundException", f"Account '{caller.account}' does not have a pipeline with name '{name}'"
            )
        return self.kept[caller][name]

    def _execution(self, caller: Caller, request: Json) -> Execution:
        executions = self._pipeline(caller, request["pipelineName"]).executions
        if request["pipelineExecutionId"] not in executions:
            message = f"There is no execution {request['pipelineExecutionId']}"
            raise ServiceError("PipelineExecutionNotFoundException", message)
        return executions[request["pipelineExecutionId"]]

    def _check(self, declared: Json) -> None:
        """An action nobody carries out is an error, as everywhere here."""
        used = {a["actionTypeId"]["provider"] for stage in declared["stages"] for a in stage["actions"]}
        unknown = sorted(used - set(self.actions))
        if unknown:
            known = ", ".join(self.actions)
            raise ServiceError("InvalidActionDeclarationException", f"no {', '.join(unknown)} here; known are {known}")

    def _run(self, caller: Caller, kept: Kept, execution: Execution) -> None:
        place = self.place(caller)
        acting = place.acting_as(execution.pipeline["roleArn"])
        turn = threading.Lock() if execution.pipeline["executionMode"] == PARALLEL else kept.turn
        with turn:
            for stage in execution.pipeline["stages"]:
                for action in sorted(stage["actions"], key=lambda each: each.get("runOrder", 1)):
                    if execution.status not in ENDED:
                        self._act(acting, kept, execution, stage["name"], action)
            if execution.status not in ENDED:
                execution.status = "Stopped" if execution.stopped else "Succeeded"
        detail = {"pipeline": kept.declared["name"], "execution-id": execution.id, "state": execution.status.upper()}
        arn = place.arn("codepipeline", kept.declared["name"])
        events.send(place, "aws.codepipeline", "CodePipeline Pipeline Execution State Change", detail, [arn])

    def _act(self, place: Place, kept: Kept, execution: Execution, stage: str, action: Json) -> None:
        kind = action["actionTypeId"]
        told: Json = {
            "pipelineExecutionId": execution.id,
            "actionExecutionId": str(uuid.uuid4()),
            "stageName": stage,
            "actionName": action["name"],
            "startTime": clock.now(),
            "status": "InProgress",
            "input": {"actionTypeId": kind, "configuration": action.get("configuration", {})},
        }
        execution.actions.append(told)
        try:
            if execution.stopped:
                raise ActionError("the execution was stopped")
            result = self.actions[kind["provider"]](place, kept, execution, action, told)
            told.update(status="Succeeded", output={"executionResult": result})
        except Exception as error:  # noqa: BLE001 whatever an action meets is its failure
            told.update(status="Failed", output={"executionResult": {"externalExecutionSummary": str(error)[:2048]}})
            execution.status = "Stopped" if execution.stopped else "Failed"
            execution.summary = f"{action['name']}: {error}"
        told["lastUpdateTime"] = clock.now()

    def _source(self, place: Place, kept: Kept, execution: Execution, action: Json, _told: Json) -> Json:
        """Take the object as it is now and hand it on."""
        settings = action["configuration"]
        s3 = place.client("s3")
        if s3.get_bucket_versioning(Bucket=settings["S3Bucket"]).get("Status") != "Enabled":
            raise ActionError(f"bucket {settings['S3Bucket']} is not versioned; a source's bucket must be")
        got = s3.get_object(Bucket=settings["S3Bucket"], Key=settings["S3ObjectKey"])
        (output,) = action["outputArtifacts"]
        name = kept.declared["name"]
        key = f"{name[:20]}/{output['name']}/{uuid.uuid4().hex[:7]}"
        store = kept.declared["artifactStore"]["location"]
        s3.put_object(Bucket=store, Key=key, Body=got["Body"].read())
        execution.artifacts[output["name"]] = f"{store}/{key}"
        return {"externalExecutionId": got["VersionId"]}

    def _build(self, place: Place, _kept: Kept, execution: Execution, action: Json, told: Json) -> Json:
        """Start the build with the first input artifact as its source, and see how it ends."""
        settings, codebuild = action["configuration"], place.client("codebuild")
        given = json.loads(settings.get("EnvironmentVariables", "[]"))
        (artifact, *_) = action["inputArtifacts"]
        started = codebuild.start_build(
            projectName=settings["ProjectName"],
            sourceTypeOverride="S3",
            sourceLocationOverride=execution.artifacts[artifact["name"]],
            environmentVariablesOverride=[{**each, "value": execution.resolved(each["value"])} for each in given],
        )["build"]
        told["output"] = {"executionResult": {"externalExecutionId": started["id"]}}
        while True:
            (build,) = codebuild.batch_get_builds(ids=[started["id"]])["builds"]
            if build["buildStatus"] != "IN_PROGRESS":
                break
            if execution.stopped:
                codebuild.stop_build(id=started["id"])
            time.sleep(LOOK_SECONDS)
        if build["buildStatus"] != "SUCCEEDED":
            raise ActionError(f"Build terminated with state: {build['buildStatus']}, {started['id']}")
        return {"externalExecutionId": started["id"]}

    def _approval(self, _place: Place, kept: Kept, execution: Execution, _action: Json, told: Json) -> Json:
        """Wait until somebody says yes or no; the token stands in the pipeline's state."""
        token = str(uuid.uuid4())
        waiting: Json = {"told": told}
        kept.approvals[token] = waiting
        told["token"] = token
        while "result" not in waiting and not execution.stopped:
            time.sleep(LOOK_SECONDS)
        del kept.approvals[token], told["token"]
        result = waiting.get("result", {"status": "Rejected", "summary": "the execution was stopped"})
        if result["status"] != "Approved":
            raise ActionError(f"Rejected: {result['summary']}")
        return {"externalExecutionSummary": result["summary"]}


def _stage_state(kept: Kept, stage: Json) -> Json:
    """What the newest execution that came so far says of a stage."""
    ran = [
        action for each in kept.executions.values() for action in each.actions if action["stageName"] == stage["name"]
    ]
    newest = {action["actionName"]: action for action in ran}
    states = []
    for action in stage["actions"]:
        state: Json = {"actionName": action["name"]}
        found = newest.get(action["name"])
        if found:
            state["latestExecution"] = {"status": found["status"], "actionExecutionId": found["actionExecutionId"]}
            state["latestExecution"] |= {"token": found["token"]} if "token" in found else {}
        states.append(state)
    state = {"stageName": stage["name"], "actionStates": states}
    if ran:
        state["latestExecution"] = {"pipelineExecutionId": ran[-1]["pipelineExecutionId"], "status": ran[-1]["status"]}
    return state
