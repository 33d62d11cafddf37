"""Which accounts are in organizational units, as Organizations tells whoever asks with the caller's credentials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

NOT_THERE = frozenset({"OrganizationalUnitNotFoundException", "ParentNotFoundException", "ChildNotFoundException"})


@dataclass(frozen=True)
class Member:
    """An account of a unit; `path` names its units from the root down, `unit` is the one that was asked for."""

    account: str
    name: str
    path: str
    unit: str
    active: bool


def members_of(organizations: Any, units: Sequence[str]) -> tuple[list[Member], list[str]]:
    """The accounts of the units and of those below them, each once; and the units that are not there."""
    found: dict[str, Member] = {}
    missing = []
    for unit in units:
        try:
            for member in _below(organizations, unit, unit, _path(organizations, unit)):
                found.setdefault(member.account, member)
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOT_THERE:
                raise
            missing.append(unit)
    return sorted(found.values(), key=lambda member: (member.path, member.account)), missing


def _below(organizations: Any, asked: str, unit: str, path: str) -> Iterator[Member]:
    for page in organizations.get_paginator("list_accounts_for_parent").paginate(ParentId=unit):
        for account in page["Accounts"]:
            active = account["Status"] == "ACTIVE"
            yield Member(account["Id"], account["Name"], path, asked, active)
    for page in organizations.get_paginator("list_organizational_units_for_parent").paginate(ParentId=unit):
        for child in page["OrganizationalUnits"]:
            yield from _below(organizations, asked, child["Id"], f"{path}/{child['Name']}")


def _path(organizations: Any, unit: str) -> str:
    """The names of the units above and of itself; the root has none."""
    if unit.startswith("r-"):
        known = [root["Id"] for root in organizations.list_roots()["Roots"]]
        if unit not in known:
            error = {"Code": "ParentNotFoundException", "Message": f"no root {unit}"}
            raise ClientError({"Error": error}, "ListRoots")
        return "Root"
    name = organizations.describe_organizational_unit(OrganizationalUnitId=unit)["OrganizationalUnit"]["Name"]
    (parent,) = organizations.list_parents(ChildId=unit)["Parents"]
    return f"{_path(organizations, parent['Id'])}/{name}"
