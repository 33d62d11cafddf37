"""What CodePipeline tells of executions, actions and stages, in AWS's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.codepipeline_execution import ENDED

if TYPE_CHECKING:
    from rehearsal.api import Json
    from rehearsal.codepipeline_execution import Execution, Kept


REVISION = ("revisionId", "revisionSummary")


def summary_of(execution: Execution) -> Json:
    """As a list shows it."""
    ended = [action["lastUpdateTime"] for action in list(execution.actions) if "lastUpdateTime" in action]
    return {
        **_common(execution),
        "startTime": execution.began,
        "lastUpdateTime": max(ended, default=execution.began),
        "sourceRevisions": [_revision(each, "actionName") for each in execution.revisions],
    }


def execution_of(execution: Execution) -> Json:
    """All of it, with its variables as they were resolved."""
    return {
        **_common(execution),
        "pipelineName": execution.pipeline["name"],
        "pipelineVersion": execution.pipeline["version"],
        "variables": [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()],
        "artifactRevisions": [_revision(each, "name", "created") for each in execution.revisions],
    }


def _common(execution: Execution) -> Json:
    back = {"rollbackMetadata": {"rollbackTargetPipelineExecutionId": execution.target}} if execution.target else {}
    return {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.summary,
        "trigger": execution.trigger,
        "executionMode": execution.pipeline["executionMode"],
        "executionType": execution.kind,
        **back,
    }


def _revision(noted: Json, *names: str) -> Json:
    return {name: noted[name] for name in (*REVISION, *names)}


def action_of(action: Json) -> Json:
    """An action's execution; the token of an approval stands in the pipeline's state only."""
    return {key: value for key, value in action.items() if key != "token"}


def stage_state(kept: Kept, stage: Json) -> Json:
    """What the newest execution that came so far says of a stage, who waits for it, and whether it lets anybody in."""
    name, came = stage["name"], list(kept.came(stage["name"]))
    newest = {action["actionName"]: action for each in came for action in _of(each, name)}
    told: Json = {
        "stageName": name,
        "actionStates": [_action_state(action["name"], newest.get(action["name"])) for action in stage["actions"]],
        "inboundTransitionState": {"enabled": name not in kept.shut, **kept.shut.get(name, {})},
    }
    if came:
        told["latestExecution"] = {**_named(came[-1]), "status": _status(came[-1], stage)}
    waiting = list(kept.lines[name])
    if waiting:
        told["inboundExecution"] = {**_named(waiting[-1]), "status": "InProgress"}
        told["inboundExecutions"] = [{**_named(each), "status": "InProgress"} for each in waiting]
    return told


def _named(execution: Execution) -> Json:
    return {"pipelineExecutionId": execution.id, "type": execution.kind}


def _of(execution: Execution, stage: str) -> list[Json]:
    return [action for action in list(execution.actions) if action["stageName"] == stage]


def _action_state(name: str, newest: Json | None) -> Json:
    if newest is None:
        return {"actionName": name}
    result = newest.get("output", {}).get("executionResult", {})
    told = {
        "actionExecutionId": newest["actionExecutionId"],
        "status": newest["status"],
        "lastStatusChange": newest.get("lastUpdateTime", newest["startTime"]),
    }
    spelled = {"externalExecutionId": "externalExecutionId", "externalExecutionSummary": "summary"}
    told |= {spelled[key]: value for key, value in result.items() if key in spelled}
    if newest["status"] == "Failed":
        told["errorDetails"] = {"code": "JobFailed", "message": result.get("externalExecutionSummary", "")}
    told |= {"token": newest["token"]} if "token" in newest else {}
    return {"actionName": name, "latestExecution": told}


def _status(execution: Execution, stage: Json) -> str:
    newest = {action["actionName"]: action["status"] for action in _of(execution, stage["name"])}
    if "Failed" in newest.values():
        return "Failed"
    if execution.passed(stage):
        return "Succeeded"
    return "Stopped" if execution.status in ENDED else execution.status
