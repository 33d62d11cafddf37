"""CodePipeline: executions really run, stage by stage, with their variables, in parallel or one after the other.

Sources come from S3, builds are CodeBuild's, approvals wait for a person. Each action reads and writes artifacts in the
pipeline's own bucket with the keys of its role.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from moto.codepipeline.responses import CodePipelineResponse

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.codepipeline_actions import (
    ABANDON,
    ACTIONS,
    ENDED,
    EXECUTION_ID,
    WAIT,
    Approvals,
    Doing,
    Execution,
    references,
    variables_of,
)
from rehearsal.codepipeline_told import action_of, execution_of, stage_state, summary_of
from rehearsal.paging import lower_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

PARALLEL, SUPERSEDED = "PARALLEL", "SUPERSEDED"
KIND = "CodePipeline Pipeline Execution State Change"


@dataclass
class Kept:
    """A pipeline and its executions, the oldest first; `lines` are those that wait for a stage, in order."""

    declared: Json
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    approvals: Approvals = field(default_factory=Approvals)
    gate: threading.Condition = field(default_factory=threading.Condition)
    lines: defaultdict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))
    inside: dict[str, str] = field(default_factory=dict)

    def line_up(self, execution: Execution, stage: str) -> None:
        """Wait for a stage; where executions supersede each other, only the newest does."""
        mode = execution.pipeline["executionMode"]
        with self.gate:
            if mode == SUPERSEDED:
                for older in self.lines[stage]:
                    older.status = "Superseded"
                self.lines[stage].clear()
            if mode != PARALLEL:
                self.lines[stage].append(execution)
            self.gate.notify_all()

    def enter(self, execution: Execution, stage: str) -> bool:
        """Whether its turn came; one that is stopped or superseded while it waits never gets in."""
        line = self.lines[stage]
        with self.gate:
            if execution.pipeline["executionMode"] != PARALLEL:
                self.gate.wait_for(lambda: execution.is_over or (line[0] is execution and stage not in self.inside))
                if execution in line:
                    line.remove(execution)
                if not execution.is_over:
                    self.inside[stage] = execution.id
            return not execution.is_over

    def leave(self, execution: Execution, stage: str) -> None:
        with self.gate:
            if self.inside.get(stage) == execution.id:
                del self.inside[stage]
            self.gate.notify_all()


class CodePipelines:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place
        self.kept: defaultdict[Caller, dict[str, Kept]] = defaultdict(dict)

    def install(self) -> None:
        install(CodePipelineResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        declared = {"executionMode": SUPERSEDED, "pipelineType": "V1", **request["pipeline"], "version": 1}
        if declared["name"] in self.kept[caller]:
            raise ServiceError("PipelineNameInUseException", f"A pipeline with the name {declared['name']} exists")
        _check(declared)
        self.kept[caller][declared["name"]] = Kept(declared)
        return {"pipeline": declared}

    def UpdatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipeline"]["name"])
        declared = {**kept.declared, **request["pipeline"], "version": kept.declared["version"] + 1}
        _check(declared)
        kept.declared = declared
        return {"pipeline": kept.declared}

    def GetPipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        declared = self._pipeline(caller, request["name"]).declared
        arn = self.place(caller).arn("codepipeline", declared["name"])
        return {"pipeline": declared, "metadata": {"pipelineArn": arn}}

    def ListPipelines(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        keys = ("name", "version", "pipelineType", "executionMode")
        found = [{key: kept.declared[key] for key in keys} for kept in self.kept[caller].values()]
        return lower_page("pipelines", found, request, newest_first=False)

    def DeletePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        self.kept[caller].pop(request["name"], None)
        return {}

    def StartPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """The same client request token gives the same execution."""
        kept = self._pipeline(caller, request["name"])
        token = request.get("clientRequestToken")
        with kept.gate:
            if token in kept.tokens:
                return {"pipelineExecutionId": kept.tokens[token]}
            variables = variables_of(kept.declared, request)
            trigger = caller.role or caller.account
            execution = Execution(str(uuid.uuid4()), kept.declared, variables, trigger, clock.now())
            kept.executions[execution.id] = execution
            if token:
                kept.tokens[token] = execution.id
            kept.line_up(execution, execution.pipeline["stages"][0]["name"])
        threading.Thread(target=self._run, args=(caller, kept, execution), daemon=True).start()
        return {"pipelineExecutionId": execution.id}

    def StopPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """Actions at work are finished, or with `abandon` left alone; what they started goes on either way."""
        kept, execution = self._execution(caller, request)
        with kept.gate:
            if execution.status in ENDED:
                message = f"The execution {execution.id} is {execution.status} and cannot be stopped"
                raise ServiceError("PipelineExecutionNotStoppableException", message)
            execution.stop, execution.status = (ABANDON if request.get("abandon") else WAIT), "Stopping"
            kept.gate.notify_all()
        return {"pipelineExecutionId": execution.id}

    def GetPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"pipelineExecution": execution_of(self._execution(caller, request)[1])}

    def ListPipelineExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        found = [summary_of(each) for each in list(kept.executions.values())]
        return lower_page("pipelineExecutionSummaries", found, request)

    def ListActionExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """The newest first, whichever execution they belong to."""
        wanted = request.get("filter", {}).get("pipelineExecutionId")
        executions = list(self._pipeline(caller, request["pipelineName"]).executions.values())
        found = [action_of(action) for each in executions if wanted in {None, each.id} for action in list(each.actions)]
        found.sort(key=lambda action: action["startTime"])
        return lower_page("actionExecutionDetails", found, request)

    def GetPipelineState(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["name"])
        executions = list(kept.executions.values())
        return {
            "pipelineName": kept.declared["name"],
            "pipelineVersion": kept.declared["version"],
            "stageStates": [stage_state(executions, stage) for stage in kept.declared["stages"]],
        }

    def PutApprovalResult(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        answered = kept.approvals.answer(
            request["token"], request["stageName"], request["actionName"], request["result"]
        )
        if not answered:
            raise ServiceError("InvalidApprovalTokenException", "The approval request already received a response")
        return {"approvedAt": clock.now()}

    def _pipeline(self, caller: Caller, name: str) -> Kept:
        if name not in self.kept[caller]:
            raise ServiceError(
                "PipelineNotFoundException", f"Account '{caller.account}' does not have a pipeline with name '{name}'"
            )
        return self.kept[caller][name]

    def _execution(self, caller: Caller, request: Json) -> tuple[Kept, Execution]:
        kept = self._pipeline(caller, request["pipelineName"])
        if request["pipelineExecutionId"] not in kept.executions:
            message = f"There is no execution {request['pipelineExecutionId']}"
            raise ServiceError("PipelineExecutionNotFoundException", message)
        return kept, kept.executions[request["pipelineExecutionId"]]

    def _run(self, caller: Caller, kept: Kept, execution: Execution) -> None:
        place = self.place(caller)
        _announce(place, execution, "STARTED")
        try:
            acting = place.acting_as(execution.pipeline["roleArn"])
            for number, stage in enumerate(execution.pipeline["stages"]):
                if number:
                    kept.line_up(execution, stage["name"])
                if not kept.enter(execution, stage["name"]):
                    break
                try:
                    _run_stage(acting, kept, execution, stage)
                finally:
                    kept.leave(execution, stage["name"])
        except Exception as error:  # noqa: BLE001 whatever keeps an execution from running is its failure
            execution.status, execution.summary = "Failed", str(error)
        with kept.gate:
            if execution.status not in ENDED:
                execution.status = "Stopped" if execution.stop else "Succeeded"
        _announce(place, execution, execution.status.upper())


def _run_stage(place: Place, kept: Kept, execution: Execution, stage: Json) -> None:
    """Actions of one run order at the same time, those of the next when all of them have succeeded."""

    def order(action: Json) -> int:
        return int(action.get("runOrder", 1))

    for _, together in groupby(sorted(stage["actions"], key=order), order):
        actions = list(together)
        if execution.is_over:
            return
        with ThreadPoolExecutor(max_workers=len(actions)) as at_once:
            list(at_once.map(lambda each: _act(place, kept, execution, stage["name"], each), actions))


def _act(place: Place, kept: Kept, execution: Execution, stage: str, action: Json) -> None:
    kind = action["actionTypeId"]
    told: Json = {
        "pipelineExecutionId": execution.id,
        "pipelineVersion": execution.pipeline["version"],
        "actionExecutionId": str(uuid.uuid4()),
        "stageName": stage,
        "actionName": action["name"],
        "startTime": clock.now(),
        "status": "InProgress",
        "input": {"actionTypeId": kind, "configuration": action.get("configuration", {})},
    }
    execution.actions.append(told)
    try:
        result = ACTIONS[kind["provider"]](Doing(place, kept.approvals, execution, action, told))
        told.update(status="Succeeded", output={"executionResult": result})
    except Exception as error:  # noqa: BLE001 whatever an action meets is its failure
        result = told.get("output", {}).get("executionResult", {})
        told["output"] = {"executionResult": {**result, "externalExecutionSummary": str(error)[:2048]}}
        if execution.stop == ABANDON:
            told["status"] = "Abandoned"
        else:
            told["status"], execution.status = "Failed", "Failed"
            execution.summary = f"{action['name']}: {error}"
    told["lastUpdateTime"] = clock.now()


def _announce(place: Place, execution: Execution, state: str) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html."""
    pipeline = execution.pipeline
    detail = {
        "pipeline": pipeline["name"],
        "execution-id": execution.id,
        "state": state,
        "version": pipeline["version"],
    }
    events.send(place, "aws.codepipeline", KIND, detail, [place.arn("codepipeline", pipeline["name"])])


def _check(declared: Json) -> None:
    """An action nobody carries out, or a variable nobody gives, is an error, as everywhere here."""
    actions = [action for stage in declared["stages"] for action in stage["actions"]]
    unknown = sorted({action["actionTypeId"]["provider"] for action in actions} - set(ACTIONS))
    if unknown:
        known = ", ".join(ACTIONS)
        raise ServiceError("InvalidActionDeclarationException", f"no {', '.join(unknown)} here; known are {known}")
    variables = {f"variables.{each['name']}" for each in declared.get("variables", [])}
    strange = sorted({found for action in actions for found in references(action)} - variables - {EXECUTION_ID})
    if strange:
        raise ServiceError(
            "InvalidActionDeclarationException",
            f"#{{{'}, #{'.join(strange)}}} cannot be resolved; declared are {', '.join(sorted(variables)) or 'none'}",
        )
    if declared["pipelineType"] != "V2" and (variables or declared["executionMode"] != SUPERSEDED):
        raise ServiceError("InvalidStructureException", "variables and execution modes need a pipeline of type V2")
