"""Reads docs/governance/who-may-what.md, the page that auditors read, and turns its tables into questions to IAM."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from iam_deployed import Cloud, Role
from iam_simulator import Question, Simulator

from stacks.config import ROOT

PAGE = ROOT / "docs/governance/who-may-what.md"
YES, NO = "yes", ""
OTHER = "999999999999"
"""An account that is none of ours."""

ME = "bo"
"""Whoever has taken a role of people on."""

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One role and one thing to do: what the page says of it."""

    environment: str
    role: str
    action: str
    thing: str
    case: str
    allowed: bool

    def __str__(self) -> str:
        return f"{self.environment}: {self.role} {self.action} {self.thing} {self.case}".strip()


class Page:
    """The page's tables: roles, things, cases, and one matrix an environment."""

    def __init__(self, text: str) -> None:
        parts = re.split(r"^## ", text, flags=re.MULTILINE)
        tables = {part.split("\n", 1)[0].strip(): _table(part) for part in parts}
        self.roles = {row["role"]: row["name"].strip("`") for row in tables["Roles"]}
        self.people = {row["role"] for row in tables["Roles"] if row["who"] == "people"}
        self.things = {row["thing"]: row["ARN"].strip("`") for row in tables["Things"]}
        self.cases = {row["case"]: json.loads(row["request"].strip("`")) for row in tables["Cases"]}
        self._matrices = {name.split("`")[1]: rows for name, rows in tables.items() if name.startswith("In `")}
        self._studio = {
            name.split("`")[1]: rows for name, rows in tables.items() if name.startswith("With Studio in `")
        }

    def cells(self, *, studio: bool = False) -> Iterator[Cell]:
        """Of the environments as committed, or of those with Studio."""
        for environment, rows in (self._studio if studio else self._matrices).items():
            for row in rows:
                for role in [column for column in row if column in self.roles]:
                    said = row[role]
                    assert said in {YES, NO}, f"{environment}: {row['action']}: {said!r} is neither yes nor empty"
                    yield Cell(environment, role, row["action"], row["on"], row["if"], said == YES)


def question(page: Page, cloud: Cloud, cell: Cell) -> Question:
    """The cell as a request of somebody who has taken the role on."""
    name = page.roles[cell.role]
    role = _named_by_cdk(cloud, cell, name) if "*" in name else cloud.role(f"{_prefix(cell)}-{name}")
    arn = filled(page.things[cell.thing], cloud, cell.environment)
    guarded = _guarded(arn)
    case = _case(page, cloud, cell, role) if cell.case else {}
    context = {key: value for key, value in {**_always(role, cell, page), **case}.items() if value}
    owner = role.account if arn == "*" else _owner(arn, cloud, guarded)
    return Question(role, cell.action, arn, context, cloud.resource_policies().get(guarded), owner=owner)


def wrong(page: Page, cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """Lines of the page that IAM decides otherwise."""
    cells = list(page.cells())
    decided = simulator.may([question(page, cloud, cell) for cell in cells])
    for cell, may in zip(cells, decided, strict=True):
        if may != cell.allowed:
            yield f"{cell}: the page says {'yes' if cell.allowed else 'no'}"


def filled(text: str, cloud: Cloud, environment: str) -> str:
    """Placeholders of the page's ARNs: account, prefix and key of an environment."""
    keys = {made.stack: made for made in cloud.of_kind("AWS::KMS::Key")}
    key, registry = keys[f"slipway-{environment}-Governance"], keys["slipway-dev-Governance"]
    prefix = f"slipway-{environment}"
    return (
        text.replace("{account}", key.account)
        .replace("{prefix}", prefix)
        .replace("{key}", key.arn)
        .replace("{environment}", environment)
        .replace("{key of dev}", registry.arn)
    )


def _guarded(arn: str) -> str:
    """The resource whose own policy speaks: an object's bucket, a version's group."""
    if arn.startswith("arn:aws:s3:"):
        return arn.split("/", maxsplit=1)[0]
    return (
        arn.rsplit("/", 1)[0].replace(":model-package/", ":model-package-group/") if ":model-package/" in arn else arn
    )


def _always(role: Role, cell: Cell, page: Page) -> Json:
    context: Json = {
        "aws:PrincipalArn": role.arn,
        "aws:PrincipalAccount": role.account,
        "aws:RequestedRegion": "eu-west-1",
        "aws:SecureTransport": "true",
    }
    if cell.action.startswith("s3:"):
        context["s3:TlsVersion"] = "1.3"
    if cell.action.startswith("kms:"):
        context["kms:CallerAccount"] = role.account
    if cell.role in page.people:
        context["aws:PrincipalTag/user"] = _user(role)
    return context


def _user(role: Role) -> str:
    """Whose a role is, if it is one person's; others are taken on by me."""
    return role.tags.get("user", ME)


def _case(page: Page, cloud: Cloud, cell: Cell, role: Role) -> Json:
    me = _user(role)
    case = json.loads(json.dumps(page.cases[cell.case]).replace("{me}", me).replace("{ME}", me.upper()))
    return {
        key: filled(value, cloud, cell.environment) if isinstance(value, str) else value for key, value in case.items()
    }


def _named_by_cdk(cloud: Cloud, cell: Cell, name: str) -> Role:
    stack, part = name.split("*")
    (found,) = (
        role for role in cloud.roles.values() if role.stack == f"{_prefix(cell)}-{stack}" and f"-{part}" in role.name
    )
    return found


def _prefix(cell: Cell) -> str:
    return f"slipway-{cell.environment}"


def _owner(arn: str, cloud: Cloud, guarded: str) -> str:
    if account := arn.split(":")[4]:
        return account
    owners = [made.account for made in cloud.of_kind("AWS::S3::Bucket") if made.arn == guarded]
    return owners[0] if owners else OTHER


def _table(part: str) -> list[dict[str, str]]:
    lines = [line for line in part.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    if not rows:
        return []
    head, _, *body = rows
    return [dict(zip(head, row, strict=True)) for row in body]


def read(path: Path = PAGE) -> Page:
    return Page(path.read_text(encoding="utf-8"))
