"""To run a stage once more, in the same execution, or as it was in an earlier one: when CodePipeline lets one.

https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RetryStageExecution.html
https://docs.aws.amazon.com/codepipeline/latest/APIReference/API_RollbackStage.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rehearsal.api import ServiceError
from rehearsal.codepipeline_execution import STANDARD, Execution, Kept
from rehearsal.codepipeline_runs import may_go_back_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rehearsal.api import Json

AGAIN = frozenset({"Failed", "Stopped"})


def stage_of(kept: Kept, request: Json) -> Json:
    """The stage that a request names."""
    stages: list[Json] = kept.declared["stages"]
    for stage in stages:
        if stage["name"] == request["stageName"]:
            return stage
    names = ", ".join(stage["name"] for stage in stages)
    raise ServiceError("StageNotFoundException", f"no stage {request['stageName']} here; there are {names}")


def to_retry(kept: Kept, request: Json) -> tuple[Execution, Sequence[Json]]:
    """The execution, ready to go on, and its stages from the one that failed, or was stopped."""
    stage, wanted = stage_of(kept, request), request["pipelineExecutionId"]
    name = stage["name"]
    execution = kept.executions.get(wanted)
    came = list(kept.came(name))
    if execution is None or (came and came[-1] is not execution):
        message = f"{wanted} is not the newest execution of stage {name}; that is {came[-1].id if came else 'none'}"
        raise ServiceError("NotLatestPipelineExecutionException", message)
    if kept.outdated(execution):
        message = (
            f"the structure of the pipeline has changed: it is version {kept.declared['version']}, and the execution "
            f"began with version {execution.pipeline['version']}; start a new one"
        )
        raise ServiceError("StageNotRetryableException", message)
    if execution.status not in AGAIN or execution.stage != name:
        message = f"execution {wanted} is {execution.status} in stage {execution.stage or 'none'}, nothing to retry"
        raise ServiceError("StageNotRetryableException", f"{message} in {name}")
    execution.mend(name, request["retryMode"])
    execution.attempt += 1
    stages = execution.pipeline["stages"]
    begin = next(number for number, each in enumerate(stages) if each["name"] == name)
    return execution, stages[begin : begin + 1] if execution.target else stages[begin:]


def to_go_back_to(kept: Kept, request: Json) -> tuple[Execution, Json]:
    """The execution that a stage is taken back to, and the stage."""
    stage, wanted = stage_of(kept, request), request["targetPipelineExecutionId"]
    target = kept.executions.get(wanted)
    if target is None:
        raise ServiceError("PipelineExecutionNotFoundException", f"There is no execution {wanted}")
    if kept.outdated(target):
        message = (
            f"execution {wanted} began with version {target.pipeline['version']} of the pipeline's structure, which is "
            f"version {kept.declared['version']} now; name one that began with that"
        )
        raise ServiceError("PipelineExecutionOutdatedException", message)
    unable = "UnableToRollbackStageException"
    if stage is kept.declared["stages"][0]:
        raise ServiceError(unable, f"{stage['name']} holds the sources and cannot be rolled back; name a later stage")
    if target.kind != STANDARD:
        raise ServiceError(unable, f"execution {wanted} is itself a rollback, to {target.target}; name that")
    if not may_go_back_to(kept, target, stage):
        raise ServiceError(unable, f"execution {wanted} has not succeeded in stage {stage['name']}; name one that has")
    return target, stage
