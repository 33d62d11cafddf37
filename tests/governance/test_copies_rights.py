"""Where versions are copied: releasers do all that it takes under the guardrails, and nobody else gains anything."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from conftest import synthesize
from forbidden import controlled
from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import Question, Simulator
from needs import ORGANIZATION, _guarded, needs
from promotion_world import styled

from stacks.denials import Perimeter

DEV, PROD = "111111111111", "333333333333"
STEM = "arn:aws:sagemaker:eu-west-1"
COPY = f"{STEM}:{PROD}:model-package/slipway-prod-flight-delay/1"
VERSION = f"{STEM}:{DEV}:model-package/slipway-dev-flight-delay/1"
PACKAGE = f"arn:aws:s3:::slipway-dev-runs-{DEV}-eu-west-1/runs/flight_delay/x/package/model.tar.gz"
RECORD = f"arn:aws:s3:::slipway-dev-provenance-{DEV}-eu-west-1/flight_delay/x/provenance.json"
IMAGE = f"arn:aws:ecr:eu-west-1:{DEV}:repository/slipway-dev-job"
OF = {"sagemaker:CustomerMetadataProperties/copy_of": VERSION}
APPROVED = {
    "sagemaker:ModelApprovalStatus": "Approved",
    "sagemaker:ModelLifeCycle:Stage": "Production",
    "sagemaker:ModelLifeCycle:StageStatus": "Approved",
}
REJECTED = {**APPROVED, "sagemaker:ModelApprovalStatus": "Rejected", "sagemaker:ModelLifeCycle:StageStatus": "Rejected"}


@pytest.fixture(scope="module")
def copying(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    config = styled("copy")
    people = {"permission_sets": ["ModelApprovers"]}
    prod = config.environment("prod")
    prod = type(prod).model_validate(
        {**prod.model_dump(), "personas": {**prod.personas.model_dump(), "approver": people}}
    )
    environments = tuple(prod if each.name == "prod" else each for each in config.environments)
    changed = config.model_copy(update={"environments": environments})
    return Cloud(synthesize(tmp_path_factory.mktemp("copying") / "cdk.out", config=changed).folder)


@pytest.fixture(scope="module")
def about() -> Perimeter:
    config = styled("copy")
    platform = config.platform.model_copy(update={"organization_id": ORGANIZATION})
    return Perimeter.of(platform, config.environments)


def test_releasers_do_all_their_work_under_the_guardrails(
    copying: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    named = [one for one in needs(copying) if one.role.name.endswith("-releaser")]
    possible = simulator.may([replace(asked, discover=True) for asked in named])
    asked = [one for one, can_be in zip(named, possible, strict=True) if can_be]
    assert {(one.role.arn, one.action) for one in named} == {(one.role.arn, one.action) for one in asked}

    decided = simulator.may([controlled(one, about) for one in asked])

    assert [f"{o.role.name} {o.action} {o.resource}" for o, may in zip(asked, decided, strict=True) if not may] == []


def question(cloud: Cloud, about: Perimeter, role: Role, action: str, resource: str, **more: Any) -> Question:
    context = {
        "aws:PrincipalArn": role.arn,
        "aws:PrincipalAccount": role.account,
        "aws:PrincipalOrgID": ORGANIZATION,
        "aws:RequestedRegion": "eu-west-1",
        "aws:SecureTransport": "true",
        **({"s3:TlsVersion": "1.3"} if action.startswith("s3:") else {}),
        **more.get("context", {}),
    }
    owner = DEV if DEV in resource else PROD
    asked = Question(role, action, resource, context, cloud.resource_policies().get(_guarded(resource)), owner=owner)
    return controlled(asked, about)


@pytest.mark.parametrize(
    ("who", "copies"),
    [
        ("slipway-prod-releaser", True),
        ("slipway-prod-verifier", False),
        ("slipway-prod-serving-deployer", False),
        ("Administrator", False),
    ],
)
def test_only_the_releaser_registers_and_only_copies(
    copying: Cloud, simulator: Simulator, about: Perimeter, who: str, *, copies: bool
) -> None:
    admin = Role(who, f"arn:aws:iam::{PROD}:role/{who}", {}, tuple(ADMINISTRATOR.values()))
    role = admin if who == "Administrator" else copying.role(who)

    asked = [
        question(copying, about, role, "sagemaker:CreateModelPackage", COPY, context=context)
        for context in ({**OF, **APPROVED}, APPROVED)
    ]

    assert simulator.may(asked) == [copies, False]


def test_a_releaser_changes_no_version_and_an_approver_there_rejects_and_approves_none(
    copying: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    releaser, approver = (copying.role(f"slipway-prod-{name}") for name in ("releaser", "approver"))
    update, bo = "sagemaker:UpdateModelPackage", {"aws:PrincipalTag/user": "bo"}
    asked = [
        question(copying, about, releaser, update, COPY, context=APPROVED),
        question(copying, about, releaser, update, VERSION, context=APPROVED),
        question(copying, about, approver, update, COPY, context={**bo, **APPROVED}),
        question(copying, about, approver, update, COPY, context={**bo, **REJECTED}),
    ]

    assert simulator.may(asked) == [False, False, False, True]


READS = [
    ("sagemaker:DescribeModelPackage", VERSION),
    ("s3:GetObject", PACKAGE),
    ("s3:GetObject", RECORD),
    ("ecr:BatchGetImage", IMAGE),
    ("ecr:GetDownloadUrlForLayer", IMAGE),
]


@pytest.mark.parametrize("who", ["releaser", "verifier", "serving-deployer", "flight-delay-endpoint"])
def test_of_other_accounts_only_releasers_read_where_models_are_trained(
    copying: Cloud, simulator: Simulator, about: Perimeter, who: str
) -> None:
    role = copying.role(f"slipway-prod-{who}")

    asked = [question(copying, about, role, action, resource) for action, resource in READS]

    assert simulator.may(asked) == [who == "releaser"] * len(READS)


def test_the_guardrails_know_who_copies_by_name(about: Perimeter) -> None:
    shipped = styled("version")

    assert json.dumps(about.copiers) == json.dumps(
        [f"arn:aws:iam::{PROD}:role/slipway-prod-releaser", "arn:aws:iam::222222222222:role/slipway-staging-releaser"]
    )
    assert Perimeter.of(shipped.platform, shipped.environments).copiers == ()
