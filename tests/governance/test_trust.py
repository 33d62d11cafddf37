"""Who may take a role on: a service only for this account, another account only by a role that is named."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from iam_deployed import Cloud, Role
from iam_simulator import Question, Simulator

Json = dict[str, Any]

NAMES_NO_SOURCE = {
    "lambda.amazonaws.com": (
        "AWS documents no source of Lambda's, and IAM passes a role to functions of its own account only."
    ),
}
"""Services that do not say on whose behalf they come."""

OTHER = "999999999999"


def trusts(cloud: Cloud) -> Iterator[tuple[Role, Json]]:
    for role in cloud.roles.values():
        if not role.stack.startswith("CDKToolkit"):
            yield from ((role, statement) for statement in role.trust["Statement"])


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_each_service_comes_for_the_roles_account_only(cloud: Cloud, simulator: Simulator) -> None:
    tried = 0
    for role, statement in trusts(cloud):
        for service in listed(statement["Principal"].get("Service", [])):
            if service in NAMES_NO_SOURCE:
                continue
            asked = Question(role, "sts:AssumeRole", role.arn, {}, role.trust, principal=service, owner=role.account)
            sent = [
                replace(
                    asked, context={"aws:SourceAccount": account, "aws:SourceArn": f"arn:aws:x:eu-west-1:{account}:x"}
                )
                for account in (role.account, OTHER)
            ]
            assert simulator.may([*sent, asked]) == [True, False, False], f"{role.name} trusts {service} of anybody's"
            tried += 1
    assert tried >= 20


def test_each_exception_is_needed(cloud: Cloud) -> None:
    services = {
        service
        for _, statement in trusts(cloud)
        if "Condition" not in statement
        for service in listed(statement["Principal"].get("Service", []))
    }

    assert services == set(NAMES_NO_SOURCE)


def test_another_account_comes_by_a_role_that_is_named(cloud: Cloud) -> None:
    across = [
        (role, statement)
        for role, statement in trusts(cloud)
        for principal in listed(statement["Principal"].get("AWS", []))
        if principal.split(":")[4] != role.account
    ]

    assert across
    for role, statement in across:
        named = statement["Condition"].get("ArnEquals", {}).get("aws:PrincipalArn")
        assert named, role.name
        assert "*" not in json.dumps(named), role.name


def test_nobody_trusts_everybody(cloud: Cloud) -> None:
    for role, statement in trusts(cloud):
        assert "*" not in json.dumps(statement["Principal"]), role.name
        assert "NotPrincipal" not in statement


def test_services_let_into_keys_topics_queues_and_buckets_come_for_the_account(cloud: Cloud) -> None:
    """Of the same kind as trusts: who is sent by somebody else must not use what lets the service in."""
    bound = ("aws:SourceAccount", "aws:SourceArn", "kms:EncryptionContext:aws:logs:arn")
    tried = 0
    ours = {arn: each for arn, each in cloud.resource_policies().items() if "cdk-hnb659fds" not in arn}
    for arn, policy in ours.items():
        for statement in policy["Statement"]:
            principal = statement["Principal"]
            if statement["Effect"] != "Allow" or not isinstance(principal, dict) or "Service" not in principal:
                continue
            keys = [key for operator in statement.get("Condition", {}).values() for key in operator]
            assert any(key in bound for key in keys), f"{arn}: {principal['Service']} of anybody's"
            tried += 1
    assert tried >= 9


def test_functions_are_called_by_what_is_named(cloud: Cloud) -> None:
    permissions = cloud.of_kind("AWS::Lambda::Permission")

    assert permissions
    for permission in permissions:
        assert "SourceArn" in permission.properties or "SourceAccount" in permission.properties, permission.id


@pytest.mark.parametrize("condition", [None, {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}])
def test_a_trust_of_anybodys_would_be_found(simulator: Simulator, condition: Json | None) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": condition} if condition else {})}]}
    role = Role("x", "arn:aws:iam::111111111111:role/x", trust)
    context = {"aws:SourceAccount": OTHER, "aws:RequestedRegion": "eu-west-1"}

    sent = Question(role, "sts:AssumeRole", role.arn, context, trust, principal="sagemaker.amazonaws.com")

    assert simulator.may([sent]) == [True]
