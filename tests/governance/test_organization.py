"""Where an organization is named, nobody outside it reaches a bucket, key, repository, topic or queue."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import aws_cdk as cdk
import pytest
from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import Question, Simulator
from needs import ORGANIZATION, needs

from stacks.config import ROOT, Config, load
from stacks.settings import Platform
from stacks.stage import EnvironmentStage

Json = dict[str, Any]

IN, OUT = {"aws:PrincipalOrgID": ORGANIZATION}, {"aws:PrincipalOrgID": "o-zzzzzzzzzz"}
USES = {
    "s3": ("s3:GetObject", "s3:PutObject", "s3:ListBucket", "s3:DeleteObject"),
    "kms": ("kms:Decrypt", "kms:GenerateDataKey", "kms:CreateGrant"),
    "ecr": ("ecr:BatchGetImage", "ecr:PutImage"),
    "sns": ("sns:Publish", "sns:Subscribe"),
    "sqs": ("sqs:SendMessage", "sqs:ReceiveMessage"),
}
OF_OBJECTS = ("s3:GetObject", "s3:PutObject", "s3:DeleteObject")
OPEN = {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
"""What somebody might add by mistake."""

STRANGER = Role("stranger", "arn:aws:iam::999999999999:role/stranger", {}, tuple(ADMINISTRATOR.values()))
SERVICE = "cloudtrail.amazonaws.com"
WRITTEN_ONCE = "provenance"
"""The bucket that not even those inside may change: its own statements deny it."""


@pytest.fixture(scope="module")
def within(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    """All environments of a platform that names its organization."""
    folder, config = tmp_path_factory.mktemp("within"), load()
    shared = Platform.model_validate({**config.platform.model_dump(), "organization_id": ORGANIZATION})
    changed = Config(platform=shared, environments=config.environments)
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(folder), context=context, builtin_cloud_formation_validation=False)
    for environment in changed.environments:
        EnvironmentStage(app, config=changed, environment=environment, commit="abc")
    app.synth()
    return Cloud(folder)


def asked(cloud: Cloud, context: Json, *, principal: str | None = None) -> list[Question]:
    """Every use of everything that has a policy, by somebody whom a further statement lets do anything."""
    found = []
    for named, policy in [each for each in cloud.resource_policies().items() if "cdk" not in each[0]]:
        arn = named if named.startswith("arn:") else f"arn:aws:sqs:eu-west-1:111111111111:{named}"
        service = arn.split(":")[2]
        opened = {**policy, "Statement": [*policy["Statement"], OPEN]}
        for action in USES.get(service, ()):
            resource = f"{arn}/x" if action in OF_OBJECTS else arn
            always = {"aws:SecureTransport": "true", "aws:PrincipalArn": STRANGER.arn, **context}
            always |= {"s3:TlsVersion": "1.3"} if service == "s3" else {}
            owner = arn.split(":")[4] or "111111111111"
            found.append(Question(STRANGER, action, resource, always, opened, owner=owner, principal=principal))
    return found


def of(questions: list[Question], answers: list[bool]) -> list[str]:
    return [f"{one.action} {one.resource}" for one, may in zip(questions, answers, strict=True) if may]


def test_whatever_a_policy_allows_nobody_outside_gets_in(within: Cloud, simulator: Simulator) -> None:
    for context in (OUT, {}):
        questions = asked(within, context)

        assert {one.resource.split(":")[2] for one in questions} == set(USES)
        assert of(questions, simulator.may(questions)) == []


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
