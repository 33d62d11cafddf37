"""The organization's policies in the embedded AWS: attached, changed and taken back by CloudFormation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from botocore.exceptions import ClientError
from embedded import Client

from rehearsal.resources import Place, exists
from stacks.config import Config, load
from stacks.guardrails import Guardrails
from stacks.settings import Platform

NAMES = {"slipway-workloads", "slipway-versions", "slipway-accounts", "slipway-resources"}


def template(folder: Path, account: str, *targets: str, instance_types: tuple[str, ...] = ("ml.m5.large",)) -> str:
    config = load()
    table = config.platform.model_dump() | {
        "organization_id": "o-a1b2c3d4e5",
        "instance_types": instance_types,
        "guardrails": {"account": account, "region": "eu-west-1", "targets": list(targets)},
    }
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    changed = Config(platform=Platform.model_validate(table), environments=config.environments)
    Guardrails(app, "slipway-Guardrails", config=changed)
    app.synth()
    return (folder / "slipway-Guardrails.template.json").read_text()


@pytest.fixture
def units(client: Client) -> list[str]:
    """An organization that the test's account manages, with both kinds of policies, and two units."""
    organizations = client("organizations")
    organizations.create_organization(FeatureSet="ALL")
    (root,) = organizations.list_roots()["Roots"]
    if "RESOURCE_CONTROL_POLICY" not in {one["Type"] for one in root["PolicyTypes"]}:
        organizations.enable_policy_type(RootId=root["Id"], PolicyType="RESOURCE_CONTROL_POLICY")
    if "SERVICE_CONTROL_POLICY" not in {one["Type"] for one in root["PolicyTypes"]}:
        organizations.enable_policy_type(RootId=root["Id"], PolicyType="SERVICE_CONTROL_POLICY")
    made = [organizations.create_organizational_unit(ParentId=root["Id"], Name=name) for name in ("one", "two")]
    return [one["OrganizationalUnit"]["Id"] for one in made]


def deploy(client: Client, body: str, verb: str = "create") -> str:
    cloudformation = client("cloudformation")
    getattr(cloudformation, f"{verb}_stack")(StackName="slipway-Guardrails", TemplateBody=body)
    return str(cloudformation.describe_stacks(StackName="slipway-Guardrails")["Stacks"][0]["StackStatus"])


def carried(client: Client, target: str) -> dict[str, str]:
    """What a target carries of ours: names and ids."""
    organizations = client("organizations")
    found = [
        one
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")
        for one in organizations.list_policies_for_target(TargetId=target, Filter=kind)["Policies"]
    ]
    return {one["Name"]: one["Id"] for one in found if not one["AwsManaged"]}


def test_the_policies_are_attached_read_back_and_taken_away(
    client: Client, account: str, units: list[str], tmp_path: Path
) -> None:
    body = template(tmp_path, account, *units)

    assert deploy(client, body) == "CREATE_COMPLETE"

    assert set(carried(client, units[0])) == set(carried(client, units[1])) == NAMES
    declared = {each["Properties"]["Name"]: each for each in json.loads(body)["Resources"].values()}
    place = Place(account, "eu-west-1", client)
    for name, number in carried(client, units[0]).items():
        told = client("organizations").describe_policy(PolicyId=number)["Policy"]["Content"]
        assert json.loads(told) == declared[name]["Properties"]["Content"]
        assert exists(place, declared[name]["Type"], number, declared[name]["Properties"])

    client("cloudformation").delete_stack(StackName="slipway-Guardrails")

    assert carried(client, units[0]) == carried(client, units[1]) == {}
    assert {one["Name"] for one in _all(client)} & NAMES == set()


def _all(client: Client) -> list[dict[str, Any]]:
    return [
        one
        for kind in ("SERVICE_CONTROL_POLICY", "RESOURCE_CONTROL_POLICY")
        for one in client("organizations").list_policies(Filter=kind)["Policies"]
    ]


def test_a_change_of_targets_and_lists_changes_the_same_policies(
    client: Client, account: str, units: list[str], tmp_path: Path
) -> None:
    deploy(client, template(tmp_path / "before", account, units[0]))
    before = carried(client, units[0])

    changed = template(tmp_path / "after", account, units[1], instance_types=("ml.c5.large",))
    assert deploy(client, changed, "update") == "UPDATE_COMPLETE"

    assert carried(client, units[0]) == {}
    assert carried(client, units[1]) == before
    content = client("organizations").describe_policy(PolicyId=before["slipway-workloads"])["Policy"]["Content"]
    assert "ml.c5.large" in content
    assert "ml.m5.large" not in content


def test_a_policy_that_is_not_attached_any_more_is_missed(
    client: Client, account: str, units: list[str], tmp_path: Path
) -> None:
    body = template(tmp_path, account, units[0])
    deploy(client, body)
    number = carried(client, units[0])["slipway-accounts"]
    client("organizations").detach_policy(PolicyId=number, TargetId=units[0])

    declared = next(r for r in json.loads(body)["Resources"].values() if r["Properties"]["Name"] == "slipway-accounts")
    assert not exists(Place(account, "eu-west-1", client), declared["Type"], number, declared["Properties"])


def test_organizations_own_limits_hold(client: Client, units: list[str]) -> None:
    organizations, kind = client("organizations"), "SERVICE_CONTROL_POLICY"

    def made(name: str, content: str = "{}") -> str:
        answer = organizations.create_policy(Name=name, Description="", Type=kind, Content=content)
        return str(answer["Policy"]["PolicySummary"]["Id"])

    with pytest.raises(ClientError, match="exceeded the maximum policy size: 5121 characters, allowed are 5120"):
        made("long", "x" * 5121)
    with pytest.raises(ClientError, match="maximum policy size"):
        organizations.update_policy(PolicyId=made("grows"), Content="x" * 5121)
    there = len(organizations.list_policies_for_target(TargetId=units[0], Filter=kind)["Policies"])
    for number in range(5 - there):
        organizations.attach_policy(PolicyId=made(f"policy-{number}"), TargetId=units[0])
    with pytest.raises(ClientError, match="has 5 policies of type SERVICE_CONTROL_POLICY, allowed are 5"):
        organizations.attach_policy(PolicyId=made("one-too-many"), TargetId=units[0])
