"""Where an organization is named, nobody outside it reaches a bucket, key, repository, topic or queue."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from iam_deployed import Cloud
from iam_simulator import Question, Simulator
from needs import ORGANIZATION, needs
from outsiders import IN, KEPT, OUT, asked, outsiders, synthesized
from trust import STRANGER, of

SERVICE = "cloudtrail.amazonaws.com"
WRITTEN_ONCE = "provenance"
"""The bucket that not even those inside may change: its own statements deny it."""


@pytest.fixture(scope="module")
def within(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return Cloud(synthesized(tmp_path_factory.mktemp("within")))


def test_whatever_a_policy_allows_nobody_outside_gets_in(within: Cloud, simulator: Simulator) -> None:
    assert {one.resource.split(":")[2] for one in asked(within, OUT)} == KEPT
    assert list(outsiders(within, simulator)) == []


def test_whoever_is_inside_may_do_what_policies_allow(within: Cloud, simulator: Simulator) -> None:
    questions = [one for one in asked(within, IN) if WRITTEN_ONCE not in one.resource]

    assert len(of(questions, simulator.may(questions))) == len(questions)


def test_a_service_comes_for_this_organization_only(within: Cloud, simulator: Simulator) -> None:
    ours = {"aws:PrincipalIsAWSService": "true", "aws:SourceAccount": "111111111111", "aws:SourceOrgID": ORGANIZATION}
    theirs = {**ours, "aws:SourceAccount": "999999999999", "aws:SourceOrgID": "o-zzzzzzzzzz"}
    for_nobody = {"aws:PrincipalIsAWSService": "true"}

    for context, let_in in ((ours, True), (theirs, False), (for_nobody, True)):
        questions = [one for one in asked(within, context, principal=SERVICE) if WRITTEN_ONCE not in one.resource]
        assert set(simulator.may(questions)) == {let_in}, context


def test_the_platforms_roles_do_all_their_work_within(within: Cloud, simulator: Simulator) -> None:
    named = list(needs(within))
    possible = simulator.may([replace(one, discover=True) for one in named])
    work = [one for one, can_be in zip(named, possible, strict=True) if can_be]

    assert len(work) > 900
    assert all(simulator.may(work))


def test_nobody_outside_goes_through_the_networks_gateway(within: Cloud, simulator: Simulator) -> None:
    """With credentials of theirs a stranger's code would carry data out to a bucket that it may write."""
    role = replace(STRANGER, arn="arn:aws:iam::111111111111:role/job")
    bucket = "arn:aws:s3:::slipway-dev-data-111111111111-eu-west-1/x"
    for endpoint in within.of_kind("AWS::EC2::VPCEndpoint"):
        through = Question(
            role,
            "s3:PutObject",
            bucket,
            {"aws:ResourceAccount": endpoint.account, "aws:SourceVpce": "vpce-0a1b2c3d"},
            owner=endpoint.account,
            endpoint_policies=(endpoint.properties["PolicyDocument"],),
        )
        told = [replace(through, context={**through.context, **context}) for context in (IN, OUT, {})]
        elsewhere = replace(told[0], context={**told[0].context, "aws:ResourceAccount": "999999999999"})

        assert simulator.may([*told, elsewhere]) == [endpoint.account == "111111111111", False, False, False]


def test_without_an_organization_nobody_is_shut_out(cloud: Cloud) -> None:
    told = json.dumps([made.properties for made in cloud.made])

    assert "OnlyThisOrganization" not in told
    assert "aws:PrincipalOrgID" not in told
