"""CodePipeline: executions really run, stage by stage, with their variables, in parallel or one after the other.

Sources come from S3, builds are CodeBuild's, approvals wait for a person, stacks are CloudFormation's. To create a
pipeline starts nothing here, as its source is rarely there so early; what polls a source does not here, rules start it.
https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from typing import TYPE_CHECKING

from moto.codepipeline.responses import CodePipelineResponse

from rehearsal import events
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.codepipeline_again import stage_of, to_go_back_to, to_retry
from rehearsal.codepipeline_check import check, overrides_of, variables_of
from rehearsal.codepipeline_execution import ABANDON, ENDED, SUPERSEDED, WAIT, Execution, Kept
from rehearsal.codepipeline_runs import begin, rollback_to
from rehearsal.codepipeline_told import action_of, execution_of, stage_state, summary_of
from rehearsal.paging import lower_page

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

BY_HAND, BY_EVENT, TAKEN_BACK = "StartPipelineExecution", "CloudWatchEvent", "ManualRollback"


class CodePipelines:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self.place = place
        self.kept: defaultdict[Caller, dict[str, Kept]] = defaultdict(dict)

    def install(self) -> None:
        install(CodePipelineResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        events.TARGETS["codepipeline"] = self._start_by_event

    def CreatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        declared = _declared(request["pipeline"], 1)
        if declared["name"] in self.kept[caller]:
            raise ServiceError("PipelineNameInUseException", f"A pipeline with the name {declared['name']} exists")
        check(declared)
        self.kept[caller][declared["name"]] = Kept(declared)
        return {"pipeline": declared}

    def UpdatePipeline(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """What changes nothing is no new version; with a new one, executions end where they go from stage to stage."""
        kept = self._pipeline(caller, request["pipeline"]["name"])
        version = kept.declared["version"]
        if _declared(request["pipeline"], version) != kept.declared:
            declared = _declared(request["pipeline"], version + 1)
            check(declared)
            kept.change(declared)
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
        return self._start(caller, request, BY_HAND, caller.role or caller.account)

    def RetryStageExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        with kept.gate:
            execution, stages = to_retry(kept, request)
            begin(self.place(caller), kept, execution, stages)
        return {"pipelineExecutionId": execution.id}

    def RollbackStage(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        with kept.gate:
            target, stage = to_go_back_to(kept, request)
            trigger = {"triggerType": TAKEN_BACK, "triggerDetail": caller.role or caller.account}
            execution = rollback_to(target, trigger)
            kept.executions[execution.id] = execution
            begin(self.place(caller), kept, execution, [stage])
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

    def DisableStageTransition(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        """Nobody gets into the stage until it is enabled again."""
        kept = self._pipeline(caller, request["pipelineName"])
        told = {"disabledReason": request["reason"], "lastChangedBy": caller.role, "lastChangedAt": clock.now()}
        _inbound(request)
        kept.shut[stage_of(kept, request)["name"]] = told
        return {}

    def EnableStageTransition(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        _inbound(request)
        with kept.gate:
            kept.shut.pop(stage_of(kept, request)["name"], None)
            kept.gate.notify_all()
        return {}

    def GetPipelineExecution(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"pipelineExecution": execution_of(self._execution(caller, request)[1])}

    def ListPipelineExecutions(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        wanted = request.get("filter", {}).get("succeededInStage", {}).get("stageName")
        found = [
            summary_of(each) for each in list(kept.executions.values()) if not wanted or _succeeded_in(each, wanted)
        ]
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
        return {
            "pipelineName": kept.declared["name"],
            "pipelineVersion": kept.declared["version"],
            "stageStates": [stage_state(kept, stage) for stage in kept.declared["stages"]],
        }

    def PutApprovalResult(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        kept = self._pipeline(caller, request["pipelineName"])
        answered = kept.approvals.answer(
            request["token"], request["stageName"], request["actionName"], request["result"]
        )
        if not answered:
            raise ServiceError("InvalidApprovalTokenException", "The approval request already received a response")
        return {"approvedAt": clock.now()}

    def _start(self, caller: Caller, request: Json, kind: str, detail: str) -> Json:
        kept = self._pipeline(caller, request["name"])
        token = request.get("clientRequestToken")
        with kept.gate:
            if token in kept.tokens:
                return {"pipelineExecutionId": kept.tokens[token]}
            execution = Execution(
                str(uuid.uuid4()),
                kept.declared,
                variables_of(kept.declared, request),
                {"triggerType": kind, "triggerDetail": detail},
                clock.now(),
                overrides_of(kept.declared, request),
            )
            kept.executions[execution.id] = execution
            if token:
                kept.tokens[token] = execution.id
            begin(self.place(caller), kept, execution, kept.declared["stages"])
        return {"pipelineExecutionId": execution.id}

    def _start_by_event(self, delivery: events.Delivery) -> None:
        """A rule starts it; what the rule's input says of variables and revisions is heard, any other event is not."""
        caller = Caller(delivery.place.account, delivery.place.region)
        given: Json = {key: delivery.event[key] for key in ("variables", "sourceRevisions") if key in delivery.event}
        self._start(caller, {"name": delivery.resource, **given}, BY_EVENT, delivery.rule)

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


def _declared(given: Json, version: int) -> Json:
    return {"executionMode": SUPERSEDED, "pipelineType": "V1", **given, "version": version}


def _inbound(request: Json) -> None:
    if request["transitionType"] != "Inbound":
        message = f"transitionType = {request['transitionType']}: the embedded AWS knows Inbound only"
        raise ServiceError("ValidationException", message)


def _succeeded_in(execution: Execution, name: str) -> bool:
    return any(stage["name"] == name and execution.passed(stage) for stage in execution.pipeline["stages"])
