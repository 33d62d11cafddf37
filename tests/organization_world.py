"""An organization in the embedded AWS: units, accounts that join and move, stack sets that are rolled out to them."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from embedded import ACCOUNTS, REGION

from rehearsal.embedded import EmbeddedAws

NAMES = (f"set-{number}" for number in itertools.count())
STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def parameter(name: str, value: Any = "here") -> dict[str, Any]:
    return {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Name": name, "Value": value}}


HERE = template(Here=parameter("/here", {"Ref": "AWS::AccountId"}))


@dataclass
class World:
    """An organization with units; accounts join it as those in life do: invited, or made there."""

    aws: EmbeddedAws
    management: str

    def client(self, service: str, account: str | None = None, region: str = REGION) -> Any:
        return self.aws.client(service, account or self.management, region)

    @property
    def root(self) -> str:
        return str(self.client("organizations").list_roots()["Roots"][0]["Id"])

    def unit(self, name: str, parent: str | None = None) -> str:
        made = self.client("organizations").create_organizational_unit(ParentId=parent or self.root, Name=name)
        return str(made["OrganizationalUnit"]["Id"])

    def account(self, unit: str | None = None) -> str:
        joins = str(next(ACCOUNTS))
        target = {"Id": joins, "Type": "ACCOUNT"}
        invited = self.client("organizations").invite_account_to_organization(Target=target)["Handshake"]
        self.client("organizations", joins).accept_handshake(HandshakeId=invited["Id"])
        if unit:
            self.move(joins, self.root, unit)
        return joins

    def move(self, account: str, source: str, to: str) -> None:
        self.client("organizations").move_account(AccountId=account, SourceParentId=source, DestinationParentId=to)

    def make(self, body: str = HERE, name: str | None = None, **more: Any) -> str:
        """A stack set with service-managed permissions; its name."""
        name, given = name or next(NAMES), {"AutoDeployment": {"Enabled": False}, "TemplateBody": body, **more}
        self.client("cloudformation").create_stack_set(
            StackSetName=name, PermissionModel="SERVICE_MANAGED", Capabilities=["CAPABILITY_NAMED_IAM"], **given
        )
        return name

    def roll_out(self, name: str, *units: str, regions: list[str] | None = None, **more: Any) -> dict[str, Any]:
        """Create instances and wait; what became of the operation."""
        targets = {"OrganizationalUnitIds": list(units), **more.pop("targets", {})}
        begun = self.client("cloudformation").create_stack_instances(
            StackSetName=name, DeploymentTargets=targets, Regions=regions or [REGION], **more
        )
        return self.ended(name, begun["OperationId"])

    def ended(self, name: str, operation: str) -> dict[str, Any]:
        def told() -> dict[str, Any]:
            found: dict[str, Any] = self.client("cloudformation").describe_stack_set_operation(
                StackSetName=name, OperationId=operation
            )["StackSetOperation"]
            return found

        ended: dict[str, Any] = wait(told, lambda found: found["Status"] not in {"RUNNING", "QUEUED", "STOPPING"})
        return ended

    def instances(self, name: str) -> dict[tuple[str, str], dict[str, Any]]:
        found = self.client("cloudformation").list_stack_instances(StackSetName=name)["Summaries"]
        return {(each["Account"], each["Region"]): each for each in found}

    def status(self, name: str, account: str, region: str = REGION) -> str | None:
        """How the instance there is, in detail; None if there is none."""
        found = self.instances(name).get((account, region))
        return found["StackInstanceStatus"]["DetailedStatus"] if found else None

    def value(self, account: str, name: str = "/here", region: str = REGION) -> str | None:
        """A parameter of an account, as its own service tells it."""
        try:
            return str(self.client("ssm", account, region).get_parameter(Name=name)["Parameter"]["Value"])
        except ClientError:
            return None


def wait(look: Callable[[], Any], done: Callable[[Any], bool]) -> Any:
    """Look until it is so."""
    until = time.monotonic() + 60
    while not done(found := look()):
        assert time.monotonic() < until, found
        time.sleep(0.02)
    return found


def organization(aws: EmbeddedAws, management: str) -> World:
    """One that lets StackSets act in its accounts, managed from this account."""
    made = World(aws, management)
    made.client("organizations").create_organization(FeatureSet="ALL")
    made.client("cloudformation").activate_organizations_access()
    return made
