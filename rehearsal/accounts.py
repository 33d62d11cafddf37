"""Who may become whom: AssumeRole needs a role that exists and trusts the caller's account; moto asks for neither."""

from __future__ import annotations

import json
from typing import Any

from moto.iam.models import iam_backends
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

from rehearsal.api import Caller, Json, ServiceError, install

ENTRY_ROLE = "OrganizationAccountAccessRole"
"""How the rehearsal enters an account; it needs no trust, as in AWS the organization gives it."""


def assume_role(caller: Caller, request: Json) -> Json:
    """AssumeRole; conditions of the trust policy and the caller's own policy are not evaluated."""
    arn = request["RoleArn"]
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[1]
    if name != ENTRY_ROLE and not _trusts(account, name, caller.account):
        who = f"arn:aws:iam::{caller.account}:root"
        raise ServiceError(
            "AccessDenied", f"User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}"
        )
    role = sts_backends[caller.account]["aws"].assume_role(
        region_name=caller.region,
        role_session_name=request["RoleSessionName"],
        role_arn=arn,
        policy=str(request.get("Policy") or ""),
        duration=int(request.get("DurationSeconds", 3600)),
        external_id=str(request.get("ExternalId") or ""),
    )
    return {
        "Credentials": {
            "AccessKeyId": role.access_key_id,
            "SecretAccessKey": role.secret_access_key,
            "SessionToken": role.session_token,
            "Expiration": role.expiration,
        },
        "AssumedRoleUser": {"AssumedRoleId": role.user_id, "Arn": role.arn},
    }


def install_accounts() -> None:
    install(TokenResponse, {"AssumeRole": assume_role})


def _trusts(account: str, name: str, caller: str) -> bool:
    role = next((r for r in iam_backends[account]["aws"].roles.values() if r.name == name), None)
    if role is None:
        return False
    document = role.assume_role_policy_document
    statements = (json.loads(document) if isinstance(document, str) else document).get("Statement", [])
    return any(statement["Effect"] == "Allow" and _names(statement, caller) for statement in statements)


def _names(statement: Json, caller: str) -> bool:
    principal: Any = statement.get("Principal", {})
    named = principal if isinstance(principal, str) else principal.get("AWS", [])
    return any(
        name in {"*", caller} or name.startswith(f"arn:aws:iam::{caller}:")
        for name in ([named] if isinstance(named, str) else named)
    )
