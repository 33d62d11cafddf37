"""What a roll-out would do to which account, read from Organizations and the stack sets that are there.

It changes nothing; the roll-out itself is a deployment of the templates that are read here.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from operations.members import members_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from operations.members import Member

KIND = re.compile(r"""\bType['"]?: *['"]?(AWS::(?!SSM::Parameter::Value)\w+::\w+)""")
"""A resource's type, in JSON as in YAML; types of parameters are others."""

CREATE, UPDATE, UNCHANGED, DELETE = "create", "update", "unchanged", "delete"
MISSING, EXCLUDED, SUSPENDED = "missing", "excluded", "suspended"
ACTIVATE = "aws cloudformation activate-organizations-access"


class RolloutError(Exception):
    """What stands against a roll-out, one line each."""


@dataclass(frozen=True)
class StackSet:
    """One stack set as it is to be: what its template says of it."""

    name: str
    template: str
    parameters: Mapping[str, str]
    units: tuple[str, ...]
    regions: tuple[str, ...]
    call_as: str = "SELF"
    only: tuple[str, ...] = ()
    but: tuple[str, ...] = ()

    @classmethod
    def of(cls, properties: Mapping[str, Any], template: str) -> StackSet:
        """As CloudFormation's properties say it."""
        (group,) = properties["StackInstancesGroup"]
        targets = group["DeploymentTargets"]
        named = tuple(targets.get("Accounts", ()))
        kind = targets.get("AccountFilterType")
        return cls(
            name=properties["StackSetName"],
            template=template,
            parameters={each["ParameterKey"]: each["ParameterValue"] for each in properties.get("Parameters", [])},
            units=tuple(targets["OrganizationalUnitIds"]),
            regions=tuple(group["Regions"]),
            call_as=properties.get("CallAs", "SELF"),
            only=named if kind == "INTERSECTION" else (),
            but=named if kind == "DIFFERENCE" else (),
        )

    def kinds(self) -> Counter[str]:
        """How many resources of which type its template has."""
        return Counter(KIND.findall(self.template))

    def meant_for(self, account: str) -> bool:
        return (not self.only or account in self.only) and account not in self.but


@dataclass(frozen=True)
class Found:
    """A stack set as it is: instances by account and region, and the units and regions it was rolled out to."""

    template: str
    parameters: Mapping[str, str]
    instances: Mapping[tuple[str, str], Mapping[str, Any]]
    targets: frozenset[tuple[str, str]]


@dataclass(frozen=True)
class Line:
    """One account in one region: what each stack set does there, in their order, and why one has failed before."""

    account: str
    name: str
    path: str
    region: str
    doing: tuple[str, ...]
    reasons: tuple[str, ...]

    @property
    def stuck(self) -> bool:
        """Whether a stack set has left something undone that the next deployment does not do either."""
        return bool({MISSING, "failed", "cancelled", "inoperable"} & set(self.doing))


@dataclass(frozen=True)
class Plan:
    """All lines, and what people should know beside them."""

    lines: list[Line]
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Environments:
    """Accounts whose environments await the baseline, and those whose environments do without, each with its name."""

    upon: Mapping[str, str] = field(default_factory=dict)
    alone: Mapping[str, str] = field(default_factory=dict)


def about_missing(units: Sequence[str]) -> list[str]:
    """What is wrong with units that are not there, a line each."""
    return [
        f"no organizational unit {unit} in this organization; mend [rollout] organizational_units" for unit in units
    ]


def plan(
    client: Callable[[str], Any], stack_sets: Sequence[StackSet], *, management: str, environments: Environments
) -> Plan:
    """Who would get what; raises RolloutError with everything that stands against the roll-out."""
    first = stack_sets[0]
    members, missing = members_of(client("organizations"), first.units)
    wrong = about_missing(missing)
    wrong += _about_the_organization(client, first, management)
    if not missing:
        wrong += _about_accounts(first, members, environments.upon, management)
    if wrong:
        raise RolloutError("\n".join(wrong))
    found = [look(client("cloudformation"), each) for each in stack_sets]
    targets = [member for member in members if member.account != management]
    lines = list(_lines(targets, stack_sets, found))
    return Plan(
        lines + list(_leaving(targets, stack_sets, found)), list(_notes(first, members, environments, management))
    )


def look(cloudformation: Any, stack_set: StackSet) -> Found | None:
    """The stack set as it is; None if it is not there."""
    asked = {"StackSetName": stack_set.name, "CallAs": stack_set.call_as}
    try:
        told = cloudformation.describe_stack_set(**asked)["StackSet"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "StackSetNotFoundException":
            raise
        return None
    instances = {
        (each["Account"], each["Region"]): each for each in every(cloudformation, "list_stack_instances", asked)
    }
    targets = [
        (each["OrganizationalUnitId"], region)
        for each in every(cloudformation, "list_stack_set_auto_deployment_targets", asked)
        for region in each["Regions"]
    ]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in told.get("Parameters", [])}
    return Found(told["TemplateBody"], parameters, instances, frozenset(targets))


def _lines(members: Sequence[Member], stack_sets: Sequence[StackSet], found: Sequence[Found | None]) -> Iterator[Line]:
    for region in stack_sets[0].regions:
        for member in members:
            doing = [_doing(wanted, there, member, region) for wanted, there in zip(stack_sets, found, strict=True)]
            words, reasons = zip(*doing, strict=True)
            yield Line(member.account, member.name, member.path, region, words, reasons)


def _doing(wanted: StackSet, found: Found | None, member: Member, region: str) -> tuple[str, str]:
    """What becomes of one instance, and why the last thing that was done to it failed."""
    if not wanted.meant_for(member.account):
        return EXCLUDED, ""
    if not member.active:
        return SUSPENDED, ""
    if found is None or (member.unit, region) not in found.targets:
        return CREATE, ""
    instance = found.instances.get((member.account, region))
    if instance is None:
        return MISSING, ""  # a stack set makes none by itself for accounts that it passed over
    good = instance["Status"] == "CURRENT"
    reason = "" if good else instance.get("StatusReason") or instance["Status"]
    if not _same(wanted, found):
        return UPDATE, reason
    return (UNCHANGED if good else instance["StackInstanceStatus"]["DetailedStatus"].lower()), reason


def _leaving(
    members: Sequence[Member], stack_sets: Sequence[StackSet], found: Sequence[Found | None]
) -> Iterator[Line]:
    """Instances that are there and wanted no more."""
    wanted = {(member.account, region) for member in members for region in stack_sets[0].regions}
    there = sorted({place for each in found if each for place in each.instances})
    for account, region in there:
        if (account, region) not in wanted:
            doing = tuple(DELETE if each and (account, region) in each.instances else "" for each in found)
            yield Line(account, "", "no longer in a unit", region, doing, ("",) * len(doing))


def _same(wanted: StackSet, found: Found) -> bool:
    return _read(wanted.template) == _read(found.template) and dict(wanted.parameters) == dict(found.parameters)


def _read(template: str) -> Any:
    """JSON by what it says, other texts as they are."""
    try:
        return json.loads(template)
    except ValueError:
        return template


def _about_the_organization(client: Callable[[str], Any], stack_set: StackSet, management: str) -> Iterator[str]:
    told = client("organizations").describe_organization()["Organization"]["MasterAccountId"]
    if told != management:
        yield f"the organization's management account is {told}, not {management}; mend [rollout] management_account"
    try:
        access = client("cloudformation").describe_organizations_access(CallAs=stack_set.call_as)["Status"]
    except ClientError as error:
        yield (
            f"{error.response['Error']['Message']}; register it in the management account, or remove "
            "administrator_account from [rollout]"
        )
        return
    if access != "ENABLED":
        yield f"StackSets may not act in this organization yet; once, in the management account: {ACTIVATE}"


def _about_accounts(
    stack_set: StackSet, members: Sequence[Member], awaited: Mapping[str, str], management: str
) -> Iterator[str]:
    inside = {member.account for member in members if member.account != management}
    for account in [*stack_set.only, *stack_set.but]:
        if account not in inside:
            yield f"account {account} is in none of the units, so no stack set heeds it; remove it from [rollout]"
    for account, who in awaited.items():
        if account not in {each for each in inside if stack_set.meant_for(each)}:
            yield f"{who} awaits the baseline in account {account}, which gets none; name a unit it is in, or its owner"


def _notes(
    stack_set: StackSet, members: Sequence[Member], environments: Environments, management: str
) -> Iterator[str]:
    for account in [member.account for member in members if stack_set.meant_for(member.account)]:
        if account == management:
            yield f"{management} is the management account: StackSets deploy nothing to it"
        elif account in environments.alone:
            yield (
                f"{environments.alone[account]} makes key and boundary itself in {account}, which the limit of "
                'deployments refuses; set its governance.owner = "baseline"'
            )


def every(cloudformation: Any, operation: str, asked: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every item of a list, page after page; not all of these lists have a paginator."""
    token: dict[str, str] = {}
    while True:
        answer = getattr(cloudformation, operation)(**asked, **token)
        yield from answer["Summaries"]
        if not answer.get("NextToken"):
            return
        token = {"NextToken": answer["NextToken"]}
