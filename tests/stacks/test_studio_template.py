"""Studio's template: closed, encrypted, cheap by default; and what `slipway check` says of settings that cannot be."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Assembly
from pydantic import ValidationError
from studio_world import USERS, studio_config, with_studio

from stacks.config import ConfigError, load
from stacks.studio_settings import MOST_USERS
from stacks.tenants import tenants_of

Json = dict[str, Any]
ROOM = "slipway-dev-Studio"

SECTION = """
[studio]
instance_types = ["ml.t3.medium", "ml.m5.large"]
users = [{ name = "bo", persona = "data_scientist" }, { name = "cy", persona = "ml_engineer" }]
"""


@pytest.fixture(scope="module")
def template(studio_assembly: Assembly) -> Json:
    (found,) = (one for name, one in studio_assembly.templates.items() if name.startswith("slipwaydevStudio"))
    return found


def of_kind(template: Json, kind: str) -> dict[str, Json]:
    return {name: one for name, one in template["Resources"].items() if one["Type"] == f"AWS::SageMaker::{kind}"}


@pytest.fixture(scope="module")
def domain(template: Json) -> Json:
    (found,) = of_kind(template, "Domain").values()
    properties: Json = found["Properties"]
    return properties


def test_an_environment_without_the_section_has_none(assembly: Assembly) -> None:
    assert assembly.resources("AWS::SageMaker::Domain") == []
    assert [name for name in assembly.templates if "Studio" in name] == []


def test_the_domain_is_closed_and_encrypted(domain: Json) -> None:
    assert (domain["AppNetworkAccessType"], domain["AuthMode"]) == ("VpcOnly", "IAM")
    assert domain["HomeEfsFileSystemCreation"] == "Disabled"
    assert "KeyArn" in str(domain["KmsKeyId"]) or "Key961" in str(domain["KmsKeyId"])
    assert domain["DomainSettings"]["DockerSettings"] == {"EnableDockerAccess": "DISABLED"}
    assert domain["DomainSettings"]["ExecutionRoleIdentityConfig"] == "USER_PROFILE_NAME"
    settings = domain["DefaultUserSettings"]
    assert settings["SharingSettings"] == {"NotebookOutputOption": "Disabled"}
    assert settings["RStudioServerProAppSettings"] == {"AccessStatus": "DISABLED"}
    assert "Canvas" in settings["StudioWebPortalSettings"]["HiddenAppTypes"]
    assert len(domain["SubnetIds"]) == 2


@pytest.mark.parametrize("kind", ["JupyterLabAppSettings", "CodeEditorAppSettings"])
def test_what_nobody_works_with_is_shut_down(domain: Json, kind: str) -> None:
    idle = domain["DefaultUserSettings"][kind]["AppLifecycleManagement"]["IdleSettings"]

    assert idle["LifecycleManagement"] == "ENABLED"
    assert (idle["MinIdleTimeoutInMinutes"], idle["IdleTimeoutInMinutes"], idle["MaxIdleTimeoutInMinutes"]) == (
        60,
        60,
        480,
    )


def test_each_person_has_a_profile_of_their_persona_and_a_space_of_their_own(template: Json) -> None:
    profiles, spaces = of_kind(template, "UserProfile"), of_kind(template, "Space")

    for user in USERS:
        (name,) = (
            n for n, one in profiles.items() if {"Key": "user", "Value": user["name"]} in one["Properties"]["Tags"]
        )
        profile = profiles[name]["Properties"]
        kind = "approver" if user["persona"] == "approver" else "studio"
        assert profile["UserSettings"]["ExecutionRole"].endswith(f":role/slipway-dev-{kind}.{user['name']}")
        (space,) = (one for one in spaces.values() if one["DependsOn"] == [name])
        owner = space["Properties"]["OwnershipSettings"]["OwnerUserProfileName"]
        assert owner == profile["UserProfileName"]
        assert space["Properties"]["SpaceSharingSettings"] == {"SharingType": "Private"}
    assert len(profiles) == len(spaces) == len(USERS)


def test_studios_group_lets_nobody_in(template: Json) -> None:
    (group,) = (one["Properties"] for one in template["Resources"].values() if one["Type"] == "AWS::EC2::SecurityGroup")

    assert "SecurityGroupIngress" not in group
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]


def test_as_many_people_as_may_be_fit(tmp_path: Path) -> None:
    """By CloudFormation's and Lambda's limits, of the persona that may most and with names as long as may be."""
    users = [{"name": f"{n:02}{'x' * 43}", "persona": "ml_engineer"} for n in range(MOST_USERS)]
    with_studio(tmp_path / "cdk.out", config=studio_config({"users": users}))
    sizes = {file.name[:17]: file.stat().st_size for file in tmp_path.rglob("slipwaydev*.template.json")}
    (triggers,) = (json.loads(file.read_text()) for file in tmp_path.rglob("slipwaydevTriggers*.template.json"))
    functions = [one["Properties"] for one in triggers["Resources"].values() if one["Type"] == "AWS::Lambda::Function"]

    assert max(sizes.values()) == sizes["slipwaydevPersona"] < 0.6 * 2**20
    assert all(len(json.dumps(each.get("Environment", {}))) < 4096 for each in functions)
    with pytest.raises(ValidationError, match=f"at most {MOST_USERS} items"):
        studio_config({"users": [*users, USERS[0]]})


def mistakes_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return caught.value.mistakes


def write(environments: Path, section: str, *changes: tuple[str, str]) -> None:
    file = environments / "dev.toml"
    text = file.read_text() + section
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    file.write_text(text)


def test_a_section_that_is_right_is_read(environments: Path) -> None:
    write(environments, SECTION)

    studio = load(environments).environment("dev").studio

    assert studio is not None
    assert studio.personas == ("data_scientist", "ml_engineer")
    assert [studio.instance_type(user) for user in studio.users] == ["ml.t3.medium", "ml.t3.medium"]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (
            'ml_engineer = { permission_sets = ["MLEngineers"] }\n',
            "",
            "cy is a ml_engineer, which nobody may take on here",
        ),
        ('name = "cy"', 'name = "Bo"', "users names Bo and bo, whose profile is the same"),
        ('persona = "ml_engineer"', 'persona = "auditor"', "should be 'approver', 'data_scientist' or 'ml_engineer'"),
        ('name = "cy"', 'name = "x-Approver.cy"', "no name may hold '-approver.', by which approvers' roles are known"),
        (
            'name = "cy"',
            f'name = "cy@{"x" * 43}"',
            "xx has a role in Studio by the name slipway-dev-studio.cy@xxx",
        ),
        (
            '"ml.m5.large"]\nusers',
            '"ml.p5.48xlarge"]\nusers',
            "studio.instance_types = 'ml.p5.48xlarge': not in instance_types",
        ),
        (
            'persona = "ml_engineer"',
            'persona = "ml_engineer", instance_type = "ml.c5.large"',
            "cy starts with ml.c5.large, which is not in instance_types",
        ),
        ("[studio]\n", "[studio]\nidle_minutes = 600\n", "longest_idle_minutes = 480 is below idle_minutes = 600"),
        ("[studio]\n", "[studio]\nidle_minutes = 5\n", "greater than or equal to 60"),
        ('users = [{ name = "bo",', 'user = [{ name = "bo",', "did you mean users?"),
        ('cidr = "10.10.0.0/16"\n', "", "give either cidr (a new VPC) or vpc_id with subnet_ids"),
        (
            '[network]\ncidr = "10.10.0.0/16"',
            '[nothing]\ncidr = "10.10.0.0/16"',
            "network: missing; add it (where jobs run)",
        ),
    ],
)
def test_a_mistake_is_named_before_synth(environments: Path, old: str, new: str, expected: str) -> None:
    write(environments, SECTION, (old, new))

    found = mistakes_of(environments)

    assert any(expected in one for one in found), found
    assert all(one.startswith("environments/dev.toml: ") for one in found)


def test_nobody_in_studio_is_no_studio(environments: Path) -> None:
    write(environments, "\n[studio]\nusers = []\n")

    (found,) = mistakes_of(environments)

    assert "studio.users" in found
    assert "who works in Studio" in found


def test_tenants_follow_the_people(environments: Path) -> None:
    alone = studio_config({"users": [USERS[0]]}).environment("dev")

    assert [tenant.name for tenant in tenants_of(alone)] == ["jobs", "endpoints", "studio", "studio's data_scientist"]
    assert [tenant.name for tenant in tenants_of(load(environments).environment("dev"))] == ["jobs", "endpoints"]
