"""Whom an operation on a stack set is for: accounts of organizational units, filtered by account.

https://docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeploymentTargets.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rehearsal.api import Json, ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rehearsal.organizations import Organization

UNIT = r"^(ou-[a-z0-9]{4,32}-[a-z0-9]{8,32}|r-[a-z0-9]{4,32})$"
ACCOUNT = r"^[0-9]{12}$"
NO_SUCH_UNIT = "Target organizational unit could not be found"
NEEDS_UNITS = "StackSets with SERVICE_MANAGED permission model can only have OrganizationalUnit as target"
NEEDS_FILTER = "AccountFilterType should be specified when both OrganizationalUnitIds and Accounts are provided"


def check(request: Json, *, creates: bool) -> Json:
    """The request's targets; raises ServiceError for those that AWS refuses as they stand."""
    targets: Json = request.get("DeploymentTargets") or {}
    if request.get("Accounts") or not targets.get("OrganizationalUnitIds"):
        raise ServiceError("ValidationError", NEEDS_UNITS)
    if "AccountsUrl" in targets:
        raise ServiceError("ValidationError", "the embedded AWS reads no list of accounts from AccountsUrl")
    _formed("deploymentTargets.organizationalUnitIds", UNIT, targets["OrganizationalUnitIds"])
    _formed("deploymentTargets.accounts", ACCOUNT, targets.get("Accounts") or [])
    if targets.get("Accounts") and not targets.get("AccountFilterType"):
        raise ServiceError("ValidationError", NEEDS_FILTER)
    if creates and targets.get("AccountFilterType") == "UNION":
        raise ServiceError("ValidationError", "AccountFilterType UNION is not supported for CreateStackInstances")
    return targets


def missing(targets: Json, organization: Organization) -> list[str]:
    """Units that the organization does not have."""
    return sorted(set(targets["OrganizationalUnitIds"]) - organization.units())


def chosen(targets: Json, organization: Organization) -> dict[str, str]:
    """Account -> the targeted unit that it is in; never the management account, and nobody from outside."""
    inside = {
        account: unit for unit in targets["OrganizationalUnitIds"] for account in organization.accounts_under(unit)
    }
    kind, named = targets.get("AccountFilterType", "NONE"), set(targets.get("Accounts") or [])
    if kind == "INTERSECTION":
        return {account: unit for account, unit in inside.items() if account in named}
    if kind == "DIFFERENCE":
        return {account: unit for account, unit in inside.items() if account not in named}
    return inside


def _formed(where: str, pattern: str, values: Iterable[str]) -> None:
    wrong = [value for value in values if not re.fullmatch(pattern, value)]
    if wrong:
        raise ServiceError(
            "ValidationError",
            f"1 validation error detected: Value '[{', '.join(wrong)}]' at '{where}' failed to satisfy constraint: "
            f"Member must satisfy constraint: [Member must satisfy regular expression pattern: {pattern}]",
        )
