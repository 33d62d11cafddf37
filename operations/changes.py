"""What a deployment would change: a change set for every stack, described, and thrown away.

`cdk diff` compares templates, and so does not see what comes of SSM parameters; CloudFormation does.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.widening import widened

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from operations.assembly import Synthesized

INLINE_BYTES = 51_200
"""Longer templates are named by their place in S3.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_CreateChangeSet.html
"""

AT_ONCE = 6
LOOK_SECONDS, LONGEST_SECONDS = 1.0, 600
NOTHING = ("didn't contain changes", "No updates are to be performed")
GONE = "does not exist"


class ChangesError(Exception):
    """Why nobody can say what would change."""


@dataclass(frozen=True)
class Change:
    """One resource: what happens to it, whether it is made anew, and which properties are the reason."""

    action: str
    resource: str
    kind: str
    replaced: str
    because: tuple[str, ...]


@dataclass(frozen=True)
class StackChanges:
    """One stack: whether it is there yet, what would change in it, and what would be allowed beyond what is.

    `stands_on` is what the change set was made of: the deployed template, the new one, what SSM parameters say.
    """

    stack: str
    new: bool
    changes: tuple[Change, ...]
    widened: tuple[str, ...]
    stands_on: tuple[str, ...] = ()


@dataclass(frozen=True)
class Changes:
    """An environment's stacks, by name, those without changes too; `compared` are templates, not change sets."""

    environment: str
    stacks: tuple[StackChanges, ...]
    compared: bool = False

    @property
    def changing(self) -> list[StackChanges]:
        return [stack for stack in self.stacks if stack.changes or stack.new]

    @property
    def widened(self) -> list[str]:
        return [f"{stack.stack}: {each}" for stack in self.stacks for each in stack.widened]

    @property
    def digest(self) -> str:
        """The same for the same changes, whenever they are described."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    @property
    def summary(self) -> str:
        """In a line."""
        if not self.changing:
            return f"{self.environment}: nothing would change"
        changes = [change for stack in self.stacks for change in stack.changes]
        counts = {action: sum(change.action == action for change in changes) for action in ("Add", "Modify", "Remove")}
        anew = sum(change.replaced == "True" for change in changes)
        told = [
            f"{count} {word}"
            for word, count in zip(("added", "changed", "removed"), counts.values(), strict=True)
            if count
        ]
        told += [f"{anew} of them made anew"] if anew else []
        wider = f"; {len(self.widened)} permissions widened" if self.widened else "; no permission widened"
        stacks = f"{len(self.changing)} stack{'s' if len(self.changing) > 1 else ''}"
        return f"{self.environment}: {', '.join(told) or 'no resource'} in {stacks}{wider}"


@dataclass(frozen=True)
class Describer:
    """`reading` gives clients that may look at stacks, `asking` those that may make change sets, if there are any.

    Without change sets templates are compared, which misses what comes of SSM parameters; that is said.
    """

    reading: Callable[[str], Any]
    asking: Callable[[str], Any] | None = None
    look_seconds: float = LOOK_SECONDS

    def describe(self, environment: str, stacks: Sequence[Synthesized]) -> Changes:
        """Of all stacks, several at a time; raises ChangesError with what is wrong with any of them."""
        self.reading("cloudformation")  # clients are made by one thread at a time
        if self.asking:
            self.asking("cloudformation")
        with ThreadPoolExecutor(AT_ONCE) as at_once:
            told = list(at_once.map(self._tried, stacks))
        wrong = [each for each in told if isinstance(each, str)]
        if wrong:
            raise ChangesError("\n".join(wrong))
        described = tuple(each for each in told if isinstance(each, StackChanges))
        compared = self.asking is None and any(not stack.new for stack in described)
        return Changes(environment, described, compared)

    def _tried(self, stack: Synthesized) -> StackChanges | str:
        try:
            return self._described(stack)
        except (ClientError, ChangesError) as error:
            return f"{stack.name} in {stack.account}: {error}"

    def _described(self, stack: Synthesized) -> StackChanges:
        deployed = self._deployed(stack)
        allowed = tuple(str(each) for each in widened(deployed or {}, stack.parsed))
        if deployed is None:
            made = stack.parsed["Resources"].items()
            added = tuple(Change("Add", name, resource["Type"], "False", ()) for name, resource in made)
            return StackChanges(stack.name, True, added, allowed, (_digest(stack.parsed),))
        if self.asking:
            changes, parameters = self._changes(stack, self.asking("cloudformation"))
        else:
            changes, parameters = _compared(deployed, stack), []
        stands_on = (_digest(deployed), _digest(stack.parsed), *parameters)
        return StackChanges(stack.name, False, tuple(changes), allowed, stands_on)

    def _deployed(self, stack: Synthesized) -> dict[str, Any] | None:
        """The template that is there; None for a stack that is not, or that was only ever looked at."""
        cloudformation = self.reading("cloudformation")
        try:
            (found,) = cloudformation.describe_stacks(StackName=stack.name)["Stacks"]
        except ClientError as error:
            if GONE in str(error):
                return None
            raise
        if found["StackStatus"] == "REVIEW_IN_PROGRESS":
            return None
        body = cloudformation.get_template(StackName=stack.name, TemplateStage="Original")["TemplateBody"]
        template: dict[str, Any] = json.loads(body) if isinstance(body, str) else body
        return template

    def _changes(self, stack: Synthesized, cloudformation: Any) -> tuple[list[Change], list[str]]:
        """The changes, and what SSM parameters said when they were found."""
        name = f"review-{uuid.uuid4().hex[:12]}"
        given = [{"ParameterKey": key, "UsePreviousValue": True} for key in self._parameters(stack)]
        made = cloudformation.create_change_set(
            StackName=stack.name,
            ChangeSetName=name,
            ChangeSetType="UPDATE",
            Capabilities=["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
            Parameters=given,
            **self._template(stack),
        )["Id"]
        try:
            return self._read(cloudformation, made)
        finally:
            cloudformation.delete_change_set(ChangeSetName=made)

    def _parameters(self, stack: Synthesized) -> list[str]:
        """Parameters that keep what they were given: all that the stack has already and the template still declares."""
        (found,) = self.reading("cloudformation").describe_stacks(StackName=stack.name)["Stacks"]
        has = {each["ParameterKey"] for each in found.get("Parameters", [])}
        return sorted(has & set(stack.parsed.get("Parameters", {})))

    @staticmethod
    def _template(stack: Synthesized) -> dict[str, str]:
        """What is too long to be handed over lies where `cdk publish-assets` has put it."""
        if len(stack.compact.encode()) <= INLINE_BYTES:
            return {"TemplateBody": stack.compact}
        bucket, key = stack.address
        return {"TemplateURL": f"https://s3.{stack.region}.amazonaws.com/{bucket}/{key}"}

    def _read(self, cloudformation: Any, change_set: str) -> tuple[list[Change], list[str]]:
        end = time.monotonic() + LONGEST_SECONDS
        while True:
            told = cloudformation.describe_change_set(ChangeSetName=change_set)
            if told["Status"] not in {"CREATE_PENDING", "CREATE_IN_PROGRESS"}:
                break
            if time.monotonic() > end:
                raise ChangesError(f"its change set is {told['Status']} after {LONGEST_SECONDS} seconds; try again")
            time.sleep(self.look_seconds)
        if told["Status"] == "FAILED":
            reason = told.get("StatusReason", "")
            if any(each in reason for each in NOTHING):
                return [], _said(told)
            raise ChangesError(f"no change set can be made: {reason}")
        found, said = list(told["Changes"]), _said(told)
        while told.get("NextToken"):
            told = cloudformation.describe_change_set(ChangeSetName=change_set, NextToken=told["NextToken"])
            found += told["Changes"]
        return sorted((_change(each["ResourceChange"]) for each in found), key=lambda change: change.resource), said


def _said(told: Mapping[str, Any]) -> list[str]:
    """What SSM parameters say, by name."""
    given = told.get("Parameters") or []
    return sorted(f"{each['ParameterKey']}={each['ResolvedValue']}" for each in given if "ResolvedValue" in each)


def _digest(template: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True).encode()).hexdigest()


def _compared(deployed: Mapping[str, Any], stack: Synthesized) -> list[Change]:
    """What templates alone tell: declarations that differ, by the properties in which they do."""
    old, new = deployed.get("Resources", {}), stack.parsed["Resources"]
    found = []
    for name in sorted({*old, *new}):
        was, now = old.get(name, {}), new.get(name, {})
        if was == now:
            continue
        action = "Modify" if was and now else "Add" if now else "Remove"
        parts = [(each.get("Properties", {})) for each in (was, now)]
        keys = sorted(key for key in {*parts[0], *parts[1]} if parts[0].get(key) != parts[1].get(key))
        kind = (now or was)["Type"]
        found.append(Change(action, name, kind, "False", tuple(keys) if action == "Modify" else ()))
    return found


def _change(told: Mapping[str, Any]) -> Change:
    targets = [detail.get("Target", {}) for detail in told.get("Details", [])]
    because = sorted({target.get("Name") or target.get("Attribute", "") for target in targets} - {""})
    return Change(
        told["Action"],
        told["LogicalResourceId"],
        told["ResourceType"],
        told.get("Replacement", "False"),
        tuple(because),
    )
