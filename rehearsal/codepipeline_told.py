"""What CodePipeline tells of executions, actions and stages, in AWS's shapes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.codepipeline_actions import ENDED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.api import Json
    from rehearsal.codepipeline_actions import Execution


def summary_of(execution: Execution) -> Json:
    """As a list shows it."""
    return {
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.summary,
        "startTime": execution.began,
        "lastUpdateTime": execution.actions[-1].get("lastUpdateTime", execution.began)
        if execution.actions
        else execution.began,
        "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": execution.trigger},
        "executionMode": execution.pipeline["executionMode"],
    }


def execution_of(execution: Execution) -> Json:
    """All of it, with its variables as they were resolved."""
    return {
        "pipelineName": execution.pipeline["name"],
        "pipelineVersion": execution.pipeline["version"],
        "pipelineExecutionId": execution.id,
        "status": execution.status,
        "statusSummary": execution.summary,
        "variables": [{"name": name, "resolvedValue": value} for name, value in execution.variables.items()],
        "trigger": {"triggerType": "StartPipelineExecution", "triggerDetail": execution.trigger},
        "executionMode": execution.pipeline["executionMode"],
    }


def action_of(action: Json) -> Json:
    """An action's execution; the token of an approval stands in the pipeline's state only."""
    return {key: value for key, value in action.items() if key != "token"}


def stage_state(executions: Sequence[Execution], stage: Json) -> Json:
    """What the newest execution that came so far says of a stage."""
    name = stage["name"]
    came = [each for each in executions if any(action["stageName"] == name for action in list(each.actions))]
    ran = [action for each in came for action in list(each.actions) if action["stageName"] == name]
    newest = {action["actionName"]: action for action in ran}
    states = []
    for action in stage["actions"]:
        state: Json = {"actionName": action["name"]}
        found = newest.get(action["name"])
        if found:
            state["latestExecution"] = {key: found[key] for key in ("status", "actionExecutionId")}
            state["latestExecution"] |= {"token": found["token"]} if "token" in found else {}
        states.append(state)
    told: Json = {"stageName": name, "actionStates": states}
    if came:
        status = _status(came[-1], name, len(stage["actions"]))
        told["latestExecution"] = {"pipelineExecutionId": came[-1].id, "status": status}
    return told


def _status(execution: Execution, stage: str, actions: int) -> str:
    states = [action["status"] for action in list(execution.actions) if action["stageName"] == stage]
    if "Failed" in states:
        return "Failed"
    if states.count("Succeeded") == actions:
        return "Succeeded"
    return "Stopped" if execution.status in ENDED else execution.status
