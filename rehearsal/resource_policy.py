"""Whether the resource policy of a model package group lets another account in."""

from __future__ import annotations

import fnmatch
import json
from typing import Any

from rehearsal.api import Caller, Json, ServiceError


def check_policy(policy: str) -> None:
    """Raises ValidationException for what is no policy, or says what could not be held to here."""
    try:
        statements = _statements(policy)
        broken = [s for s in statements if not {"Effect", "Principal", "Action", "Resource"} <= set(s)]
    except (ValueError, KeyError, TypeError):
        raise ServiceError("ValidationException", f"The resource policy is not a policy document: {policy}") from None
    if broken:
        raise ServiceError("ValidationException", f"Not a statement of a resource policy: {json.dumps(broken[0])}")
    unread = sorted({key for s in statements for key in s if key in {"Condition", "NotPrincipal", "NotAction"}})
    if unread:
        told = f"the embedded AWS does not evaluate {', '.join(unread)} in a model package group's policy"
        raise ServiceError("NotImplemented", told)


def check_access(caller: Caller, owner: Caller, policy: str | None, action: str, arn: str) -> None:
    """Raises AccessDeniedException unless the caller is of the owner's account or the policy lets it in."""
    if caller.account == owner.account:
        return
    speaking = [s for s in _statements(policy) if _speaks(s, caller, action, arn)] if policy else []
    effects = {statement["Effect"] for statement in speaking}
    if effects != {"Allow"}:
        raise ServiceError(
            "AccessDeniedException",
            f"User: arn:aws:iam::{caller.account}:root is not authorized to perform: {action} on resource: {arn} "
            + (
                "with an explicit deny"
                if "Deny" in effects
                else f"because no resource-based policy allows the {action} action"
            ),
        )


def _statements(policy: str) -> list[Json]:
    found = json.loads(policy)["Statement"]
    return [found] if isinstance(found, dict) else list(found)


def _speaks(statement: Json, caller: Caller, action: str, arn: str) -> bool:
    principal: Any = statement["Principal"]
    named = principal if isinstance(principal, str) else principal.get("AWS", [])
    return (
        any(p in {"*", caller.account} or p.startswith(f"arn:aws:iam::{caller.account}:") for p in _list(named))
        and any(fnmatch.fnmatchcase(action.lower(), pattern.lower()) for pattern in _list(statement["Action"]))
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in _list(statement["Resource"]))
    )


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)
