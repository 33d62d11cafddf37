"""Resource policies, decided as IAM decides them: a key's, a bucket's, a group's, and who may assume a role.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
What callers' own policies allow is not decided here: the rehearsal does not evaluate them.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]

Policy = str | bytes | Json | None

KNOWN_KEYS = frozenset(
    {
        "aws:PrincipalAccount",
        "aws:PrincipalArn",
        "aws:PrincipalIsAWSService",
        "aws:PrincipalOrgID",
        "aws:PrincipalTag/user",
        "aws:RequestTag/user",
        "aws:SecureTransport",
        "aws:SourceAccount",
        "aws:SourceArn",
        "kms:CallerAccount",
        "kms:ViaService",
        "s3:TlsVersion",
        "s3:prefix",
        "sts:ExternalId",
        "sts:RoleSessionName",
    }
)
"""The condition keys a request here can carry. A statement with any other is left out, whether it allows or denies."""
VARIABLE = re.compile(r"\$\{([^}]+)\}")
"""https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html"""

NEGATED = re.compile(r"(String|Arn|Numeric)Not")


class Decision(Enum):
    """What a resource's own policy says of a request."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


class UndecidedError(Exception):
    """A condition that cannot be decided here: its key or its operator is unknown."""


@dataclass(frozen=True)
class Principal:
    """Who asks: the account, and the ARN of the role that was assumed there (the account's root otherwise).

    `organization` is the id of the organization that the account is a member of, if it is; `tags` are its session's.
    """

    account: str
    arn: str
    organization: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def root(cls, account: str) -> Principal:
        return cls(account, f"arn:aws:iam::{account}:root")

    def answers_to(self, name: str) -> bool:
        """Whether a policy's `AWS` principal means this one; an account's root means everybody in it."""
        return name in {"*", self.account, self.arn, f"arn:aws:iam::{self.account}:root"}


@dataclass(frozen=True)
class Request:
    """One use of one resource."""

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def keys(self) -> dict[str, str]:
        """Condition keys and their values; the rehearsal's own connections stand for TLS, and nobody is a service."""
        own = {
            "aws:PrincipalArn": self.principal.arn,
            "aws:PrincipalAccount": self.principal.account,
            "aws:PrincipalIsAWSService": "false",
        }
        if self.principal.organization:
            own["aws:PrincipalOrgID"] = self.principal.organization
        own |= {f"aws:PrincipalTag/{key}": value for key, value in self.principal.tags.items()}
        return {**own, "aws:SecureTransport": "true", "s3:TlsVersion": "1.3", **self.context}


def decide(policy: Policy, request: Request) -> Decision:
    """A denial wins; without a statement that speaks, the policy is silent."""
    document: Json = json.loads(policy) if isinstance(policy, str | bytes) else policy or {}
    spoken = {s["Effect"] for s in _listed(document.get("Statement", [])) if _speaks(s, request)}
    if "Deny" in spoken:
        return Decision.DENIED
    return Decision.ALLOWED if "Allow" in spoken else Decision.SILENT


def may(policy: Policy, request: Request, owner: str) -> bool:
    """Whether the owner's resource lets a request in; a caller of another account needs the policy's word."""
    decision = decide(policy, request)
    return decision is Decision.ALLOWED or (decision is Decision.SILENT and request.principal.account == owner)


def _speaks(statement: Json, request: Request) -> bool:
    try:
        return (
            _named(statement, request.principal)
            and _covers(statement, "Action", request.action, fold=True)
            and _covers(statement, "Resource", request.resource)
            and all(_holds(*condition, request.keys) for condition in _conditions(statement))
        )
    except UndecidedError:
        return False


def _named(statement: Json, principal: Principal) -> bool:
    if "NotPrincipal" in statement:
        return not _answers(statement["NotPrincipal"], principal)
    return _answers(statement.get("Principal", {}), principal)


def _answers(named: Any, principal: Principal) -> bool:
    names = [named] if isinstance(named, str) else _listed(named.get("AWS", []))
    return any(principal.answers_to(str(name)) for name in names)


def _covers(statement: Json, part: str, value: str, *, fold: bool = False) -> bool:
    """Action or Resource, or their Not form; a trust policy has no resource."""
    if f"Not{part}" in statement:
        return not any(like(value, str(pattern), fold=fold) for pattern in _listed(statement[f"Not{part}"]))
    return any(like(value, str(pattern), fold=fold) for pattern in _listed(statement.get(part, "*")))


def _conditions(statement: Json) -> list[tuple[str, str, list[str]]]:
    """Operator, key and values of each condition."""
    found = statement.get("Condition", {})
    return [
        (operator, key, [_text(value) for value in _listed(values)])
        for operator, keys in found.items()
        for key, values in keys.items()
    ]


def _holds(operator: str, key: str, wanted: Sequence[str], keys: Mapping[str, str]) -> bool:
    if key not in KNOWN_KEYS or operator.startswith("For"):
        raise UndecidedError(f"{operator} {key}")
    if operator == "Null":
        return (key not in keys) == (wanted[0].lower() == "true")
    wanted = [_filled(value, keys) for value in wanted]
    plain = operator.removesuffix("IfExists")
    if key not in keys:
        return plain != operator or bool(NEGATED.match(plain))
    negated = bool(NEGATED.match(plain))
    found = any(_matches(plain.replace("Not", "", 1), keys[key], value) for value in wanted)
    return found is not negated


def _filled(value: str, keys: Mapping[str, str]) -> str:
    """A value whose variables the request has; without them nothing can be said."""
    missing = [name for name in VARIABLE.findall(value) if name not in keys]
    if missing:
        raise UndecidedError(", ".join(missing))
    return VARIABLE.sub(lambda found: keys[found[1]], value)


def _matches(operator: str, value: str, wanted: str) -> bool:
    if operator in {"StringEquals", "Bool"}:
        return value == wanted
    if operator == "StringEqualsIgnoreCase":
        return value.lower() == wanted.lower()
    if operator in {"StringLike", "ArnLike", "ArnEquals"}:
        return like(value, wanted)
    compared = {
        "NumericEquals": float.__eq__,
        "NumericLessThan": float.__lt__,
        "NumericLessThanEquals": float.__le__,
        "NumericGreaterThan": float.__gt__,
        "NumericGreaterThanEquals": float.__ge__,
    }
    if operator not in compared:
        raise UndecidedError(operator)
    return bool(compared[operator](float(value), float(wanted)))


def like(value: str, pattern: str, *, fold: bool = False) -> bool:
    """`*` is any text, `?` one character; actions are compared without regard to case."""
    return bool(_pattern(pattern.lower() if fold else pattern).fullmatch(value.lower() if fold else value))


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    return re.compile("".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern), re.DOTALL)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
