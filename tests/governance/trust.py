"""Who may take a role on, and who is let into what: a service for this account, another by a role that is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import Question, Simulator

Json = dict[str, Any]

NAMES_NO_SOURCE = {
    "lambda.amazonaws.com": (
        "AWS documents no source of Lambda's, and IAM passes a role to functions of its own account only."
    ),
}
"""Services that do not say on whose behalf they come."""

OTHER = "999999999999"
STRANGER = Role("stranger", f"arn:aws:iam::{OTHER}:role/stranger", {}, tuple(ADMINISTRATOR.values()))
SIGN_IN = "https://signin.aws.amazon.com/saml"
TAGGED, HANDED_ON = "${aws:PrincipalTag/user}", "${aws:RequestTag/user}"
SOURCES = ("aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn")
USES = {
    "s3": ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"),
    "ecr": ("ecr:BatchGetImage", "ecr:PutImage"),
    "sns": ("sns:Publish", "sns:Subscribe"),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage"),
    "sagemaker": ("sagemaker:DescribeModelPackage",),
}
"""What a stranger could do to what has a policy of its own."""

OF_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")


def trusts(cloud: Cloud) -> Iterator[tuple[Role, Json]]:
    for role in cloud.roles.values():
        if not role.stack.startswith("CDKToolkit"):
            yield from ((role, statement) for statement in role.trust["Statement"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def services(cloud: Cloud) -> list[tuple[Role, str]]:
    """Each service that a role trusts and that says on whose behalf it comes."""
    return [
        (role, service)
        for role, statement in trusts(cloud)
        for service in listed(_principal(statement).get("Service", []))
        if service not in NAMES_NO_SOURCE
    ]


def deputies(cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """Services that take a role on though somebody else has sent them, or that this account may not send."""
    for role, service in services(cloud):
        asked = Question(role, "sts:AssumeRole", role.arn, {}, role.trust, principal=service, owner=role.account)
        sent = [
            replace(asked, context={"aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:x:eu-west-1:{account}:x"})
            for account in (role.account, OTHER)
        ]
        if simulator.may([*sent, asked]) != [True, False, False]:
            yield f"{role.name} trusts {service} of anybody's"


def across(cloud: Cloud) -> list[tuple[Role, Json]]:
    """Trusts of another account."""
    return [
        (role, statement)
        for role, statement in trusts(cloud)
        for principal in listed(_principal(statement).get("AWS", []))
        if role.account not in principal
    ]


def accounts(cloud: Cloud) -> Iterator[str]:
    """Roles that another account comes into by no role that is named, or everybody."""
    for role, statement in across(cloud):
        named = statement.get("Condition", {}).get("ArnEquals", {}).get("aws:PrincipalArn")
        if not named or "*" in json.dumps(named):
            yield f"{role.name} is open to another account: {statement['Principal']}"
    for role, statement in trusts(cloud):
        if "NotPrincipal" in statement or "*" in json.dumps(statement["Principal"]):
            yield f"{role.name} is open to everybody"


def people(cloud: Cloud) -> Iterator[str]:
    """Ways into a role of people's that do not say who comes, or that take an assertion made for somebody else."""
    for role, statement in trusts(cloud):
        if role.stack.endswith("-Personas"):
            yield from (f"{role.name}: {lack}" for lack in nameless(statement))


def nameless(statement: Json) -> Iterator[str]:
    """What one statement of a trust of people's lacks.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html
    """
    demanded, actions = statement.get("Condition", {}).get("StringEquals", {}), listed(statement["Action"])
    by_saml = "Federated" in _principal(statement)
    if by_saml and demanded.get("SAML:aud") != SIGN_IN:
        yield "an assertion for any audience comes in"
    if not by_saml and demanded.get("aws:RequestTag/user") != TAGGED:
        yield "somebody comes in with a tag of another user, or none"
    if actions != ["sts:TagSession"] and demanded.get("sts:RoleSessionName") != (HANDED_ON if by_saml else TAGGED):
        yield "a session may bear any name"


def let_in(cloud: Cloud) -> Iterator[str]:
    """Services of anybody's in policies of resources, and functions that anything calls."""
    for arn, statement in lets_services(cloud):
        keys = [key for operator in statement.get("Condition", {}).values() for key in operator]
        if not any(key in SOURCES for key in keys):
            yield f"{arn}: {statement['Principal']['Service']} of anybody's"
    for permission in cloud.of_kind("AWS::Lambda::Permission"):
        if not permission.properties.keys() & {"SourceArn", "SourceAccount"}:
            yield f"{permission.id}: called on anybody's behalf"
        if not str(permission.properties["Principal"]).endswith(".amazonaws.com"):
            yield f"{permission.id}: called by {permission.properties['Principal']}"


def lets_services(cloud: Cloud) -> Iterator[tuple[str, Json]]:
    for arn, policy in _guarded(cloud):
        for statement in policy["Statement"]:
            if statement["Effect"] == "Allow" and "Service" in _principal(statement):
                yield arn, statement


def strangers(cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """What an administrator of an account that is none of ours may do to anything that has a policy."""
    asked = uses(cloud, {"aws:SecureTransport": "true"}, {})
    yield from (f"a stranger may {each}" for each in of(asked, simulator.may(asked)))


def in_the_clear(cloud: Cloud, simulator: Simulator) -> Iterator[str]:
    """Buckets and queues that answer without TLS to somebody whom their policies would let in."""
    asked = [one for one in uses(cloud, {"aws:SecureTransport": "false"}, OPEN) if one.action[:3] in {"s3:", "sqs"}]
    yield from (f"in the clear: {each}" for each in of(asked, simulator.may(asked)))


OPEN = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
"""What somebody might add by mistake."""


def uses(cloud: Cloud, context: Json, more: Json, *, principal: str | None = None) -> list[Question]:
    """Every use of everything that has a policy, by a stranger; `more` is a further statement of each policy."""
    found = []
    for arn, policy in _guarded(cloud):
        opened = {**policy, "Statement": [*policy["Statement"], *([more] if more else [])]}
        service = arn.split(":")[2]
        for action in USES.get(service, ()):
            always = {"aws:PrincipalArn": STRANGER.arn, **context}
            always |= {"s3:TlsVersion": "1.3"} if service == "s3" else {}
            owner = arn.split(":")[4] or "111111111111"
            thing = _thing(arn, action)
            found.append(Question(STRANGER, action, thing, always, opened, owner=owner, principal=principal))
    return found


def of(questions: list[Question], answers: list[bool]) -> list[str]:
    return [f"{one.action} {one.resource}" for one, may in zip(questions, answers, strict=True) if may]


def _guarded(cloud: Cloud) -> Iterator[tuple[str, Json]]:
    """What is ours and has a policy; a queue is named by its name alone."""
    for named, policy in cloud.resource_policies().items():
        if "cdk" not in named:
            yield (named if named.startswith("arn:") else f"arn:aws:sqs:eu-west-1:111111111111:{named}"), policy


def _thing(arn: str, action: str) -> str:
    if action in OF_OBJECTS:
        return f"{arn}/x"
    return f"{arn.replace(':model-package-group/', ':model-package/')}/1" if ":model-package-group/" in arn else arn


def _principal(statement: Json) -> Json:
    principal = statement.get("Principal")
    return principal if isinstance(principal, dict) else {}
