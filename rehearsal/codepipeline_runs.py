"""Executions at work: stage by stage, and within a stage action by action; what failed is tried again or taken back.

https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
"""

from __future__ import annotations

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from rehearsal.assuming import assumed
from rehearsal.clock import clock
from rehearsal.codepipeline_actions import ACTIONS
from rehearsal.codepipeline_check import order
from rehearsal.codepipeline_doing import AbandonedError, Doing, settings_of
from rehearsal.codepipeline_events import tell_action, tell_pipeline, tell_stage
from rehearsal.codepipeline_execution import FAILED_ACTIONS, STANDARD, Execution, Kept

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.api import Json
    from rehearsal.resources import Place

RETRY, ROLL_BACK = "RETRY", "ROLLBACK"


def begin(place: Place, kept: Kept, execution: Execution, stages: Sequence[Json]) -> None:
    """Run these stages, one after the other, beside the caller."""
    kept.line_up(execution, stages[0]["name"])
    threading.Thread(target=_run, args=(place, kept, execution, stages), daemon=True).start()


def rollback_to(target: Execution, trigger: Json) -> Execution:
    """An execution with the artifacts and variables of another, which succeeded."""
    return Execution(
        str(uuid.uuid4()),
        target.pipeline,
        dict(target.variables),
        trigger,
        clock.now(),
        target=target.id,
        artifacts=dict(target.artifacts),
        outputs=dict(target.outputs),
        revisions=list(target.revisions),
    )


def may_go_back_to(kept: Kept, target: Execution, stage: Json) -> bool:
    """It succeeded in that stage, under the structure of today, and did not itself go back to another."""
    return target.kind == STANDARD and not kept.outdated(target) and target.passed(stage)


def _run(place: Place, kept: Kept, execution: Execution, stages: Sequence[Json]) -> None:
    tell_pipeline(place, execution, "STARTED" if execution.attempt == 1 else "RESUMED")
    try:
        acting = place.acting_as(execution.pipeline["roleArn"])
        for number, stage in enumerate(stages):
            if number:
                kept.line_up(execution, stage["name"])
            if not kept.enter(execution, stage["name"]):
                break
            try:
                _Stage(place, acting, kept, execution, stage).run()
            finally:
                kept.leave(execution, stage["name"])
    except Exception as error:  # noqa: BLE001 whatever keeps an execution from running is its failure
        execution.fail(str(error))
    with kept.gate:
        execution.close()
    tell_pipeline(place, execution, execution.status.upper())
    if execution.status == "Failed" and execution.stage:
        _go_back(place, kept, execution)


def _go_back(place: Place, kept: Kept, failed: Execution) -> None:
    """Where a stage wants it, what failed is taken back to the newest execution that succeeded in it."""
    stage = next(each for each in failed.pipeline["stages"] if each["name"] == failed.stage)
    if stage.get("onFailure", {}).get("result") != ROLL_BACK or failed.kind != STANDARD:
        return
    targets = [each for each in kept.executions.values() if may_go_back_to(kept, each, stage)]
    if not targets:
        failed.summary += "; there is no execution to roll back to: none has succeeded in this stage as it is today"
        return
    execution = rollback_to(targets[-1], {"triggerType": "AutomatedRollback", "triggerDetail": failed.id})
    kept.executions[execution.id] = execution
    begin(place, kept, execution, [stage])


@dataclass(frozen=True)
class _Stage:
    """A stage at work in one execution; `acting` is the place with the keys of the pipeline's role."""

    place: Place
    acting: Place
    kept: Kept
    execution: Execution
    stage: Json

    def run(self) -> None:
        """Its actions; where it wants a retry, it gets one."""
        execution, name, began = self.execution, self.stage["name"], clock.now()
        execution.stage = name
        tell_stage(self.place, execution, name, "STARTED" if execution.attempt == 1 else "RESUMED", began)
        self._act_in_order()
        wanted = self.stage.get("onFailure", {})
        if execution.broken and not execution.stop and wanted.get("result") == RETRY:
            execution.mend(name, wanted.get("retryConfiguration", {}).get("retryMode", FAILED_ACTIONS))
            execution.attempt += 1
            tell_stage(self.place, execution, name, "RESUMED", began)
            self._act_in_order()
        state = "FAILED" if execution.broken else "SUCCEEDED" if execution.passed(self.stage) else "STOPPED"
        tell_stage(self.place, execution, name, state, began)

    def _act_in_order(self) -> None:
        """Actions of one run order at the same time, those of the next when all of them have succeeded."""
        done = self.execution.done[self.stage["name"]]
        for _, together in groupby(sorted(self.stage["actions"], key=order), order):
            actions = [action for action in together if action["name"] not in done]
            if self.execution.is_over:
                return
            if actions:
                with ThreadPoolExecutor(max_workers=len(actions)) as at_once:
                    list(at_once.map(self._act, actions))

    def _act(self, action: Json) -> None:
        execution = self.execution
        told = self._told(action)
        execution.actions.append(told)
        tell_action(self.place, execution, told)
        try:
            told["input"]["resolvedConfiguration"] = settings = settings_of(execution, action)
            done = ACTIONS[action["actionTypeId"]["provider"]](
                Doing(self._place_of(action), self.kept.approvals, execution, action, told, settings)
            )
            told["output"] = {"executionResult": done.result, "outputVariables": done.variables}
            told["output"]["outputArtifacts"] = _located(execution, action.get("outputArtifacts", []))
            if "namespace" in action:
                execution.outputs[action["namespace"]] = done.variables
            execution.done[self.stage["name"]].add(action["name"])
            told["status"] = "Succeeded"
        except Exception as error:  # noqa: BLE001 whatever an action meets is its failure
            self._failed(told, error)
        told["lastUpdateTime"] = clock.now()
        tell_action(self.place, execution, told)

    def _failed(self, told: Json, error: Exception) -> None:
        result = told.get("output", {}).get("executionResult", {})
        told["output"] = {"executionResult": {**result, "externalExecutionSummary": str(error)[:2048]}}
        if isinstance(error, AbandonedError):
            told["status"] = "Abandoned"
        else:
            self.execution.fail(f"{told['actionName']}: {error}")
            told["status"] = "Failed"

    def _told(self, action: Json) -> Json:
        given = {
            "actionTypeId": action["actionTypeId"],
            "configuration": action.get("configuration", {}),
            "inputArtifacts": _located(self.execution, action.get("inputArtifacts", [])),
        }
        more = {key: action[key] for key in ("roleArn", "region", "namespace") if key in action}
        return {
            "pipelineExecutionId": self.execution.id,
            "pipelineVersion": self.execution.pipeline["version"],
            "actionExecutionId": str(uuid.uuid4()),
            "stageName": self.stage["name"],
            "actionName": action["name"],
            "startTime": clock.now(),
            "status": "InProgress",
            "input": {**given, **more},
        }

    def _place_of(self, action: Json) -> Place:
        """With the keys of the action's own role, if it has one, which must trust the pipeline's."""
        if "roleArn" not in action:
            return self.acting
        return assumed(self.acting, action["roleArn"], self.execution.id)


def _located(execution: Execution, named: Sequence[Json]) -> list[Json]:
    """Artifacts and where they lie."""
    found = []
    for each in named:
        bucket, _, key = execution.artifacts.get(each["name"], "").partition("/")
        found.append({"name": each["name"], "s3location": {"bucket": bucket, "key": key}})
    return found
