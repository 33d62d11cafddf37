"""Who may take a role on: a service only for this account, another account only by a role that is named."""

from __future__ import annotations

from typing import Any

import pytest
from iam_deployed import Cloud, Role
from iam_simulator import Question, Simulator
from trust import (
    NAMES_NO_SOURCE,
    OTHER,
    accounts,
    across,
    deputies,
    in_the_clear,
    let_in,
    lets_services,
    listed,
    nameless,
    people,
    services,
    strangers,
    trusts,
    uses,
)

from stacks.persona_settings import Principals
from stacks.persona_trust import ways

Json = dict[str, Any]


def test_each_service_comes_for_the_roles_account_only(cloud: Cloud, simulator: Simulator) -> None:
    assert len(services(cloud)) >= 20
    assert list(deputies(cloud, simulator)) == []


def test_each_exception_is_needed(cloud: Cloud) -> None:
    unconditional = {
        service
        for _, statement in trusts(cloud)
        if "Condition" not in statement
        for service in listed(statement["Principal"].get("Service", []))
    }

    assert unconditional == set(NAMES_NO_SOURCE)


def test_another_account_comes_by_a_role_that_is_named_and_nobody_trusts_everybody(cloud: Cloud) -> None:
    assert across(cloud)
    assert list(accounts(cloud)) == []


def test_people_come_by_their_name(cloud: Cloud) -> None:
    assert [role for role, _ in trusts(cloud) if role.stack.endswith("-Personas")]
    assert list(people(cloud)) == []


def test_each_way_of_people_demands_their_name_and_an_assertion_made_for_aws() -> None:
    provider = "arn:aws:iam::111111111111:saml-provider/Corporate"
    principals = Principals(permission_sets=("Approvers",), accounts=("444444444444",), saml_providers=(provider,))
    told = [s.to_json() for way in ways(principals, "111111111111") for s in way.statements()]

    assert len(told) == 6
    assert [lack for statement in told for lack in nameless(statement)] == []
    for statement in told:
        assert list(nameless({**statement, "Condition": {}})), statement


def test_services_are_let_in_for_the_account_and_functions_called_by_what_is_named(cloud: Cloud) -> None:
    """Of the same kind as trusts: who is sent by somebody else must not use what lets the service in."""
    assert len(list(lets_services(cloud))) >= 9
    assert cloud.of_kind("AWS::Lambda::Permission")
    assert list(let_in(cloud)) == []


def test_a_stranger_gets_at_nothing_that_has_a_policy(cloud: Cloud, simulator: Simulator) -> None:
    tried = uses(cloud, {}, {})

    assert {one.resource.split(":")[2] for one in tried} == {"s3", "kms", "ecr", "sns", "sqs", "sagemaker"}
    assert list(strangers(cloud, simulator)) == []


def test_buckets_and_queues_answer_by_tls_only(cloud: Cloud, simulator: Simulator) -> None:
    assert list(in_the_clear(cloud, simulator)) == []


@pytest.mark.parametrize("condition", [None, {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}])
def test_a_trust_of_anybodys_would_be_found(simulator: Simulator, condition: Json | None) -> None:
    statement = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}
    trust = {"Version": "2012-10-17", "Statement": [{**statement, **({"Condition": condition} if condition else {})}]}
    role = Role("x", "arn:aws:iam::111111111111:role/x", trust)
    context = {"aws:SourceAccount": OTHER, "aws:RequestedRegion": "eu-west-1"}

    sent = Question(role, "sts:AssumeRole", role.arn, context, trust, principal="sagemaker.amazonaws.com")

    assert simulator.may([sent]) == [True]
