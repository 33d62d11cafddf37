"""Who becomes a role of the delivery from GitHub: jobs of one repository, one branch, one environment; nobody else."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from conftest import synthesize
from github_world import ACCOUNT, NAMED, github_config
from iam_deployed import Cloud, Role
from iam_simulator import Question, Simulator

from stacks.config import load

ISSUER = "token.actions.githubusercontent.com"
PROVIDER = f"arn:aws:iam::{ACCOUNT}:oidc-provider/{ISSUER}"
JOBS = ("dev", "staging", "prod", "prod-changes")
DELIVERS = ("deploy", "file-publishing", "lookup")
ELSEWHERE = "cognito-identity.amazonaws.com"
"""AWS's table, which the simulator goes by, gives `aud` and `sub`, which each provider has, for some of them only."""


@pytest.fixture(scope="module")
def delivered(tmp_path_factory: pytest.TempPathFactory) -> Cloud:
    return Cloud(synthesize(tmp_path_factory.mktemp("github") / "cdk.out", config=github_config()).folder)


def token(environment: str, **claims: str) -> dict[str, str]:
    """What GitHub tells of a job bound to an environment of the repository."""
    told = {"aud": "sts.amazonaws.com", "ref": "refs/heads/main", "sub": f"{NAMED}:environment:{environment}"}
    return {f"{ISSUER}:{claim}": value for claim, value in {**told, **claims}.items()}


def shown(role: Role, context: dict[str, str], provider: str = PROVIDER) -> Question:
    """A job shows its token and asks to become the role; it has no policies yet, nor a boundary."""
    told, trust, job = spelled(context), spelled(role.trust), replace(role, policies=(), boundary=None)
    return Question(job, "sts:AssumeRoleWithWebIdentity", role.arn, told, trust, owner=ACCOUNT, principal=provider)


def spelled(value: Any) -> Any:
    """Keys that the simulator's table lacks by those of a provider that it has: in question and trust alike."""
    text = json.dumps(value)
    for claim in ("aud", "sub"):
        text = text.replace(f'"{ISSUER}:{claim}"', f'"{ELSEWHERE}:{claim}"')
    return json.loads(text)


@pytest.mark.parametrize("name", JOBS)
def test_a_job_becomes_the_role_of_its_own_environment_only(delivered: Cloud, simulator: Simulator, name: str) -> None:
    role = delivered.role(f"slipway-github-{name}")

    assert simulator.may([shown(role, token(job)) for job in JOBS]) == [job == name for job in JOBS]


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "repo:example-org@123456/other@999999:environment:prod"},
        {"sub": "repo:stranger@777777/slipway@888888:environment:prod"},
        {"sub": "repo:example-org@777777/slipway@888888:environment:prod"},
        {"sub": "repo:example-org/slipway:environment:prod"},
        {"sub": f"{NAMED}:pull_request"},
        {"sub": f"{NAMED}:ref:refs/heads/main"},
        {"sub": f"{NAMED}:environment:Prod"},
        {"sub": f"{NAMED}:environment:prod-2"},
        {"ref": "refs/heads/other"},
        {"ref": "refs/pull/7/merge"},
        {"ref": "refs/tags/main"},
        {"aud": "https://github.com/example-org"},
    ],
    ids=lambda claims: " ".join(f"{claim}={value}" for claim, value in claims.items()),
)
def test_whoever_else_comes_is_refused(delivered: Cloud, simulator: Simulator, claims: dict[str, str]) -> None:
    role = delivered.role("slipway-github-prod")

    assert simulator.may([shown(role, token("prod", **claims)), shown(role, token("prod"))]) == [False, True]


@pytest.mark.parametrize("claim", ["aud", "ref", "sub"])
def test_a_token_that_does_not_say_it_is_refused(delivered: Cloud, simulator: Simulator, claim: str) -> None:
    lacking = {key: value for key, value in token("prod").items() if key != f"{ISSUER}:{claim}"}

    assert simulator.may([shown(delivered.role("slipway-github-prod"), lacking)]) == [False]


def test_another_provider_and_a_role_of_the_account_are_refused(delivered: Cloud, simulator: Simulator) -> None:
    role = delivered.role("slipway-github-prod")
    other = f"arn:aws:iam::{ACCOUNT}:oidc-provider/gitlab.example.com"
    named = replace(shown(role, {}), action="sts:AssumeRole", principal=f"arn:aws:iam::{ACCOUNT}:role/somebody")

    assert simulator.may([shown(role, token("prod"), other), named]) == [False, False]


def test_a_trust_by_pattern_would_be_found(delivered: Cloud, simulator: Simulator) -> None:
    """The same questions, to a trust as it is often written."""
    role = delivered.role("slipway-github-prod")
    (statement,) = role.trust["Statement"]
    loose = {"StringLike": {f"{ISSUER}:sub": f"{NAMED}:*"}}
    opened = replace(role, trust={"Version": "2012-10-17", "Statement": [{**statement, "Condition": loose}]})

    tried = [token("prod", sub=f"{NAMED}:pull_request"), token("dev"), token("prod", ref="refs/heads/other")]
    assert simulator.may([shown(opened, context) for context in tried]) == [True, True, True]


@pytest.mark.parametrize("name", JOBS)
def test_a_role_goes_on_to_its_own_environment_only(delivered: Cloud, simulator: Simulator, name: str) -> None:
    """By its own policy, its boundary and the trust of the bootstrap's roles, which name the delivery account."""
    role = delivered.role(f"slipway-github-{name}")
    kinds = DELIVERS if name in {"dev", "staging", "prod"} else ("lookup",)
    asked, wanted = [], []
    for environment in load().environments:
        for kind in (*DELIVERS, "image-publishing", "cfn-exec"):
            place = f"{environment.account}-{environment.region}"
            arn = f"arn:aws:iam::{environment.account}:role/cdk-hnb659fds-{kind}-role-{place}"
            asked.append(Question(role, "sts:AssumeRole", arn, {}, lets(ACCOUNT), owner=environment.account))
            wanted.append(name.removesuffix("-changes") == environment.name and kind in kinds)

    assert simulator.may(asked) == wanted
    assert wanted.count(True) == len(kinds)


@pytest.mark.parametrize("name", JOBS)
@pytest.mark.parametrize("action", ["iam:CreateRole", "s3:GetObject", "cloudformation:UpdateStack", "sts:AssumeRole"])
def test_a_role_may_nothing_in_the_delivery_account(
    delivered: Cloud, simulator: Simulator, name: str, action: str
) -> None:
    role = delivered.role(f"slipway-github-{name}")
    resource = {
        "s3:GetObject": "arn:aws:s3:::bucket/key",
        "cloudformation:UpdateStack": f"arn:aws:cloudformation:eu-west-1:{ACCOUNT}:stack/slipway-GitHub/1",
    }.get(action, f"arn:aws:iam::{ACCOUNT}:role/cdk-hnb659fds-deploy-role-{ACCOUNT}-eu-west-1")

    assert simulator.may([Question(role, action, resource)]) == [False]


def lets(account: str) -> dict[str, Any]:
    """The trust that `cdk bootstrap --trust` writes."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": principal}],
    }


def test_the_trust_is_as_deployed(delivered: Cloud) -> None:
    """Roles for the simulator come from the app's own assembly, with their boundaries."""
    found = [role for role in delivered.roles.values() if role.stack == "slipway-GitHub"]

    assert {role.name for role in found} == {f"slipway-github-{name}" for name in JOBS}
    assert all(role.boundary and role.account == ACCOUNT for role in found)
