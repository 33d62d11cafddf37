"""Organizations: moto's, with what it lacks.

That is invitations of accounts that are there already, what delegated administrators may read, and telling those who
must hear that an account came to another place.
https://docs.aws.amazon.com/organizations/latest/APIReference/Welcome.html
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from moto.organizations import utils
from moto.organizations.models import (
    FakeAccount,
    FakeDelegatedAdministrator,
    OrganizationsBackend,
    organizations_backends,
)
from moto.organizations.responses import OrganizationsResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable

STACK_SETS = "member.org.stacksets.cloudformation.amazonaws.com"
"""How Organizations names StackSets: whom it trusts, and for what an account can be delegated administrator."""

DAYS_TO_ACCEPT = 15


@dataclass(frozen=True)
class Organization:
    """One organization, as those see it who act on its accounts."""

    backend: OrganizationsBackend

    @property
    def id(self) -> str:
        assert self.backend.org is not None  # noqa: S101 only one that is made is found
        return str(self.backend.org.id)

    @property
    def management(self) -> str:
        return str(self.backend.account_id)

    def units(self) -> set[str]:
        """The ids of its root and of all its organizational units."""
        return {unit.id for unit in self.backend.ou}

    def accounts_under(self, unit: str) -> list[str]:
        """Accounts of a unit and of those below it, without the management account, the longest there first."""
        return [
            account.id
            for account in sorted(self.backend.accounts, key=lambda account: account.create_time)
            if account.id != self.management and unit in self.above(account.id)
        ]

    def above(self, account: str) -> list[str]:
        """The units an account is in, the nearest first; none for an account that is no member."""
        parents = {unit.id: unit.parent_id for unit in self.backend.ou}
        at = next((each.parent_id for each in self.backend.accounts if each.id == account), None)
        found = []
        while at:
            found.append(at)
            at = parents.get(at)
        return found

    def suspended(self, account: str) -> bool:
        return any(each.id == account and each.status == "SUSPENDED" for each in self.backend.accounts)

    def delegated(self, account: str) -> bool:
        """Whether the account may act for the management account on stack sets."""
        return any(admin.account.id == account and STACK_SETS in admin.services for admin in self.backend.admins)


def organization_of(account: str) -> Organization | None:
    """The organization that an account manages or is a member of."""
    management, partition = organizations_backends.master_accounts.get(account, (account, "aws"))
    backend = organizations_backends[management][partition]
    return Organization(backend) if backend.org else None


class Organizations:
    """What moto lacks; `moved` hears of every account that joined, left, or went from one unit to another."""

    def __init__(self, moved: Callable[[Organization, str], None]) -> None:
        self.moved = moved
        self.invitations: dict[str, Json] = {}

    def install(self) -> None:
        operations = {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()}
        install(OrganizationsResponse, operations)
        FakeDelegatedAdministrator.SUPPORTED_SERVICES.append(STACK_SETS)
        setattr(OrganizationsResponse, "organizations_backend", property(_backend))  # noqa: B010 a mend of moto
        for change in ("create_account", "move_account", "remove_account_from_organization", "close_account"):
            self._tell_of(change)

    def InviteAccountToOrganization(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        organization, target = self._managed_by(caller), request["Target"]
        if target["Type"] != "ACCOUNT":
            raise ServiceError("InvalidInputException", f"the embedded AWS invites by ACCOUNT, not by {target['Type']}")
        if organization_of(target["Id"]):
            raise ServiceError("AlreadyInOrganizationException", "The account is already a member of an organization.")
        number = f"h-{secrets.token_hex(8)}"
        handshake: Json = {
            "Id": number,
            "State": "OPEN",
            "Action": "INVITE",
            "Parties": [
                {"Id": organization.id.removeprefix("o-"), "Type": "ORGANIZATION"},
                {"Id": target["Id"], "Type": "ACCOUNT"},
            ],
            "RequestedTimestamp": clock.now(),
            "ExpirationTimestamp": clock.now() + timedelta(days=DAYS_TO_ACCEPT),
        }
        self.invitations[number] = {**handshake, "by": organization.management}
        return {"Handshake": handshake}

    def AcceptHandshake(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        handshake = self._invitation(caller, request["HandshakeId"])
        if handshake["State"] != "OPEN":
            message = f"You can't perform this operation on a handshake in the {handshake['State']} state."
            raise ServiceError("InvalidHandshakeTransitionException", message)
        organization = Organization(organizations_backends[handshake["by"]]["aws"])
        _join(organization.backend, caller.account)
        handshake["State"] = "ACCEPTED"
        self.moved(organization, caller.account)
        return {"Handshake": _told(handshake)}

    def DescribeHandshake(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return {"Handshake": _told(self._invitation(caller, request["HandshakeId"]))}

    def LeaveOrganization(self, caller: Caller, _request: Json) -> Json:  # noqa: N802
        organization = organization_of(caller.account)
        if organization is None:
            raise _not_in_use()
        organization.backend.remove_account_from_organization(AccountId=caller.account)
        return {}

    def _invitation(self, caller: Caller, id: str) -> Json:
        found = self.invitations.get(id)
        if found is None or caller.account not in {found["by"], *(party["Id"] for party in found["Parties"])}:
            raise ServiceError("HandshakeNotFoundException", "You specified a handshake that doesn't exist.")
        return found

    @staticmethod
    def _managed_by(caller: Caller) -> Organization:
        organization = organization_of(caller.account)
        if organization is None or organization.management != caller.account:
            raise _not_in_use()
        return organization

    def _tell_of(self, change: str) -> None:
        """After moto has carried a change out, say so."""
        carry_out = getattr(OrganizationsBackend, change)

        def changed(backend: OrganizationsBackend, **request: Any) -> Any:
            answer = carry_out(backend, **request)
            account = request.get("AccountId") or answer["CreateAccountStatus"]["AccountId"]
            self.moved(Organization(backend), account)
            return answer

        setattr(OrganizationsBackend, change, changed)


def _backend(response: OrganizationsResponse) -> OrganizationsBackend:
    """A delegated administrator reads what the management account reads; moto knows no members' view."""
    account = response.current_account
    organization = organization_of(account)
    reads = response._get_action().startswith(("Describe", "List"))  # noqa: SLF001 moto gives no other way to it
    if reads and organization and organization.delegated(account):
        return organization.backend
    return organizations_backends[account][response.partition]


def _join(backend: OrganizationsBackend, id: str) -> None:
    """As moto makes an account, with the id of one that is there already."""
    assert backend.org is not None  # noqa: S101 it has invited
    account = FakeAccount(backend.org, AccountName=f"account-{id}", Email=f"{id}@example.com")
    account.id, account.joined_method = id, "INVITED"
    backend.accounts.append(account)
    for policy in (utils.DEFAULT_SCP_POLICY_ID, utils.DEFAULT_RCP_POLICY_ID):
        backend.attach_policy(PolicyId=policy, TargetId=id)
    organizations_backends.master_accounts[id] = (backend.account_id, backend.partition)


def _told(handshake: Json) -> Json:
    return {key: value for key, value in handshake.items() if key != "by"}


def _not_in_use() -> ServiceError:
    return ServiceError("AWSOrganizationsNotInUseException", "Your account is not a member of an organization.")
