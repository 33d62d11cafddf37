"""IAM's decision on a request, offline: identity policies, boundary, SCPs, RCPs, resource and endpoint policies.

The simulator (`@cloud-copilot/iam-simulate`, AGPL) runs as a process of its own from a lock of its own; it is a tool of
the tests, and nothing of the product imports, ships or contains it.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from iam_deployed import Role

from stacks.config import ROOT

FOLDER = Path(__file__).parent / "governance/simulator"
NO_SUCH_THING = "no.resource.types"
"""The simulator's word for an action that is not done to resources of this kind."""

NODE = ROOT / ".venv/bin/node"

Json = dict[str, Any]


@dataclass(frozen=True)
class Question:
    """May this role do this to that? `discover`: in any context at all? `principal`: who comes instead."""

    role: Role
    action: str
    resource: str
    context: Json = field(default_factory=dict)
    resource_policy: Json | None = None
    scps: tuple[Json, ...] = ()
    rcps: tuple[Json, ...] = ()
    owner: str | None = None
    discover: bool = False
    principal: str | None = None
    endpoint_policies: tuple[Json, ...] = ()

    def told(self) -> Json:
        """As the simulator reads it."""
        return {
            "principal": self.principal,
            "action": self.action,
            "resource": self.resource,
            "account": self.owner or self.role.account,
            "context": self.context,
            "resourcePolicy": self.resource_policy,
            "scps": self.scps,
            "rcps": self.rcps,
            "discover": self.discover,
            **({"endpointPolicies": self.endpoint_policies} if self.endpoint_policies else {}),
        }


class Simulator:
    """A running simulator; it is missing loudly."""

    def __init__(self) -> None:
        if not (FOLDER / "node_modules").is_dir():
            raise AssertionError(
                "the IAM simulator is not installed, and nothing is proved without it; `make test` and "
                "`make rehearse-governance` install it"
            )
        self._process = subprocess.Popen(
            [NODE, "simulate.mjs"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._known: dict[int, tuple[Role, str]] = {}
        self._names: dict[str, str] = {}
        self._answers: dict[str, Json] = {}
        self.asked = 0

    def may(self, questions: Sequence[Question]) -> list[bool]:
        """Whether each is allowed; raises AssertionError for a question AWS could not be asked."""
        return [answer.get("result") == "Allowed" for answer in self._decided(questions)]

    def explained(self, question: Question) -> tuple[bool, list[Json]]:
        """Whether it is allowed, and what stands against it, in the simulator's words."""
        (answer,) = self._decided([question], why=True)
        return answer["result"] == "Allowed", answer["denials"]

    def _decided(self, questions: Sequence[Question], *, why: bool = False) -> list[Json]:
        told = [{**question.told(), "role": self._introduced(question.role), "why": why} for question in questions]
        answers = self._answered(told)
        self.asked += len(questions)
        for question, answer in zip(questions, answers, strict=True):
            if question.discover and NO_SUCH_THING in answer.get("error", ""):
                continue
            assert "error" not in answer, f"{question.action} on {question.resource}: {answer['error']}"
            assert question.discover or not answer["ignored"], (
                f"{question.action} carries no {', '.join(answer['ignored'])}: the question proves nothing"
            )
        return answers

    def end(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # Ctrl-C reaches it as well
            self._process.stdin.close()
        self._process.wait(10)
        if self._process.stdout:
            self._process.stdout.close()

    def _answered(self, told: Sequence[Json]) -> list[Json]:
        """What was asked before is not asked again: a decision depends on nothing but the question."""
        keys = [json.dumps(one) for one in told]
        new = {key: one for key, one in zip(keys, told, strict=True) if key not in self._answers}
        if new:
            self._answers |= dict(zip(new, self._say({"ask": list(new.values())}), strict=True))
        return [self._answers[key] for key in keys]

    def _introduced(self, role: Role) -> str:
        """What the simulator knows the role by: one with other policies is another one of the same ARN."""
        if id(role) not in self._known:
            told = {"session": role.session, "identity": role.policies, "boundary": role.boundary}
            content = json.dumps(told)
            if content not in self._names:
                self._names[content] = f"{role.arn} {len(self._names)}"
                self._say({"role": self._names[content], **told})
            self._known[id(role)] = role, self._names[content]  # the role is held, or another could get its id
        return self._known[id(role)][1]

    def _say(self, line: Json) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(line) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the IAM simulator ended; run `make test` to install it anew"
        return json.loads(answer)
