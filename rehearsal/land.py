"""An organization as the story of governance finds it: units, accounts, and what must be said once in its name."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal.rights import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

MANAGEMENT = "999999999999"
LOOK_SECONDS, LONGEST_SECONDS = 0.1, 60
SETTLED = ("SUCCEEDED", "FAILED", "CANCELLED", "INOPERABLE")


class LandError(Exception):
    """What the organization did not do."""


@dataclass
class Land:
    """Units and accounts by name; `client` takes service, account and region."""

    client: Callable[[str, str, str], Any]
    region: str
    management: str = MANAGEMENT
    units: dict[str, str] = field(default_factory=dict)
    accounts: dict[str, str] = field(default_factory=dict)

    def found(self) -> str:
        """An organization whose management account lets policies be attached and StackSets act; its id."""
        made: str = self._organizations.create_organization(FeatureSet="ALL")["Organization"]["Id"]
        (root,) = self._organizations.list_roots()["Roots"]
        self.units["Root"] = root["Id"]
        for kind in {*KINDS} - {each["Type"] for each in root["PolicyTypes"]}:
            self._organizations.enable_policy_type(RootId=root["Id"], PolicyType=kind)
        self.client("cloudformation", self.management, self.region).activate_organizations_access()
        return made

    def unit(self, name: str, parent: str = "Root") -> None:
        made = self._organizations.create_organizational_unit(ParentId=self.units[parent], Name=name)
        self.units[name] = made["OrganizationalUnit"]["Id"]

    def account(self, name: str, unit: str) -> str:
        """An account that is made and then put where it belongs, as AWS does it."""
        made = self._organizations.create_account(AccountName=name, Email=f"{name}@example.com")["CreateAccountStatus"]
        self.accounts[name] = account = str(made["AccountId"])
        self._organizations.move_account(
            AccountId=account, SourceParentId=self.units["Root"], DestinationParentId=self.units[unit]
        )
        return account

    def wait(self, stack_set: str, account: str) -> str:
        """Until the stack set has done its work in an account; how that went."""
        end = time.monotonic() + LONGEST_SECONDS
        while time.monotonic() < end:
            status = self.statuses(stack_set).get(account, "")
            if status in SETTLED:
                return status
            time.sleep(LOOK_SECONDS)
        raise LandError(f"{stack_set} has done nothing in account {account} for {LONGEST_SECONDS} seconds")

    def statuses(self, stack_set: str) -> dict[str, str]:
        """How the stack set's last work went, by account."""
        client = self.client("cloudformation", self.management, self.region)
        pages = client.get_paginator("list_stack_instances").paginate(StackSetName=stack_set)
        return {
            each["Account"]: each["StackInstanceStatus"]["DetailedStatus"]
            for page in pages
            for each in page["Summaries"]
        }

    def stacks(self, account: str, region: str | None = None) -> list[str]:
        """What stands in an account, by CloudFormation's word."""
        pages = (
            self.client("cloudformation", account, region or self.region).get_paginator("describe_stacks").paginate()
        )
        return sorted(each["StackName"] for page in pages for each in page["Stacks"])

    @property
    def _organizations(self) -> Any:
        return self.client("organizations", self.management, self.region)
