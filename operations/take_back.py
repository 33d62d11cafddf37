"""Takes back a deployment that does not work: the stage's last one that did is deployed again.

CodePipeline rolls a stage back to what ran under the pipeline's present structure. Once a push has changed the pipeline
itself, that is refused; then the source of the last one that worked is delivered anew, from the beginning.
https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-trigger-source-overrides.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

SUBJECT_CHARACTERS = 100
ROLLBACK = "ROLLBACK"
REFUSED = frozenset(
    {"ConflictException", "PipelineExecutionOutdatedException", "UnableToRollbackStageException", "ValidationException"}
)
NOBODY, BACK, AGAIN = "nobody can", "rolled back", "delivered again"


@dataclass(frozen=True)
class TakenBack:
    """What was done about a failed stage: `execution` does it."""

    outcome: str
    execution: str
    because: str


@dataclass(frozen=True)
class TakeBack:
    """`pipeline` is what delivers; `topic` is who hears what was done."""

    codepipeline: Any
    sns: Any
    pipeline: str
    topic: str

    def failed(self, stage: str, execution: str) -> TakenBack:
        """A stage of an execution failed: go back, and tell people."""
        done = self._go_back(stage, execution)
        subject = f"{stage}: {done.outcome}"[:SUBJECT_CHARACTERS]
        message = (
            f"Execution {execution} of {self.pipeline} failed in stage {stage}.\n{done.outcome}: {done.because}\n"
            "Runbook: docs/runbooks/a-deployment-failed.md\n"
        )
        self.sns.publish(TopicArn=self.topic, Subject=subject, Message=message)
        return done

    def _go_back(self, stage: str, execution: str) -> TakenBack:
        failed = self._execution(execution)
        if failed.get("executionType") == ROLLBACK or self._is_ours(failed):
            return TakenBack(NOBODY, execution, "what failed was itself the way back; a person has to look")
        good = self._last_that_worked(stage, execution)
        if good is None:
            return TakenBack(NOBODY, execution, f"nothing has worked in {stage} before; mend it, and push")
        target = good["pipelineExecutionId"]
        try:
            begun = self.codepipeline.rollback_stage(
                pipelineName=self.pipeline, stageName=stage, targetPipelineExecutionId=target
            )["pipelineExecutionId"]
        except ClientError as error:
            if error.response["Error"]["Code"] not in REFUSED:
                raise
            return self._deliver_again(good, str(error.response["Error"]["Message"]))
        return TakenBack(BACK, begun, f"the stage runs again as in {target}")

    def _deliver_again(self, good: dict[str, Any], refused: str) -> TakenBack:
        """From its source on, the pipeline's own structure included; the environments before it, too."""
        revisions = [_override(revision) for revision in good.get("sourceRevisions", [])]
        if not revisions:
            return TakenBack(NOBODY, good["pipelineExecutionId"], f"{refused}; and its source is not known any more")
        # The same failure, told twice, is answered once.
        token = f"again-{good['pipelineExecutionId']}"
        begun = self.codepipeline.start_pipeline_execution(
            name=self.pipeline, sourceRevisions=revisions, clientRequestToken=token
        )["pipelineExecutionId"]
        return TakenBack(AGAIN, begun, f"source {revisions[0]['revisionValue']}, since: {refused}")

    def _execution(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.codepipeline.get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution
        )["pipelineExecution"]
        return found

    @staticmethod
    def _is_ours(execution: dict[str, Any]) -> bool:
        """Whether this function started it: an override of its source, which pushes have none of."""
        trigger = execution.get("trigger", {})
        return trigger.get("triggerType") == "StartPipelineExecution" and "take-back" in trigger.get(
            "triggerDetail", ""
        )

    def _last_that_worked(self, stage: str, failed: str) -> dict[str, Any] | None:
        """The newest execution that succeeded in the stage, ways back not counted: one cannot go back to them."""
        pages = self.codepipeline.get_paginator("list_pipeline_executions").paginate(
            pipelineName=self.pipeline, filter={"succeededInStage": {"stageName": stage}}
        )
        for page in pages:
            for each in page["pipelineExecutionSummaries"]:
                if each["pipelineExecutionId"] != failed and each.get("executionType") != ROLLBACK:
                    found: dict[str, Any] = each
                    return found
        return None


def _override(revision: dict[str, Any]) -> dict[str, str]:
    """A source's revision as it is asked for again: an S3 object's version, or a commit."""
    value = str(revision["revisionId"])
    commit = len(value) in {40, 64} and all(character in "0123456789abcdef" for character in value)
    kind = "COMMIT_ID" if commit else "S3_OBJECT_VERSION_ID"
    return {"actionName": revision["actionName"], "revisionType": kind, "revisionValue": value}
