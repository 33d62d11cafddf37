"""Stack sets as CloudFormation keeps them: a template, the accounts and regions it is in, and what was done to them.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/stacksets-concepts.html
"""

from __future__ import annotations

import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rehearsal.api import Caller, Json, ServiceError
from rehearsal.clock import clock
from rehearsal.organizations import organization_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

NO_ADMINISTRATOR = (
    "You must be the management account or delegated admin account of an organization before operating a "
    "SERVICE_MANAGED stack set"
)
NO_ACCESS = "You must enable organizations access to operate a service managed stack set"


@dataclass
class Instance:
    """The stack of a stack set in one account and region; `unit` is the targeted one that it is there for."""

    account: str
    region: str
    unit: str
    stack: str | None = None
    overrides: dict[str, str] = field(default_factory=dict)
    status: str = "OUTDATED"
    detailed: str = "PENDING"
    reason: str | None = None
    operation: str | None = None
    drift: str = "NOT_CHECKED"
    drift_checked: datetime | None = None
    drifts: list[Json] = field(default_factory=list)

    def became(self, detailed: str, reason: str | None = None) -> None:
        self.detailed, self.reason = detailed, reason


@dataclass
class Operation:
    """One thing that is done to instances of a stack set, and how it goes in each."""

    action: str
    targets: Json
    preferences: Json
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    retain: bool = False
    status: str = "RUNNING"
    reason: str | None = None
    created: datetime = field(default_factory=clock.now)
    ended: datetime | None = None
    results: dict[tuple[str, str], tuple[Instance, str, str | None]] = field(default_factory=dict)
    stopped: threading.Event = field(default_factory=threading.Event)

    def noted(self, instance: Instance, status: str, reason: str | None = None) -> None:
        self.results[instance.account, instance.region] = (instance, status, reason)

    def end(self, status: str, reason: str | None = None) -> None:
        self.status, self.reason, self.ended = status, reason, clock.now()

    @property
    def failures(self) -> list[str]:
        return [reason or "" for _, status, reason in self.results.values() if status == "FAILED"]


@dataclass
class StackSet:
    """`regions_of` says which units it was rolled out to, and where: accounts that join them get it, too."""

    name: str
    place: Caller
    template: str
    settings: Json
    parameters: dict[str, str]
    uuid: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "ACTIVE"
    instances: dict[tuple[str, str], Instance] = field(default_factory=dict)
    regions_of: dict[str, list[str]] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    drift: Json | None = None
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def id(self) -> str:
        return f"{self.name}:{self.uuid}"

    @property
    def arn(self) -> str:
        return f"arn:aws:cloudformation:{self.place.region}:{self.place.account}:stackset/{self.id}"

    @property
    def automatic(self) -> bool:
        return bool(self.settings["AutoDeployment"].get("Enabled"))

    def operation(self, id: str) -> Operation:
        if id not in self.operations:
            raise ServiceError("OperationNotFoundException", f"Operation {id} not found")
        return self.operations[id]

    def instance(self, account: str, region: str) -> Instance:
        found = self.instances.get((account, region))
        if found is None:
            message = f"Stack instance not found for StackSet {self.id} in account {account} and region {region}"
            raise ServiceError("StackInstanceNotFoundException", message)
        return found

    def add(self, account: str, region: str, unit: str) -> Instance:
        """The instance there, made if it is not there yet."""
        made = self.instances.setdefault((account, region), Instance(account, region, unit))
        made.unit = unit
        return made

    def target(self, units: Iterable[str], regions: Sequence[str]) -> None:
        for unit in units:
            known = self.regions_of.setdefault(unit, [])
            known += [region for region in regions if region not in known]

    def forget(self, units: Iterable[str], regions: Sequence[str]) -> None:
        for unit in units:
            left = [region for region in self.regions_of.get(unit, []) if region not in regions]
            self.regions_of.pop(unit, None)
            if left:
                self.regions_of[unit] = left

    def begin(self, operation: Operation) -> Operation:
        """Take the stack set's turn for an operation; raises ServiceError while another one has it."""
        if not self.turn.acquire(blocking=False):
            running = [each.id for each in self.operations.values() if each.ended is None]
            message = f"Another Operation on StackSet {self.arn} is in progress: {', '.join(running)}"
            raise ServiceError("OperationInProgressException", message)
        if operation.id in self.operations:
            self.turn.release()
            raise ServiceError("OperationIdAlreadyExistsException", f"Operation {operation.id} already exists")
        self.operations[operation.id] = operation
        return operation


class Store:
    """All stack sets. Those with service-managed permissions are the management account's, whoever made them."""

    def __init__(self) -> None:
        self._at: defaultdict[Caller, list[StackSet]] = defaultdict(list)
        self.access: set[str] = set()

    def home(self, caller: Caller, request: Json) -> Caller:
        """Where the stack sets are that the caller acts on."""
        if request.get("CallAs") != "DELEGATED_ADMIN":
            return caller
        organization = organization_of(caller.account)
        if organization is None or not organization.delegated(caller.account):
            raise ServiceError("ValidationError", "Account used is not a delegated administrator")
        return Caller(organization.management, caller.region)

    def administered(self, caller: Caller, request: Json) -> Caller:
        """The same, for who means to roll out; raises ServiceError for all but the organization's administrators."""
        home = self.home(caller, request)
        organization = organization_of(home.account)
        if organization is None or organization.management != home.account:
            raise ServiceError("ValidationError", NO_ADMINISTRATOR)
        if home.account not in self.access:
            raise ServiceError("ValidationError", NO_ACCESS)
        return home

    def all(self, home: Caller) -> list[StackSet]:
        return list(self._at[home])

    def add(self, stack_set: StackSet) -> None:
        if any(each.name == stack_set.name and each.status == "ACTIVE" for each in self._at[stack_set.place]):
            raise ServiceError("NameAlreadyExistsException", f"StackSet {stack_set.name} already exists")
        self._at[stack_set.place].append(stack_set)

    def find(self, caller: Caller, request: Json) -> StackSet:
        """By name, id or ARN."""
        name, home = request["StackSetName"], self.home(caller, request)
        for each in self._at[home]:
            if name in {each.id, each.arn} or (name == each.name and each.status == "ACTIVE"):
                return each
        raise ServiceError("StackSetNotFoundException", f"StackSet {name} not found")

    def automatic(self, management: str) -> list[StackSet]:
        """What accounts of an organization get by themselves; what others depend on comes first."""
        found = [
            each
            for home, kept in self._at.items()
            for each in kept
            if home.account == management and each.status == "ACTIVE" and each.automatic
        ]
        return _in_order(found, lambda each: each.settings["AutoDeployment"].get("DependsOn") or [])


def _in_order(stack_sets: list[StackSet], needs: Callable[[StackSet], list[str]]) -> list[StackSet]:
    done: list[StackSet] = []
    left = list(stack_sets)
    while left:
        waiting = {each.arn for each in left}
        ready = [each for each in left if not waiting & set(needs(each))] or left
        done += ready
        left = [each for each in left if each not in ready]
    return done
