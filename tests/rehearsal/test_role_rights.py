"""What a role's own policies let it do, within its boundary."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from moto.iam.models import iam_backends

from rehearsal import role_rights

ACCOUNTS = itertools.count(980000000000)
ALARM = "arn:aws:cloudwatch:eu-west-1:1:alarm:live-errors"
ACTION = "cloudwatch:DescribeAlarms"


def statement(effect: str = "Allow", action: str = ACTION, resource: str = "*") -> dict[str, Any]:
    return {"Effect": effect, "Action": action, "Resource": resource}


def document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


@pytest.fixture
def account() -> str:
    return str(next(ACCOUNTS))


def role(account: str, *inline: dict[str, Any], managed: str = "", boundary: str = "") -> str:
    """A role with an inline policy, a managed one, a boundary; returns its ARN."""
    backend: Any = iam_backends[account]["aws"]
    limit = backend.create_policy("", "/", boundary, "limit", []).arn if boundary else ""
    made = backend.create_role("job", "{}", "/", limit, "", [], 3600)
    if inline:
        backend.put_role_policy("job", "all", document(*inline))
    if managed:
        backend.attach_role_policy(backend.create_policy("", "/", managed, "more", []).arn, "job")
    return str(made.arn)


def test_a_role_that_is_not_there_may_nothing(account: str) -> None:
    assert not role_rights.may(f"arn:aws:iam::{account}:role/job", ACTION, ALARM)


def test_without_a_policy_it_may_nothing(account: str) -> None:
    assert not role_rights.may(role(account), ACTION, ALARM)


@pytest.mark.parametrize(
    ("statements", "allowed"),
    [
        ([statement()], True),
        ([statement(action="cloudwatch:Describe*", resource="arn:aws:cloudwatch:*:*:alarm:live-*")], True),
        ([statement(action="cloudwatch:GetMetricData")], False),
        ([statement(resource="arn:aws:cloudwatch:*:*:alarm:other-*")], False),
        ([statement(), statement("Deny", resource=ALARM)], False),
    ],
)
def test_its_own_policy_decides(account: str, statements: list[dict[str, Any]], allowed: bool) -> None:
    assert role_rights.may(role(account, *statements), ACTION, ALARM) is allowed


def test_a_managed_policy_counts_as_well(account: str) -> None:
    assert role_rights.may(role(account, managed=document(statement())), ACTION, ALARM)


@pytest.mark.parametrize("has_room", [True, False])
def test_its_boundary_must_have_room(account: str, has_room: bool) -> None:
    room = document(statement(action=ACTION if has_room else "s3:*"))

    assert role_rights.may(role(account, statement(), boundary=room), ACTION, ALARM) is has_room
