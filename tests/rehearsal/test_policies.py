"""Resource policies decide as IAM does; what cannot be decided here neither allows nor denies."""

import json
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.policies import Decision, Principal, Request, decide, like, may

ALLOWED, DENIED, SILENT = Decision.ALLOWED, Decision.DENIED, Decision.SILENT
ROLE = Principal("111111111111", "arn:aws:iam::111111111111:role/slipway-dev-flight-delay-record")
OBJECT = "arn:aws:s3:::bucket/folder/key"


def statement(effect: str = "Allow", **changes: Any) -> dict[str, Any]:
    return {"Effect": effect, "Principal": "*", "Action": "s3:GetObject", "Resource": "*", **changes}


def decided(*statements: dict[str, Any], action: str = "s3:GetObject", **context: str) -> Decision:
    return decide({"Statement": list(statements)}, Request(ROLE, action, OBJECT, context))


@pytest.mark.parametrize(
    ("organization", "outcome"), [("o-a1b2c3d4e5", ALLOWED), ("o-zzzzzzzzzz", DENIED), (None, DENIED)]
)
def test_whoever_is_outside_the_organization_is_shut_out(organization: str | None, outcome: Decision) -> None:
    outside = {
        "StringNotEqualsIfExists": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"},
        "BoolIfExists": {"aws:PrincipalIsAWSService": "false"},
    }
    policy = {"Statement": [statement(), statement("Deny", Action="s3:*", Condition=outside)]}

    assert decide(policy, Request(replace(ROLE, organization=organization), "s3:GetObject", OBJECT)) is outcome


@pytest.mark.parametrize(
    ("principal", "outcome"),
    [
        ("*", ALLOWED),
        ({"AWS": "*"}, ALLOWED),
        ({"AWS": "111111111111"}, ALLOWED),
        ({"AWS": "arn:aws:iam::111111111111:root"}, ALLOWED),
        ({"AWS": ["arn:aws:iam::222222222222:root", ROLE.arn]}, ALLOWED),
        ({"AWS": "arn:aws:iam::222222222222:root"}, SILENT),
        ({"AWS": "arn:aws:iam::111111111111:role/other"}, SILENT),
        ({"Service": "sagemaker.amazonaws.com"}, SILENT),
    ],
)
def test_a_principal_is_an_account_or_a_role(principal: Any, outcome: Decision) -> None:
    assert decided(statement(Principal=principal)) is outcome


@pytest.mark.parametrize(
    ("changes", "outcome"),
    [
        ({"Action": "s3:Get*"}, ALLOWED),
        ({"Action": "S3:getobject"}, ALLOWED),
        ({"Action": ["s3:PutObject", "s3:*"]}, ALLOWED),
        ({"Action": "s3:PutObject"}, SILENT),
        ({"Action": "s3:GetObjectVersion"}, SILENT),
        ({"Resource": "arn:aws:s3:::bucket/folder/*"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::bucket/*/key"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::bucket/folder/ke?"}, ALLOWED),
        ({"Resource": "arn:aws:s3:::bucket"}, SILENT),
        ({"Resource": "arn:aws:s3:::bucket/FOLDER/key"}, SILENT),
    ],
)
def test_actions_and_resources_are_patterns(changes: dict[str, Any], outcome: Decision) -> None:
    assert decided(statement(**changes)) is outcome


def test_the_not_forms_mean_everything_else() -> None:
    plain = statement("Deny")
    for part in ("Action", "Resource"):
        less = {key: value for key, value in plain.items() if key != part}
        assert decided({**less, f"Not{part}": "x:*"}) is DENIED
        assert decided({**less, f"Not{part}": "*"}) is SILENT
    others = {key: value for key, value in plain.items() if key != "Principal"}
    assert decided({**others, "NotPrincipal": {"AWS": ROLE.arn}}) is SILENT
    assert decided({**others, "NotPrincipal": {"AWS": "222222222222"}}) is DENIED


def test_a_denial_wins_whatever_the_order() -> None:
    for statements in ([statement(), statement("Deny")], [statement("Deny"), statement()]):
        assert decided(*statements) is DENIED


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ({"Bool": {"aws:SecureTransport": "false"}}, SILENT),
        ({"Bool": {"aws:SecureTransport": True}}, ALLOWED),
        ({"NumericLessThan": {"s3:TlsVersion": 1.2}}, SILENT),
        ({"NumericGreaterThanEquals": {"s3:TlsVersion": "1.2"}}, ALLOWED),
        ({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*-record"}}, ALLOWED),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*-record"}}, SILENT),
        ({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/*-train"}}, ALLOWED),
        ({"StringEquals": {"aws:PrincipalAccount": ["222222222222", "111111111111"]}}, ALLOWED),
        ({"StringNotEquals": {"aws:PrincipalAccount": ["222222222222", "111111111111"]}}, SILENT),
        ({"StringEquals": {"sts:ExternalId": "x"}}, SILENT),
        ({"StringNotEquals": {"sts:ExternalId": "x"}}, ALLOWED),
        ({"StringEqualsIfExists": {"sts:ExternalId": "x"}}, ALLOWED),
        ({"Null": {"sts:ExternalId": "true"}}, ALLOWED),
        ({"Null": {"sts:ExternalId": "false"}}, SILENT),
        ({"StringEquals": {"aws:PrincipalAccount": "111111111111"}, "Null": {"sts:ExternalId": "false"}}, SILENT),
    ],
)
def test_conditions_hold_as_iam_documents_them(condition: dict[str, Any], outcome: Decision) -> None:
    assert decided(statement(Condition=condition)) is outcome


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(
    "condition",
    [
        {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
        {"IpAddress": {"aws:SourceArn": "10.0.0.0/8"}},
        {"ForAnyValue:StringEquals": {"aws:PrincipalAccount": "111111111111"}},
    ],
)
def test_a_condition_that_cannot_be_decided_leaves_its_statement_out(effect: str, condition: dict[str, Any]) -> None:
    given = {"aws:SourceArn": "10.0.0.1"}

    assert decided(statement(effect, Condition=condition), **given) is SILENT


def test_an_external_id_is_seen() -> None:
    condition = {"StringEquals": {"sts:ExternalId": "x"}}

    assert decided(statement(Condition=condition), **{"sts:ExternalId": "x"}) is ALLOWED


def test_another_account_needs_the_policy_s_word() -> None:
    request = Request(ROLE, "s3:GetObject", OBJECT)

    assert may(None, request, owner="111111111111")
    assert not may(None, request, owner="222222222222")
    assert may(json.dumps({"Statement": statement()}), request, owner="222222222222")
    assert not may({"Statement": [statement("Deny")]}, request, owner="111111111111")


def test_a_dot_in_a_pattern_is_a_dot() -> None:
    assert not like("sagemakerXamazonaws", "sagemaker.amazonaws")


@pytest.mark.parametrize(
    ("tags", "named", "outcome"),
    [
        ({"user": "bo"}, "bo", ALLOWED),
        ({"user": "bo"}, "al", SILENT),
        ({}, "bo", SILENT),
        ({"user": "b*"}, "bo", SILENT),
    ],
)
def test_a_variable_stands_for_what_the_session_is_tagged_with(
    tags: dict[str, str], named: str, outcome: Decision
) -> None:
    trust = statement(
        Action="sts:AssumeRole", Condition={"StringEquals": {"sts:RoleSessionName": "${aws:PrincipalTag/user}"}}
    )
    asked = Request(replace(ROLE, tags=tags), "sts:AssumeRole", OBJECT, {"sts:RoleSessionName": named})

    assert decide({"Statement": [trust]}, asked) is outcome


def test_a_variable_that_the_request_lacks_decides_nothing() -> None:
    denied = {"StringNotEquals": {"sts:RoleSessionName": "${aws:PrincipalTag/user}"}}
    policy = [statement(), statement("Deny", Condition=denied)]

    assert decided(*policy, **{"sts:RoleSessionName": "bo"}) is ALLOWED
