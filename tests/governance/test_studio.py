"""Studio opens nothing: people enter what is theirs, notebooks have their own role's rights, and no name is lent."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from escalation import DOMAIN, Search, inside
from iam_deployed import Cloud, Role, with_policy
from iam_simulator import Question, Simulator
from matrix import question, read

Json = dict[str, Any]

AT = "arn:aws:sagemaker:eu-west-1:111111111111"
SCIENTIST, ENGINEER = "slipway-dev-data-scientist", "slipway-dev-ml-engineer"
BO, CY, DI = "slipway-dev-studio.bo", "slipway-dev-studio.cy@example.com", "slipway-dev-approver.di"
OWNED = {"sagemaker:OwnerUserProfileArn": f"{AT}:user-profile/{DOMAIN}/bo", "sagemaker:SpaceSharingType": "Private"}
LISTED = {"sagemaker:InstanceTypes": ["ml.t3.medium", "system"]}
APP, SPACE = f"{AT}:app/{DOMAIN}/bo/JupyterLab/default", f"{AT}:space/{DOMAIN}/bo"


def come(role: Role, action: str, service: str = "sagemaker.amazonaws.com", **context: str) -> Question:
    """A service before the role's trust; the role's own policies are not what the service comes with."""
    keys = {key.replace("_", ":"): value for key, value in context.items()}
    bare = replace(role, policies=(), boundary=None)
    return Question(bare, action, role.arn, keys, role.trust, principal=service, owner=role.account)


def test_every_line_of_the_page_about_studio_holds(studio_cloud: Cloud, simulator: Simulator) -> None:
    page = read()
    cells = list(page.cells(studio=True))
    decided = simulator.may([question(page, studio_cloud, cell) for cell in cells])

    assert [str(cell) for cell, may in zip(cells, decided, strict=True) if may != cell.allowed] == []
    assert sum(cell.allowed for cell in cells) > 20
    assert len(cells) > 400


def test_studio_does_not_move_what_the_page_says_of_dev(studio_cloud: Cloud, simulator: Simulator) -> None:
    """But for entering one's own profile and the grants of its volume, all is as without it."""
    page = read()
    cells = [
        cell
        for cell in page.cells()
        if cell.environment == "dev" and cell.action != "sagemaker:CreatePresignedDomainUrl"
    ]
    decided = simulator.may([question(page, studio_cloud, cell) for cell in cells])

    assert [str(cell) for cell, may in zip(cells, decided, strict=True) if may != cell.allowed] == []


def test_people_run_applications_in_their_own_space_only(studio_cloud: Cloud, simulator: Simulator) -> None:
    bo = inside(studio_cloud.role(BO), "bo")
    asked = Question(bo, "sagemaker:CreateApp", APP, {"aws:RequestedRegion": "eu-west-1", **OWNED, **LISTED})
    foreign = {**OWNED, "sagemaker:OwnerUserProfileArn": f"{AT}:user-profile/{DOMAIN}/cy-example-com"}
    variants = [
        asked,
        replace(asked, action="sagemaker:DeleteApp", context={"aws:RequestedRegion": "eu-west-1", **OWNED}),
        replace(asked, context={**asked.context, **foreign}),
        replace(asked, context={**asked.context, "sagemaker:SpaceSharingType": "Shared"}),
        replace(asked, context={**asked.context, "sagemaker:InstanceTypes": ["ml.p5.48xlarge"]}),
        replace(asked, resource=APP.replace(DOMAIN, "d-ffffffffffff")),
        replace(asked, role=studio_cloud.role(BO)),
    ]

    assert simulator.may(variants) == [True, True, False, False, False, False, False]


def test_a_space_is_changed_by_its_owner_and_lets_no_machine_in(studio_cloud: Cloud, simulator: Simulator) -> None:
    bo = inside(studio_cloud.role(BO), "bo")
    asked = Question(bo, "sagemaker:UpdateSpace", SPACE, {"aws:RequestedRegion": "eu-west-1", **OWNED, **LISTED})
    variants = [
        asked,
        replace(asked, context={**asked.context, "sagemaker:RemoteAccess": "ENABLED"}),
        replace(asked, role=inside(studio_cloud.role(CY), "cy-example-com")),
        replace(asked, action="sagemaker:StartSession", context={"aws:RequestedRegion": "eu-west-1"}),
    ]

    assert simulator.may(variants) == [True, False, False, False]


def test_only_applications_that_start_are_tagged(studio_cloud: Cloud, simulator: Simulator) -> None:
    """Tags say whose a profile is: who could write them could enter any of one's persona."""
    bo, starting = inside(studio_cloud.role(BO), "bo"), {"sagemaker:TaggingAction": "CreateApp"}
    here = {"aws:RequestedRegion": "eu-west-1"}
    asked = Question(bo, "sagemaker:AddTags", APP, {**here, **starting})
    profile = f"{AT}:user-profile/{DOMAIN}/bo"

    assert simulator.may([asked, replace(asked, resource=profile), replace(asked, context=here)]) == [
        True,
        False,
        False,
    ]


def test_studio_takes_on_the_roles_of_its_people_and_brings_their_names(
    studio_cloud: Cloud, simulator: Simulator
) -> None:
    for name, profile, other in ((BO, "bo", "di"), (CY, "cy-example-com", "bo"), (DI, "di", "bo")):
        role = studio_cloud.role(name)
        ours = {"aws_SourceAccount": role.account}
        asked = [
            come(role, "sts:AssumeRole", **ours),
            come(role, "sts:AssumeRole", aws_SourceAccount="999999999999"),
            come(role, "sts:AssumeRole", "lambda.amazonaws.com", **ours),
            come(role, "sts:SetSourceIdentity", sts_SourceIdentity=profile, **ours),
            come(role, "sts:SetSourceIdentity", sts_SourceIdentity=other, **ours),
            come(role, "sts:TagSession", **ours),
        ]
        assert simulator.may(asked) == [True, False, False, True, False, False], name


def test_nobody_else_takes_on_what_is_one_persons(studio_cloud: Cloud, simulator: Simulator) -> None:
    """Not with every right, not from the same account, not under the person's own name."""
    administrator = studio_cloud.role("cdk-hnb659fds-cfn-exec-role-111111111111-eu-west-1")
    for name, user in ((BO, "bo"), (DI, "di")):
        role, named = studio_cloud.role(name), {"aws:PrincipalTag/user": user, "sts:RoleSessionName": user}
        asked = Question(administrator, "sts:AssumeRole", role.arn, named, role.trust, owner=role.account)
        assert simulator.may([asked]) == [False], name


def test_a_role_of_studio_says_by_its_tag_whose_it_is(studio_cloud: Cloud) -> None:
    taken = [role for role in studio_cloud.roles.values() if "sagemaker.amazonaws.com" in json.dumps(role.trust)]
    peoples = [role for role in taken if role.stack.endswith("-Personas")]
    (nobodys,) = (role for role in taken if role.stack.endswith("-Studio"))

    assert {role.name: (role.tags["user"], role.tags["persona"]) for role in peoples} == {
        BO: ("bo", "data_scientist"),
        CY: ("cy@example.com", "ml_engineer"),
        DI: ("di", "approver"),
    }
    assert nobodys.policies == ()


def test_without_studio_no_role_of_people_is_taken_on_by_a_service(cloud: Cloud) -> None:
    people = [role for role in cloud.roles.values() if role.stack.endswith("-Personas")]

    assert people
    assert [role.name for role in people if "Service" in json.dumps(role.trust)] == []


def test_nobody_climbs_by_studio(studio_cloud: Cloud, simulator: Simulator) -> None:
    """One's own profile is had, of the same persona; nobody else's, and no role that Studio takes on is passed."""
    search = Search(studio_cloud, simulator)

    def reached(name: str) -> set[str]:
        return {studio_cloud.roles[arn].name for arn in search.reached(studio_cloud.role(name))}

    released = {f"slipway-dev-{name}" for name in ("releaser", "serving-deployer", "flight-delay-endpoint")}
    assert (reached(SCIENTIST), reached("slipway-dev-approver")) == ({BO}, {DI})
    assert reached(ENGINEER) == {CY, *released}
    assert (reached(BO), reached(CY), reached(DI)) == (set(), set(), set())


@pytest.mark.parametrize(
    "weakness",
    [
        {"Action": "sagemaker:CreatePresignedDomainUrl", "Resource": f"{AT}:user-profile/*"},
        {
            "Action": ["iam:PassRole", "sagemaker:CreateUserProfile", "sagemaker:CreatePresignedDomainUrl"],
            "Resource": "*",
        },
    ],
    ids=["opens any profile", "makes profiles"],
)
def test_a_way_by_studio_would_be_found(studio_cloud: Cloud, simulator: Simulator, weakness: Json) -> None:
    stronger = with_policy(studio_cloud.role(SCIENTIST), {"Effect": "Allow", **weakness})
    engineer = studio_cloud.role(CY).arn

    assert engineer in {step.end for step in Search(studio_cloud, simulator).steps(stronger)}


def test_the_boundary_keeps_studio_to_its_people(studio_cloud: Cloud, simulator: Simulator) -> None:
    """A role of the platform that is nobody's who works there opens no profile, whatever its own policy says."""
    opens = {"Effect": "Allow", "Action": "sagemaker:CreatePresignedDomainUrl", "Resource": "*"}
    asked = [
        Question(
            with_policy(role, opens),
            "sagemaker:CreatePresignedDomainUrl",
            f"{AT}:user-profile/{DOMAIN}/bo",
            {"aws:PrincipalArn": role.arn, "aws:RequestedRegion": "eu-west-1"},
        )
        for role in map(studio_cloud.role, ("slipway-dev-releaser", "slipway-dev-auditor", SCIENTIST, BO, DI))
    ]

    assert simulator.may(asked) == [False, False, True, True, True]


def test_the_organizations_policies_let_the_domain_be_made(studio_cloud: Cloud) -> None:
    (domain,) = studio_cloud.of_kind("AWS::SageMaker::Domain")

    assert domain.properties["AppNetworkAccessType"] == "VpcOnly"
    assert domain.properties["KmsKeyId"]
    assert domain.properties["SubnetIds"]
