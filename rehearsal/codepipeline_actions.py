"""What actions of a pipeline do: take a source from S3, run a build of CodeBuild, wait for a person."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from rehearsal.api import Json
    from rehearsal.resources import Place

REFERENCE = re.compile(r"#\{([^}]*)\}")
EXECUTION_ID = "codepipeline.PipelineExecutionId"
LOOK_SECONDS = 0.2
WAIT, ABANDON = "wait", "abandon"
ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded"})


class ActionError(Exception):
    """Why an action failed."""


@dataclass
class Execution:
    """One execution: its variables, where it stands, each action it has run; `stop` says how it is to stop."""

    id: str
    pipeline: Json
    variables: dict[str, str]
    trigger: str
    began: datetime
    status: str = "InProgress"
    summary: str = ""
    stop: str = ""
    actions: list[Json] = field(default_factory=list)
    artifacts: dict[str, str] = field(default_factory=dict)

    @property
    def is_over(self) -> bool:
        """It begins nothing more."""
        return bool(self.stop) or self.status in ENDED

    def resolved(self, text: str) -> str:
        known = {EXECUTION_ID: self.id, **{f"variables.{name}": value for name, value in self.variables.items()}}
        return REFERENCE.sub(lambda found: known[found[1]], text)


@dataclass
class Approvals:
    """What waits for a person: by token the stage, the action and, once given, the answer."""

    waiting: dict[str, Json] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, token: str, stage: str, action: str, result: Json) -> bool:
        """Whether somebody waited for it; a token is good once."""
        with self.lock:
            found = self.waiting.get(token)
            if found is None or (found["stage"], found["action"]) != (stage, action):
                return False
            found["result"] = result
            del self.waiting[token]
            return True


@dataclass(frozen=True)
class Doing:
    """An action at work: in whose name, for which execution, and what is told of it."""

    place: Place
    approvals: Approvals
    execution: Execution
    action: Json
    told: Json

    @property
    def settings(self) -> Json:
        found: Json = self.action.get("configuration", {})
        return found

    def waits(self) -> None:
        if self.execution.stop == ABANDON:
            raise ActionError("the execution was abandoned")
        time.sleep(LOOK_SECONDS)


def references(action: Json) -> Iterator[str]:
    """What an action's settings refer to."""
    for value in action.get("configuration", {}).values():
        yield from REFERENCE.findall(value)


def _source(doing: Doing) -> Json:
    """Take the object as it is now and hand it on, encrypted with the key of the pipeline's store."""
    settings, s3 = doing.settings, doing.place.client("s3")
    if s3.get_bucket_versioning(Bucket=settings["S3Bucket"]).get("Status") != "Enabled":
        raise ActionError(f"bucket {settings['S3Bucket']} is not versioned; a source's bucket must be")
    got = s3.get_object(Bucket=settings["S3Bucket"], Key=settings["S3ObjectKey"])
    (output,) = doing.action["outputArtifacts"]
    pipeline = doing.execution.pipeline
    store, key = pipeline["artifactStore"], f"{pipeline['name'][:20]}/{output['name']}/{uuid.uuid4().hex[:7]}"
    encryption = {"SSEKMSKeyId": store["encryptionKey"]["id"]} if "encryptionKey" in store else {}
    s3.put_object(
        Bucket=store["location"], Key=key, Body=got["Body"].read(), ServerSideEncryption="aws:kms", **encryption
    )
    doing.execution.artifacts[output["name"]] = f"{store['location']}/{key}"
    return {"externalExecutionId": got["VersionId"]}


def _build(doing: Doing) -> Json:
    """Start the build with the first input artifact as its source, and see how it ends; to stop does not end it."""
    codebuild, execution = doing.place.client("codebuild"), doing.execution
    given = json.loads(doing.settings.get("EnvironmentVariables", "[]"))
    (artifact, *_) = doing.action["inputArtifacts"]
    started = codebuild.start_build(
        projectName=doing.settings["ProjectName"],
        sourceTypeOverride="S3",
        sourceLocationOverride=execution.artifacts[artifact["name"]],
        environmentVariablesOverride=[{**each, "value": execution.resolved(each["value"])} for each in given],
    )["build"]
    result = {"externalExecutionId": started["id"]}
    doing.told["output"] = {"executionResult": result}
    while True:
        (build,) = codebuild.batch_get_builds(ids=[started["id"]])["builds"]
        if build["buildStatus"] != "IN_PROGRESS":
            break
        doing.waits()
    if build["buildStatus"] != "SUCCEEDED":
        raise ActionError(f"Build terminated with state: {build['buildStatus']}, {started['id']}")
    return result


def _approval(doing: Doing) -> Json:
    """Wait until somebody says yes or no; the token stands in the pipeline's state."""
    token, approvals = str(uuid.uuid4()), doing.approvals
    asked: Json = {"stage": doing.told["stageName"], "action": doing.told["actionName"]}
    approvals.waiting[token] = asked
    doing.told["token"] = token
    try:
        while "result" not in asked:
            doing.waits()
    finally:
        doing.told.pop("token")
        approvals.waiting.pop(token, None)
    result = asked["result"]
    if result["status"] != "Approved":
        raise ActionError(f"Rejected: {result['summary']}")
    return {"externalExecutionSummary": result["summary"]}


ACTIONS: dict[str, Callable[[Doing], Json]] = {"S3": _source, "CodeBuild": _build, "Manual": _approval}


def variables_of(pipeline: Json, request: Json) -> dict[str, str]:
    """The values of an execution: as given, or as declared."""
    declared = {each["name"]: each.get("defaultValue") for each in pipeline.get("variables", [])}
    given = {each["name"]: each["value"] for each in request.get("variables", [])}
    values = {**declared, **given}
    unknown, missing = sorted(set(given) - set(declared)), sorted(name for name in declared if values[name] is None)
    if unknown or missing:
        raise ServiceError("ValidationException", f"variables unknown: {unknown}, without a value: {missing}")
    return {name: str(value) for name, value in values.items()}
