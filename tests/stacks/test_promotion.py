"""The styles of promotion: what must agree in the configuration, and what each makes of the rooms."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from conftest import Assembly, synthesize
from promotion_world import MODEL, styled

from commands.choice import UsageError
from commands.rehearse import rehearsal_plan
from commands.releases import release_place
from stacks.config import ConfigError, load
from stacks.names import Names
from stacks.promotion_settings import style_of

SERVES = {"Budgets", "Governance", "Network", "Notices", "Data", "Releases", "ServingFlightDelay", "Personas"}
TRAINS = {"Image", "Triggers", "RegistryFlightDelay", "TrainingFlightDelay", "Delivery"}


def said(environments: Path, old: str, new: str) -> list[str]:
    """Mistakes when platform.toml says something else."""
    file = environments / "platform.toml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    try:
        load(environments)
    except ConfigError as error:
        return error.mistakes
    return []


REGISTRY = 'registry = "dev"'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f'{REGISTRY}\npromote = "version"', ""),
        (f'{REGISTRY}\npromote = "copy"', ""),
        (f'{REGISTRY}\npromote = "code"', "promote = 'code': each environment trains for itself, but registry = 'dev'"),
        (f'{REGISTRY}\npromote = "move"', "promote = 'move': input should be 'version', 'copy' or 'code'"),
        ('promote = "version"', "promote = 'version': goes with `registry`, which is missing; name the environment"),
        ('promote = "copy"', "promote = 'copy': goes with `registry`, which is missing; name the environment that"),
    ],
)
def test_what_contradicts_itself_is_told_with_the_fix(environments: Path, text: str, told: str) -> None:
    found = [mistake for mistake in said(environments, REGISTRY, text) if "promote" in mistake]

    assert [told in mistake for mistake in found] == ([True] if told else [])


def test_ready_images_are_not_copied(environments: Path) -> None:
    dev, ready = environments / "dev.toml", "111111111111.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1"
    uris = f'image_uri = "{ready}"\nserve_image_uri = "{ready}-serve"\n'
    dev.write_text(dev.read_text().replace("[image]\n", f"[image]\n{uris}"))

    (found,) = said(environments, REGISTRY, f'{REGISTRY}\npromote = "copy"')

    assert "dev.toml: image.serve_image_uri = " in found
    assert 'remove the ready ones, or say promote = "version"' in found


def test_without_staging_and_production_there_is_nothing_to_rehearse(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("choice", "rehearse", "releases"):
        monkeypatch.setattr(f"commands.{module}.load", lambda: styled("code"))

    with pytest.raises(UsageError, match="no environment of stage Production takes versions of staging"):
        rehearsal_plan("staging", MODEL)


def test_left_out_it_follows_from_the_registry() -> None:
    platform = load().platform

    assert (platform.promote, style_of(platform)) == (None, "version")
    assert style_of(platform.model_copy(update={"registry": None})) == "code"


def rooms(assembly: Assembly, environment: str) -> dict[str, dict[str, Any]]:
    prefix = f"slipway{environment}"
    return {name.removeprefix(prefix)[:-8]: t for name, t in assembly.templates.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("code") / "cdk.out", config=styled("code"))


@pytest.mark.parametrize("name", ["dev", "staging", "prod"])
def test_with_code_each_environment_is_a_platform_of_its_own(
    code: Assembly, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = styled("code")
    names = Names.of(config.platform, config.environment(name))
    others = [each.account for each in config.environments if each.name != name]
    made = rooms(code, name)
    (approvals,) = (
        one["Properties"]["Environment"]["Variables"]["SLIPWAY_SETTINGS"]
        for one in made["Delivery"]["Resources"].values()
        if one["Type"] == "AWS::Lambda::Function"
    )

    monkeypatch.setattr("commands.releases.load", lambda: config)
    place = release_place(config.environment(name), MODEL)

    assert set(made) == SERVES | TRAINS
    assert [account for account in others if account in json.dumps(made)] == []
    assert json.loads(approvals)["targets"] == [{"environment": name, "stage": config.environment(name).stage}]
    assert (place.group, place.champion.bucket, place.crowns) == (names.group_arn(MODEL), names.runs_bucket, True)


def test_the_reader_of_the_configuration_knows_who_crowns() -> None:
    crowns = {
        style: [each.name for each in styled(style).environments if styled(style).crowns(each)]
        for style in ("version", "copy", "code")
    }

    assert crowns == {"version": ["prod"], "copy": ["prod"], "code": ["dev", "prod", "staging"]}


COPIES = {"Copies", "RegistryFlightDelay"}
TRAINER = re.compile(r"111111111111|slipway-dev")
ROLE = re.compile(r"arn:aws:iam::(?:222222222222|333333333333):role/([A-Za-z0-9-]+)")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Assembly:
    return synthesize(tmp_path_factory.mktemp("copy") / "cdk.out", config=styled("copy"))


def test_with_copies_an_environment_has_a_registry_and_nothing_that_trains(copy: Assembly) -> None:
    assert set(rooms(copy, "dev")) == SERVES | TRAINS
    for name in ("staging", "prod"):
        made = rooms(copy, name)
        kept = {
            resource["Properties"].get("BucketName", "").split("-")[2]
            for resource in made["Data"]["Resources"].values()
            if resource["Type"] == "AWS::S3::Bucket" and "BucketName" in resource["Properties"]
        }
        assert set(made) == SERVES | COPIES
        assert kept == {"data", "provenance", "runs"}


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_nothing_there_speaks_of_where_models_are_trained_but_the_releaser(copy: Assembly, name: str) -> None:
    """Its trust names the build of the release pipeline, its policy what it copies, and where the champion lies."""
    speaks = {
        f"{room}/{logical}"
        for room, template in rooms(copy, name).items()
        for logical, resource in template["Resources"].items()
        if TRAINER.search(json.dumps(resource))
    }

    assert {one.split("/")[1][:-8] for one in speaks} == {"Releaser", "ReleaserDefaultPolicy"}
    assert {one.split("/")[0] for one in speaks} == {"Releases"}


def test_where_models_are_trained_only_releasers_are_let_in(copy: Assembly, assembly: Assembly) -> None:
    def let_in(made: Assembly) -> set[str]:
        return set(ROLE.findall(json.dumps(rooms(made, "dev"))))

    assert let_in(copy) == {"slipway-staging-releaser", "slipway-prod-releaser"}
    assert let_in(assembly) > let_in(copy)


@pytest.mark.parametrize("name", ["staging", "prod"])
def test_only_the_releaser_writes_where_copies_lie_and_nobody_deletes(copy: Assembly, name: str) -> None:
    names = Names.of(styled("copy").platform, styled("copy").environment(name))
    policies = {
        logical[:-14]: {s["Sid"]: s for s in resource["Properties"]["PolicyDocument"]["Statement"] if "Sid" in s}
        for logical, resource in rooms(copy, name)["Data"]["Resources"].items()
        if resource["Type"] == "AWS::S3::BucketPolicy"
    }

    for bucket in ("Runs", "Provenance"):
        written = policies[bucket]["OnlyTheReleaserWrites"]
        assert written["Condition"] == {"ArnNotLike": {"aws:PrincipalArn": names.role_arn(names.releaser)}}
        assert (written["Effect"], policies[bucket]["NobodyDeletes"]["Effect"]) == ("Deny", "Deny")


def test_a_release_knows_what_it_copies_from_where_to_where(monkeypatch: pytest.MonkeyPatch) -> None:
    config = styled("copy")
    monkeypatch.setattr("commands.releases.load", lambda: config)
    dev, prod = (Names.of(config.platform, config.environment(name)) for name in ("dev", "prod"))

    trains, serves = (release_place(config.environment(name), MODEL) for name in ("dev", "prod"))

    assert trains.copying is None
    assert (serves.group, serves.records) == (prod.group_arn(MODEL), prod.provenance_bucket)
    assert (serves.copying.group, serves.copying.records) == (dev.group_arn(MODEL), dev.provenance_bucket)
    assert serves.copying.images == f"{prod.account}.dkr.ecr.eu-west-1.amazonaws.com/slipway-prod-job"
    assert (serves.champion.bucket, serves.crowns) == (dev.runs_bucket, True)
