"""What CodePipeline announces of executions, stages and actions, in the form AWS documents.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal import events

if TYPE_CHECKING:
    from datetime import datetime

    from rehearsal.api import Json
    from rehearsal.codepipeline_execution import Execution
    from rehearsal.resources import Place

SPELLED = {"CANCELLED": "CANCELED"}
"""States whose events are spelled otherwise than the API."""


def tell_pipeline(place: Place, execution: Execution, state: str) -> None:
    trigger = execution.trigger
    begun = {"trigger-type": trigger["triggerType"], "trigger-detail": trigger["triggerDetail"]}
    more: Json = {"execution-trigger": begun} if state == "STARTED" else {}
    _send(place, execution, "Pipeline", {"start-time": _at(execution.began), "state": state, **more})


def tell_stage(place: Place, execution: Execution, stage: str, state: str, began: datetime) -> None:
    _send(place, execution, "Stage", {"start-time": _at(began), "stage": stage, "state": state})


def tell_action(place: Place, execution: Execution, told: Json) -> None:
    """As it stands; what it has made and said only once it has ended."""
    over = told["status"] != "InProgress"
    kind = told["input"]["actionTypeId"]
    detail: Json = {
        "start-time": _at(told["startTime"]),
        "stage": told["stageName"],
        "action": told["actionName"],
        "action-execution-id": told["actionExecutionId"],
        "state": told["status"].upper() if over else "STARTED",
        "region": place.region,
        "type": {key: kind[key] for key in ("owner", "provider", "category", "version")},
        "input-artifacts": [_artifact(each) for each in told["input"]["inputArtifacts"]],
    }
    if over:
        said = told["output"].get("executionResult", {})
        spelled = {
            "externalExecutionId": "external-execution-id",
            "externalExecutionSummary": "external-execution-summary",
        }
        detail["execution-result"] = {name: said[key] for key, name in spelled.items() if key in said}
        if told["status"] == "Failed":
            detail["execution-result"]["error-code"] = "JobFailed"
        detail["output-artifacts"] = [_artifact(each) for each in told["output"].get("outputArtifacts", [])]
    _send(place, execution, "Action", detail)


def _artifact(told: Json) -> Json:
    return {"name": told["name"], "s3location": told["s3location"]}


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"


def _send(place: Place, execution: Execution, what: str, detail: Json) -> None:
    pipeline = execution.pipeline
    told = {
        "pipeline": pipeline["name"],
        "execution-id": execution.id,
        **detail,
        "state": SPELLED.get(detail["state"], detail["state"]),
        "version": pipeline["version"],
        "pipeline-execution-attempt": execution.attempt,
    }
    kind = f"CodePipeline {what} Execution State Change"
    events.send(place, "aws.codepipeline", kind, told, [place.arn("codepipeline", pipeline["name"])])
