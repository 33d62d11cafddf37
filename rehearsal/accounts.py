"""Who may become whom: AssumeRole needs a role that exists and trusts the caller's account; moto asks for neither."""

from __future__ import annotations

import json
from copy import copy
from functools import cache

from moto.iam.aws_managed_policies import aws_managed_policies_data
from moto.iam.models import AWSManagedPolicy, IAMBackend, ManagedPolicy, iam_backends
from moto.sts.models import sts_backends
from moto.sts.responses import TokenResponse

from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.callers import session_tags
from rehearsal.policies import Decision, Request, decide

ENTRY_ROLE = "OrganizationAccountAccessRole"
"""How the rehearsal enters an account; it needs no trust, as in AWS the organization gives it."""

PERMISSION_SET = "AWSReservedSSO_{set}_0123456789abcdef"
"""How IAM Identity Center names the role of a permission set; it lets people in, whom it tags."""


def assume_role(caller: Caller, request: Json) -> Json:
    """AssumeRole; the caller's own policy is not evaluated. Who tags the session needs the trust's word for that, too.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html
    """
    arn = request["RoleArn"]
    account, name = arn.split(":")[4], arn.rsplit("/", 1)[1]
    tags = {tag["Key"]: tag["Value"] for tag in request.get("Tags") or []}
    tagged = {f"aws:RequestTag/{key}": value for key, value in tags.items()}
    named = {**tagged, **_context(request)}
    for action, context in {"sts:AssumeRole": named, **({"sts:TagSession": tagged} if tags else {})}.items():
        asked = Request(caller.principal, action, arn, context)
        if not _lets_in(name) and not _trusts(account, name, asked):
            message = f"User: {caller.principal.arn} is not authorized to perform: {action} on resource: {arn}"
            raise ServiceError("AccessDenied", message)
    role = sts_backends[caller.account]["aws"].assume_role(
        region_name=caller.region,
        role_session_name=request["RoleSessionName"],
        role_arn=arn,
        policy=str(request.get("Policy") or ""),
        duration=int(request.get("DurationSeconds", 3600)),
        external_id=str(request.get("ExternalId") or ""),
    )
    session_tags[role.access_key_id] = tags
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
    setattr(IAMBackend, "_init_aws_policies", _aws_policies)  # noqa: B010 a mend of moto, not an oversight


def _aws_policies(backend: IAMBackend) -> list[ManagedPolicy]:
    """AWS's own policies for a new account; moto would read a thousand of them anew for each, in two seconds."""
    made = []
    for policy in _policies_read():
        own = copy(policy)
        own.account_id = backend.account_id
        made.append(own)
    return made


@cache
def _policies_read() -> list[ManagedPolicy]:
    return [
        AWSManagedPolicy.from_data(name, "aws", "aws", policy)
        for name, policy in json.loads(aws_managed_policies_data).items()
    ]


def _lets_in(name: str) -> bool:
    return name == ENTRY_ROLE or name.startswith(PERMISSION_SET.split("{", maxsplit=1)[0])


def _trusts(account: str, name: str, asked: Request) -> bool:
    """A trust policy must name the caller, in its own account too."""
    role = next((r for r in iam_backends[account]["aws"].roles.values() if r.name == name), None)
    return role is not None and decide(role.assume_role_policy_document, asked) is Decision.ALLOWED


def _context(request: Json) -> dict[str, str]:
    outside = {"sts:ExternalId": str(request["ExternalId"])} if request.get("ExternalId") else {}
    return {"sts:RoleSessionName": str(request["RoleSessionName"]), **outside}
