"""Every mistake in environments/ is reported at once: file, key, value given, values allowed, fix."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from stacks.config import ConfigError, load
from stacks.settings import Environment, TrainingSettings


def mistakes_of(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder)
    return caught.value.mistakes


def replace(file: Path, pattern: str, text: str) -> None:
    changed, count = re.subn(pattern, text, file.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1, f"{pattern} not found in {file.name}"
    file.write_text(changed)


def test_the_shipped_environments_are_valid() -> None:
    config = load()

    assert [e.name for e in config.environments] == ["dev", "prod", "staging"]
    assert len({e.account for e in config.environments}) == 3


def test_settings_are_frozen() -> None:
    environment = load().environments[0]

    with pytest.raises(ValidationError):
        environment.region = "us-east-1"  # type: ignore[misc]


def test_all_mistakes_of_all_files_are_reported_at_once(environments: Path) -> None:
    replace(environments / "dev.toml", r"^account = .*", 'account = "12"')
    replace(environments / "dev.toml", r"^volume_gb = .*", 'volume_gb = "30"')
    replace(environments / "prod.toml", r"^disposable = .*", "disposable = true")
    replace(environments / "platform.toml", r"^name = .*", 'name = "Slip way"')

    found = mistakes_of(environments)

    assert len(found) == 4
    assert any("dev.toml: account = '12'" in m and "12 digits" in m for m in found)
    assert any("dev.toml: training.volume_gb = '30'" in m and "integer" in m for m in found)
    assert any("prod.toml" in m and "contradicts" in m and "remove one" in m for m in found)
    assert any("platform.toml: name = 'Slip way'" in m for m in found)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"^cidr = ", "cdir = ", "did you mean cidr?"),
        (r"^region = .*\n", "", "region: missing; add it"),
        (r"^stage = .*", 'stage = "Prod"', "'Development', 'Staging' or 'Production'"),
        (r"^cidr = .*", 'cidr = "10.0.0.0/8"', "private IPv4 block from /16 to /24"),
        (r"^cidr = .*", 'cidr = "10.0.0.1/16"', "host bits set"),
        (r"^cidr = .*", 'vpc_id = "vpc-0a1b2c3d"', "vpc_id and subnet_ids belong together"),
        (r"^owner = .*", 'owner = "baseline"', "key_arn goes with"),
        (r"^\[training.steps.train\]", "[training.steps.trian]", "no such step: trian; steps are"),
        (r"^instance_type = .*", 'instance_type = "m5.large"', "ml.m5.xlarge"),
        (r"^emails = .*", 'emails = ["me"]', "notices.emails.0 = 'me'"),
        (r"^\[image\]\n.*\n", "", "image: missing; dev trains its models, so add [image]"),
        (r"^disposable = .*", "disposable = true", "serve its versions for good; set disposable = false"),
        (r"^account = ", "account = = ", "not valid TOML"),
    ],
)
def test_a_mistake_names_value_and_fix(environments: Path, pattern: str, text: str, expected: str) -> None:
    replace(environments / "dev.toml", pattern, text)

    found = mistakes_of(environments)

    assert len(found) == 1
    assert found[0].startswith("environments/dev.toml")
    assert expected in found[0]


def test_an_empty_folder_says_what_to_add(tmp_path: Path) -> None:
    found = mistakes_of(tmp_path)

    assert any("platform.toml: file missing" in m for m in found)
    assert any("add one TOML file per environment" in m for m in found)


def test_a_new_environment_is_one_file(environments: Path) -> None:
    (environments / "qa.toml").write_text((environments / "staging.toml").read_text())

    assert [e.name for e in load(environments).environments] == ["dev", "prod", "qa", "staging"]


def test_an_unknown_environment_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="environments are dev, prod, staging"):
        load().environment("live")


def test_a_step_overrides_only_what_it_names() -> None:
    training = TrainingSettings.model_validate({"volume_gb": 50, "steps": {"train": {"instance_type": "ml.c5.xlarge"}}})

    assert training.job("train").instance_type == "ml.c5.xlarge"
    assert training.job("train").volume_gb == 50
    assert training.job("prepare").instance_type == "ml.m5.large"


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
        max_leaves=8,
    ),
    st.sampled_from([*Environment.model_fields]),
)
def test_no_value_ends_in_anything_but_a_validation_error(value: object, key: str) -> None:
    given_table = load().environments[0].model_dump() | {key: value}

    with suppress(ValidationError):
        assert key in Environment.model_validate(given_table).model_dump()


def test_who_trains_nothing_says_nothing_of_training(environments: Path) -> None:
    staging = environments / "staging.toml"
    staging.write_text(staging.read_text() + "\n[training]\n")

    (found,) = mistakes_of(environments)

    assert "training: staging takes its versions from dev and trains none; remove [training]" in found


def test_a_registry_nobody_knows_is_answered_with_the_environments(environments: Path) -> None:
    replace(environments / "platform.toml", r"^registry = .*", 'registry = "tooling"')

    (found,) = mistakes_of(environments)

    assert "registry = 'tooling': no such environment; environments are dev, prod, staging" in found


def test_without_a_registry_of_all_each_environment_must_train(environments: Path) -> None:
    replace(environments / "platform.toml", r"^registry = .*\n", "")

    found = mistakes_of(environments)

    assert len(found) == 6  # image, training and triggers of staging and of prod
    assert all("trains its models, so add [" in mistake for mistake in found)


def test_versions_come_from_the_registry_of_all() -> None:
    config = load()

    assert {e.name: config.registry_of(e).name for e in config.environments} == dict.fromkeys(
        ("dev", "prod", "staging"), "dev"
    )
    assert [e.name for e in config.released_from(config.environment("dev"))] == ["dev", "prod", "staging"]
    assert config.released_from(config.environment("prod")) == []
