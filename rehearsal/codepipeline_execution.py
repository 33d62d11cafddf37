"""An execution of a pipeline: where it stands and what it has made; and the lines in which executions wait for a stage.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from rehearsal.api import Json

REFERENCE = re.compile(r"#\{([^}]*)\}")
EXECUTION_ID = "codepipeline.PipelineExecutionId"
WAIT, ABANDON = "wait", "abandon"
PARALLEL, SUPERSEDED = "PARALLEL", "SUPERSEDED"
STANDARD, ROLLBACK = "STANDARD", "ROLLBACK"
FAILED_ACTIONS = "FAILED_ACTIONS"
ENDED = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
OUTDATED = "The pipeline's definition was updated before the pipeline execution could be completed."


class ActionError(Exception):
    """Why an action failed."""


@dataclass
class Execution:
    """One execution: its variables, where it stands, each action it has run; `stop` says how it is to stop.

    `outputs` are the variables of its actions by namespace, `done` the actions that succeeded by stage, `unchanged` the
    change sets that had nothing to change; `target` is the execution that it goes back to, if it does.
    """

    id: str
    pipeline: Json
    variables: dict[str, str]
    trigger: Json
    began: datetime
    overrides: dict[str, Json] = field(default_factory=dict)
    target: str = ""
    status: str = "InProgress"
    summary: str = ""
    stop: str = ""
    broken: bool = False
    attempt: int = 1
    stage: str = ""
    actions: list[Json] = field(default_factory=list)
    artifacts: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, dict[str, str]] = field(default_factory=dict)
    revisions: list[Json] = field(default_factory=list)
    done: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    unchanged: set[tuple[str, str, str]] = field(default_factory=set)

    @property
    def kind(self) -> str:
        return ROLLBACK if self.target else STANDARD

    @property
    def is_over(self) -> bool:
        """It begins nothing more."""
        return self.broken or bool(self.stop) or self.status in ENDED

    def passed(self, stage: Json) -> bool:
        """Whether all of a stage has succeeded in it."""
        return {action["name"] for action in stage["actions"]} <= self.done[stage["name"]]

    def fail(self, because: str) -> None:
        """Begin nothing more; the first reason is the execution's."""
        self.summary = self.summary if self.broken else because
        self.broken = True

    def mend(self, stage: str, mode: str) -> None:
        """Make ready to run a stage once more: what failed in it, or all of it."""
        self.status, self.summary, self.stop, self.broken = "InProgress", "", "", False
        if mode != FAILED_ACTIONS:
            self.done[stage].clear()

    def close(self) -> None:
        """Settle how it ended, if nobody has."""
        if self.status not in ENDED:
            self.status = "Failed" if self.broken else "Stopped" if self.stop else "Succeeded"

    def resolved(self, text: str) -> str:
        """The text with the values that it refers to."""
        known = {EXECUTION_ID: self.id, **{f"variables.{name}": value for name, value in self.variables.items()}}
        for namespace, values in self.outputs.items():
            known |= {f"{namespace}.{name}": value for name, value in values.items()}
        missing = sorted({found for found in REFERENCE.findall(text) if found not in known})
        if missing:
            raise ActionError(f"#{{{missing[0]}}} has no value; known are {', '.join(sorted(known))}")
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


@dataclass
class Kept:
    """A pipeline and its executions, the oldest first; `lines` are those that wait for a stage, in order.

    `shut` are the stages whose inbound transition is disabled, and what was said of it.
    """

    declared: Json
    executions: dict[str, Execution] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    approvals: Approvals = field(default_factory=Approvals)
    gate: threading.Condition = field(default_factory=threading.Condition)
    lines: defaultdict[str, list[Execution]] = field(default_factory=lambda: defaultdict(list))
    inside: dict[str, str] = field(default_factory=dict)
    shut: dict[str, Json] = field(default_factory=dict)

    def change(self, declared: Json) -> None:
        """From now on it is another pipeline; what began with the old one finds out."""
        with self.gate:
            self.declared = declared
            self.gate.notify_all()

    def line_up(self, execution: Execution, stage: str) -> None:
        """Wait for a stage; where executions supersede each other, only the newest does."""
        mode = execution.pipeline["executionMode"]
        with self.gate:
            if mode == SUPERSEDED:
                for older in self.lines[stage]:
                    older.status = "Superseded"
                self.lines[stage].clear()
            if mode != PARALLEL:
                self.lines[stage].append(execution)
            self.gate.notify_all()

    def enter(self, execution: Execution, stage: str) -> bool:
        """Whether its turn came; one that is stopped, superseded or outdated while it waits never gets in."""
        with self.gate:
            self.gate.wait_for(lambda: execution.is_over or self.outdated(execution) or self._is_next(execution, stage))
            if execution in self.lines[stage]:
                self.lines[stage].remove(execution)
            if not execution.is_over and self.outdated(execution):
                execution.status, execution.summary = "Cancelled", OUTDATED
            if not execution.is_over and execution.pipeline["executionMode"] != PARALLEL:
                self.inside[stage] = execution.id
            return not execution.is_over

    def outdated(self, execution: Execution) -> bool:
        """Whether it began with another version of the pipeline's structure."""
        return bool(execution.pipeline["version"] != self.declared["version"])

    def _is_next(self, execution: Execution, stage: str) -> bool:
        if stage in self.shut:
            return False
        alone = execution.pipeline["executionMode"] != PARALLEL
        return not alone or (self.lines[stage][:1] == [execution] and stage not in self.inside)

    def leave(self, execution: Execution, stage: str) -> None:
        with self.gate:
            if self.inside.get(stage) == execution.id:
                del self.inside[stage]
            self.gate.notify_all()

    def came(self, stage: str) -> Iterator[Execution]:
        """The executions that came to a stage, the oldest first."""
        for execution in list(self.executions.values()):
            if any(action["stageName"] == stage for action in list(execution.actions)):
                yield execution
