"""The review of a deployment: a page of what would change, who has to agree, and whether it still holds afterwards.

The page is made while its approval waits, so after whatever waited before it. Where only widened permissions need a
person and none is widened, the build agrees by itself. What was agreed to is described anew before it is deployed:
between the two somebody may have released a version, or changed a parameter or a stack by hand.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.page import page

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.changes import Changes

LOOK_SECONDS, LONGEST_SECONDS = 1.0, 300
SUBJECT_CHARACTERS = 100


class ReviewError(Exception):
    """Why a deployment may not go on, and what to do."""


@dataclass(frozen=True)
class Review:
    """Of one execution and environment; `asks` says when a person has to agree: always, or permissions.

    `client(service)` gives clients of the account that delivers.
    """

    client: Callable[[str], Any]
    pipeline: str
    stage: str
    execution: str
    environment: str
    bucket: str
    prefix: str
    topic: str
    asks: str
    look_seconds: float = LOOK_SECONDS

    @property
    def action(self) -> str:
        return f"Agree-{self.environment}"

    @property
    def stem(self) -> str:
        return f"{self.prefix}/{self.execution}/{self.environment}"

    def open(self, changes: Changes) -> str:
        """Write the page; agree where nobody has to, and let people know otherwise. Says what was done, in a line."""
        self._write(changes)
        if self.asks == "permissions" and not changes.widened:
            self._agree(changes.summary)
            return f"agreed by itself: {changes.summary}"
        self._tell(changes)
        return f"a person has to agree: {changes.summary}; s3://{self.bucket}/{self.stem}.html"

    def hold(self, changes: Changes) -> str:
        """Raise ReviewError if what would change is not what was agreed to."""
        body = self.client("s3").get_object(Bucket=self.bucket, Key=f"{self.stem}.json")["Body"].read()
        agreed = json.loads(body)
        if agreed["digest"] != changes.digest:
            raise ReviewError(
                f"what would change is not what was agreed to: then {agreed['summary']}, now {changes.summary}; "
                f"let the stage {self.stage} run again with all its actions, it describes anew and asks again:\n"
                f"aws codepipeline retry-stage-execution --pipeline-name {self.pipeline} --stage-name {self.stage} "
                f"--pipeline-execution-id {self.execution} --retry-mode ALL_ACTIONS"
            )
        return f"as agreed: {changes.summary}"

    def _write(self, changes: Changes) -> None:
        s3 = self.client("s3")
        told = {"digest": changes.digest, "summary": changes.summary, "widened": changes.widened}
        written = {
            "html": (page(changes, self.execution), "text/html; charset=utf-8"),
            "json": (json.dumps(told), "application/json"),
        }
        for kind, (body, content_type) in written.items():
            s3.put_object(Bucket=self.bucket, Key=f"{self.stem}.{kind}", Body=body.encode(), ContentType=content_type)

    def _agree(self, summary: str) -> None:
        try:
            self.client("codepipeline").put_approval_result(
                pipelineName=self.pipeline,
                stageName=self.stage,
                actionName=self.action,
                token=self._token(),
                result={"status": "Approved", "summary": f"No permission is widened. {summary}"[:512]},
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ApprovalAlreadyCompletedException":
                raise  # a person was faster

    def _token(self) -> str:
        """That of the approval that waits beside this build; it may come a little later."""
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            state = self.client("codepipeline").get_pipeline_state(name=self.pipeline)
            for stage in state["stageStates"]:
                mine = stage.get("latestExecution", {}).get("pipelineExecutionId") == self.execution
                for action in stage.get("actionStates", []) if stage["stageName"] == self.stage and mine else []:
                    token = action.get("latestExecution", {}).get("token")
                    if action["actionName"] == self.action and token:
                        return str(token)
            time.sleep(self.look_seconds)
        raise ReviewError(
            f"{self.action} of {self.pipeline} did not begin to wait within {LONGEST_SECONDS} seconds; "
            f"answer it by hand, or let the stage {self.stage} run again"
        )

    def _tell(self, changes: Changes) -> None:
        subject = f"{self.environment}: a deployment waits for you"[:SUBJECT_CHARACTERS]
        wider = "".join(f"\n  {each}" for each in changes.widened)
        message = (
            f"{changes.summary}\n\nPermissions that would be widened:{wider or ' none'}\n\n"
            f"All of it: s3://{self.bucket}/{self.stem}.html\n"
            f"Agree, or not, in CodePipeline: {self.pipeline}, stage {self.stage}, execution {self.execution}\n"
        )
        self.client("sns").publish(TopicArn=self.topic, Subject=subject, Message=message)
