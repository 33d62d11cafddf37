"""Pushes through the pipeline: each followed from its source to its end, its approvals given by a person."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from rehearsal.repository import Repository

LOOK_SECONDS, LONGEST_SECONDS = 0.5, 900
ENDED = frozenset({"Cancelled", "Failed", "Stopped", "Succeeded", "Superseded"})
REACHED, UNTOUCHED = "reached production", "production untouched"
LOG_LINES = 25


Meanwhile = Callable[[str], None]


def _nothing(_execution: str) -> None:
    """What most pushes need done beside them."""


class PushError(Exception):
    """A push that did not go as the story has it; holds what its builds said."""


@dataclass(frozen=True)
class Stage:
    """One stage of an execution: how it went, and the real seconds it took."""

    name: str
    status: str
    seconds: float


@dataclass(frozen=True)
class Pushed:
    """One push: its executions in order, the last of which ended so; what production was before it and after."""

    change: str
    executions: tuple[str, ...]
    status: str
    stages: tuple[Stage, ...]
    prod_before: str
    prod_after: str
    agreed: tuple[str, ...] = ()
    why: str = ""

    @property
    def outcome(self) -> str:
        return f"{self.status}, {UNTOUCHED if self.prod_before == self.prod_after else REACHED}"


@dataclass
class Delivering:
    """The pipeline in its account: `client(service)` gives clients there, `prod` says in a word what production is."""

    client: Callable[[str], Any]
    pipeline: str
    bucket: str
    pages: str
    prod: Callable[[], str]
    tell: Callable[[str], None]
    told: set[tuple[str, str, str]] = field(default_factory=set)

    def push(self, change: str, repository: Repository) -> Pushed:
        """Push, and follow to the end."""
        before = self.prod()
        return self.follow(change, self.begin(repository), before)

    def begin(self, repository: Repository) -> str:
        """Push; the execution that comes of it."""
        known = self.executions()
        repository.push(self.client("s3"))
        return self.started(known)

    def retry(self, execution: str, stage: str) -> None:
        """As a person does when the cause is gone."""
        self.client("codepipeline").retry_stage_execution(
            pipelineName=self.pipeline, stageName=stage, pipelineExecutionId=execution, retryMode="FAILED_ACTIONS"
        )

    def executions(self) -> list[str]:
        """The newest first."""
        pages = (
            self.client("codepipeline").get_paginator("list_pipeline_executions").paginate(pipelineName=self.pipeline)
        )
        return [each["pipelineExecutionId"] for page in pages for each in page["pipelineExecutionSummaries"]]

    def started(self, known: list[str]) -> str:
        """The execution that was not there before, the oldest of them if there are several."""
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            new = [each for each in self.executions() if each not in known]
            if new:
                return new[-1]
            time.sleep(LOOK_SECONDS)
        raise PushError(f"no execution of {self.pipeline} began; does an event reach it?")

    def follow(self, change: str, execution: str, before: str, meanwhile: Meanwhile = _nothing) -> Pushed:
        """To its end; `meanwhile` hears of it at every look. A pipeline that a push changes begins anew."""
        executions, agreed = [execution], list[str]()
        while True:
            status = self._to_its_end(executions[-1], agreed, meanwhile)
            if status != "Cancelled":
                break
            executions.append(self._anew(executions[-1]))
            self.tell("  the pipeline has changed itself, and begins anew")
        stages = tuple(self.stages(executions[-1]))
        why = self.why(executions[-1]) if status == "Failed" else ""
        return Pushed(change, tuple(executions), status, stages, before, self.prod(), tuple(agreed), why)

    def _anew(self, execution: str) -> str:
        newer = self.executions()
        return newer[newer.index(execution) - 1] if newer.index(execution) else self.started(newer)

    def _to_its_end(self, execution: str, agreed: list[str], meanwhile: Meanwhile) -> str:
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            status = self.status(execution)
            self._say(execution)
            if status in ENDED:
                return status
            meanwhile(execution)
            agreed += self.agree(execution)
            time.sleep(LOOK_SECONDS)
        raise PushError(f"execution {execution} has not ended after {LONGEST_SECONDS} s\n{self.why(execution)}")

    def status(self, execution: str) -> str:
        found = self.client("codepipeline").get_pipeline_execution(
            pipelineName=self.pipeline, pipelineExecutionId=execution
        )
        return str(found["pipelineExecution"]["status"])

    def agree(self, execution: str) -> list[str]:
        """As a person does who has read the page: what waits and has a page that asks for somebody is agreed to."""
        state = self.client("codepipeline").get_pipeline_state(name=self.pipeline)
        done = []
        for stage in state["stageStates"]:
            if stage.get("latestExecution", {}).get("pipelineExecutionId") != execution:
                continue
            for action in stage["actionStates"]:
                token = action.get("latestExecution", {}).get("token")
                environment = action["actionName"].removeprefix("Agree-")
                if token and self._asks_somebody(execution, environment, stage):
                    self._say_yes(stage["stageName"], action["actionName"], token)
                    done.append(environment)
        return done

    def _asks_somebody(self, execution: str, environment: str, stage: dict[str, Any]) -> bool:
        """Whether the build beside has ended: then the page is there, and nobody agreed by itself."""
        ended = any(
            action["actionName"] == f"Changes-{environment}"
            and action.get("latestExecution", {}).get("status") == "Succeeded"
            for action in stage["actionStates"]
        )
        return ended and bool(self.page(execution, environment))

    def page(self, execution: str, environment: str) -> str:
        """What the reviewer reads; empty if there is none yet."""
        try:
            key = f"{self.pages}/{execution}/{environment}.html"
            body: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        except ClientError:
            return ""
        return body.decode()

    def _say_yes(self, stage: str, action: str, token: str) -> None:
        try:
            self.client("codepipeline").put_approval_result(
                pipelineName=self.pipeline,
                stageName=stage,
                actionName=action,
                token=token,
                result={"status": "Approved", "summary": "Read the page"},
            )
        except ClientError as error:  # the build agreed by itself a moment ago
            if "Approval" not in error.response["Error"]["Code"]:
                raise

    def stages(self, execution: str) -> list[Stage]:
        """As far as it came, in order."""
        found: dict[str, list[dict[str, Any]]] = {}
        for action in reversed(self.actions(execution)):
            found.setdefault(action["stageName"], []).append(action)
        return [_stage(name, actions) for name, actions in found.items()]

    def actions(self, execution: str) -> list[dict[str, Any]]:
        pages = (
            self.client("codepipeline")
            .get_paginator("list_action_executions")
            .paginate(pipelineName=self.pipeline, filter={"pipelineExecutionId": execution})
        )
        return [action for page in pages for action in page["actionExecutionDetails"]]

    def why(self, execution: str) -> str:
        """The actions that failed, and the last lines of their builds."""
        failed = [action for action in self.actions(execution) if action["status"] == "Failed"]
        return "\n".join(self._failure(action) for action in failed)

    def _failure(self, action: dict[str, Any]) -> str:
        result = action.get("output", {}).get("executionResult", {})
        lines = [f"{action['stageName']} {action['actionName']}: {result.get('externalExecutionSummary', '')}"]
        build = str(result.get("externalExecutionId", ""))
        if ":" in build and not build.startswith("arn:"):
            lines += self.log(build)[-LOG_LINES:]
        return "\n  ".join(lines)

    def log(self, build: str) -> list[str]:
        (told,) = self.client("codebuild").batch_get_builds(ids=[build])["builds"]
        where = told["logs"]
        events = self.client("logs").get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True
        )["events"]
        return [event["message"] for event in events]

    def _say(self, execution: str) -> None:
        for stage in self.stages(execution):
            said = (execution, stage.name, stage.status)
            if stage.status != "InProgress" and said not in self.told:
                self.told.add(said)
                self.tell(f"  {stage.name:<18} {stage.status:<10} {stage.seconds:5.1f} s")


def _stage(name: str, actions: list[dict[str, Any]]) -> Stage:
    latest = {action["actionName"]: action for action in actions}
    statuses = [action["status"] for action in latest.values()]
    status = next((each for each in ("Failed", "Abandoned", "InProgress") if each in statuses), "Succeeded")
    begun = min(action["startTime"] for action in actions)
    ended = max(action.get("lastUpdateTime", action["startTime"]) for action in actions)
    return Stage(name, status, round((ended - begun).total_seconds(), 1))
