"""An action at work: in whose name, for which execution, with which settings and artifacts."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal.codepipeline_execution import ABANDON, ActionError, Approvals, Execution

if TYPE_CHECKING:
    from rehearsal.api import Json
    from rehearsal.resources import Place

LOOK_SECONDS = 0.2
VARIABLES = "EnvironmentVariables"


class AbandonedError(ActionError):
    """Why an action was given up before it had ended."""


@dataclass(frozen=True)
class Done:
    """What an action that succeeded leaves: its result, and the variables of its namespace."""

    result: Json
    variables: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Doing:
    """An action at work: in whose name, for which execution, with which settings, and what is told of it."""

    place: Place
    approvals: Approvals
    execution: Execution
    action: Json
    told: Json
    settings: dict[str, str]

    @property
    def inputs(self) -> list[str]:
        return [each["name"] for each in self.action.get("inputArtifacts", [])]

    @property
    def outputs(self) -> list[str]:
        return [each["name"] for each in self.action.get("outputArtifacts", [])]

    @property
    def store(self) -> Json:
        """Where artifacts lie in this region."""
        pipeline = self.execution.pipeline
        found: Json = pipeline.get("artifactStore") or pipeline["artifactStores"][self.place.region]
        return found

    @property
    def key(self) -> str | None:
        """The key that artifacts are encrypted with, if the store names one."""
        found: str | None = self.store.get("encryptionKey", {}).get("id")
        return found

    def location(self, artifact: str) -> str:
        """Where an artifact that another action has made lies: bucket and key."""
        if artifact not in self.inputs or artifact not in self.execution.artifacts:
            raise ActionError(f"no artifact {artifact}; this action has {', '.join(self.inputs) or 'none'}")
        return self.execution.artifacts[artifact]

    def new_key(self, artifact: str) -> str:
        """A place for an artifact that this action makes."""
        return f"{self.execution.pipeline['name'][:20]}/{artifact[:10]}/{uuid.uuid4().hex[:7]}"

    def made(self, artifact: str, key: str) -> None:
        self.execution.artifacts[artifact] = f"{self.store['location']}/{key}"

    def result(self, **more: str) -> Json:
        """What is told of it while it is at work."""
        self.told["output"] = {"executionResult": more}
        return dict(more)

    def waits(self) -> None:
        if self.execution.stop == ABANDON:
            raise AbandonedError("the execution was abandoned")
        time.sleep(LOOK_SECONDS)


def settings_of(execution: Execution, action: Json) -> dict[str, str]:
    """An action's settings with the values that they refer to; within JSON, each value by itself."""
    given: dict[str, str] = action.get("configuration", {})
    found = {key: execution.resolved(value) for key, value in given.items() if key != VARIABLES}
    if VARIABLES in given:
        each = [{**one, "value": execution.resolved(one["value"])} for one in json.loads(given[VARIABLES])]
        found[VARIABLES] = json.dumps(each)
    return found
