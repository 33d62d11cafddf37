"""Nobody climbs: no way leads from people to more than their own rights, but those named here, each with its reason."""

from __future__ import annotations

from dataclasses import replace
from fnmatch import fnmatchcase

import pytest
from escalation import ACCEPTED, PASS, USE, WRITE, Search, climbs, people
from iam_deployed import ADMINISTRATOR, Cloud, Role, with_policy
from iam_simulator import Simulator
from limits import administrators, beyond, out


@pytest.fixture(scope="module")
def search(cloud: Cloud, simulator: Simulator) -> Search:
    return Search(cloud, simulator)


def test_nobody_climbs(search: Search) -> None:
    assert list(climbs(search)) == []


def test_every_exception_is_needed(search: Search, cloud: Cloud) -> None:
    """One that stands for nothing any more would hide what comes later."""
    had = {(start.name, cloud.roles[end].name) for start in people(cloud) for end in search.reached(start)}

    for who, whom in ACCEPTED:
        assert any(fnmatchcase(start, who) and fnmatchcase(end, whom) for start, end in had), (who, whom)


def test_who_only_reads_asks_or_approves_reaches_nothing(search: Search, cloud: Cloud) -> None:
    for name in ("data-scientist", "approver", "auditor"):
        assert search.reached(cloud.role(f"slipway-dev-{name}")) == {}
    assert search.reached(cloud.role("slipway-prod-flight-delay-consumer")) == {}


def test_roles_of_one_account_reach_others_only_to_release(search: Search, cloud: Cloud) -> None:
    across = {
        (role.name, cloud.roles[step.end].name)
        for role in cloud.roles.values()
        for step in search.steps(role)
        if cloud.roles[step.end].account != role.account
    }
    assert across == {("slipway-dev-release-builder", f"slipway-{where}-releaser") for where in ("staging", "prod")}


def test_every_way_is_found_by_who_may_everything(studio_cloud: Cloud, simulator: Simulator) -> None:
    """A way that not even an administrator is found to have would never be found at all."""
    cloud = studio_cloud
    start = replace(cloud.role("slipway-dev-auditor"), boundary=None, policies=tuple(ADMINISTRATOR.values()))
    services = {service: _trusted_by(service, start) for service in PASS}
    with_services = {**cloud.roles, **{role.arn: role for role in services.values()}}
    search = Search(cloud, simulator)
    search.cloud.roles = with_services
    try:
        found = {step.how for step in search._from(start, list(with_services.values()))}
    finally:
        search.cloud.roles = {arn: role for arn, role in with_services.items() if role not in services.values()}

    assert {f"passes it: {how}" for ways in PASS.values() for how in ways} <= found
    assert set(WRITE) <= found
    assert {action for _, actions in USE.values() for action in actions} <= {how.split(" ")[0] for how in found}
    assert "takes it on" in found


def _trusted_by(service: str, like: Role) -> Role:
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": service}}]}
    name = f"of-{service.split('.', maxsplit=1)[0]}"
    return Role(name, f"arn:aws:iam::{like.account}:role/{name}", {"Version": "2012-10-17", **trust})


@pytest.mark.parametrize(
    ("action", "resource", "how"),
    [
        ("sagemaker:UpdatePipeline", "arn:aws:sagemaker:eu-west-1:{account}:pipeline/*", "sagemaker:UpdatePipeline"),
        ("codebuild:StartBuild", "*", "codebuild:StartBuild"),
        ("sts:AssumeRole", "*", "takes it on"),
    ],
)
def test_a_seeded_way_is_found(cloud: Cloud, simulator: Simulator, action: str, resource: str, how: str) -> None:
    scientist = cloud.role("slipway-dev-data-scientist")
    stronger = with_policy(
        scientist, {"Effect": "Allow", "Action": action, "Resource": resource.format(account=scientist.account)}
    )

    ways = Search(cloud, simulator).steps(stronger)

    assert any(step.how.startswith(how) for step in ways)


def test_the_boundary_holds_what_a_policy_lets_go(cloud: Cloud, simulator: Simulator) -> None:
    scientist = cloud.role("slipway-dev-data-scientist")
    writes = {"Effect": "Allow", "Action": ["iam:AttachRolePolicy", "lambda:UpdateFunctionCode"], "Resource": "*"}
    inside = with_policy(scientist, writes)

    assert Search(cloud, simulator).steps(inside) == []
    assert Search(cloud, simulator).steps(replace(inside, boundary=None)) != []


def test_every_boundary_holds_an_administrator(cloud: Cloud, simulator: Simulator) -> None:
    assert list(beyond(cloud, simulator)) == []
    unlimited = [replace(role, boundary=None) for role in administrators(cloud)]
    assert all(all(simulator.may(out(role))) for role in unlimited)
