"""What the organization forbids: as a stack of the account that may say so, as files for whoever may, and checked."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from typer.testing import CliRunner

import cli
from commands import guardrails as verbs
from stacks.config import Config, ConfigError, load
from stacks.denials import Perimeter
from stacks.guardrails import Guardrails
from stacks.resource_control import resource_control_policies
from stacks.service_control import service_control_policies
from stacks.settings import Platform

ORGANIZATION = "o-a1b2c3d4e5"
SETTINGS = {"account": "999999999999", "targets": ["ou-ab12-11111111"]}
INLINE = 51_200
"""Bytes of a template that needs no bucket to be read from."""


def told(**changes: Any) -> Config:
    config = load()
    table = {**config.platform.model_dump(), "organization_id": ORGANIZATION, "guardrails": SETTINGS, **changes}
    return Config(platform=Platform.model_validate(table), environments=config.environments)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], int]:
    folder = tmp_path_factory.mktemp("guardrails")
    app = cdk.App(outdir=str(folder), builtin_cloud_formation_validation=False)
    Guardrails(app, "slipway-Guardrails", config=told())
    app.synth()
    file = folder / "slipway-Guardrails.template.json"
    return json.loads(file.read_text()), file.stat().st_size


def test_each_policy_is_attached_to_the_targets(template: tuple[dict[str, Any], int]) -> None:
    about = Perimeter.of(told().platform, told().environments)
    policies = {f"slipway-{name}": (kind, content) for kind, documents in (
        ("SERVICE_CONTROL_POLICY", service_control_policies(about)),
        ("RESOURCE_CONTROL_POLICY", resource_control_policies(about)),
    ) for name, content in documents.items()}  # fmt: skip
    made = {each["Properties"]["Name"]: each["Properties"] for each in template[0]["Resources"].values()}

    assert {each["Type"] for each in template[0]["Resources"].values()} == {"AWS::Organizations::Policy"}
    assert {name: (each["Type"], each["Content"]) for name, each in made.items()} == policies
    for each in made.values():
        assert each["TargetIds"] == SETTINGS["targets"]
        assert {"Key": "owner", "Value": "platform-team"} in each["Tags"]


def test_it_needs_no_bootstrap_and_no_bucket(template: tuple[dict[str, Any], int]) -> None:
    assert "Parameters" not in template[0]
    assert "Rules" not in template[0]
    assert template[1] < INLINE


def test_policies_are_changed_one_after_the_other(template: tuple[dict[str, Any], int]) -> None:
    """Organizations refuses a second change while one is under way."""
    waits = [each.get("DependsOn", []) for each in template[0]["Resources"].values()]

    assert sorted(len(one) for one in waits) == [0, *[1] * (len(waits) - 1)]


def test_without_an_account_nothing_is_deployed(assembly: Any) -> None:
    assert load().platform.guardrails.account is None
    assert not assembly.resources("AWS::Organizations::Policy")


def test_the_documents_are_written_for_whoever_may_attach_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verbs, "load", told)

    done = CliRunner().invoke(cli.app, ["guardrails", "write", str(tmp_path / "out")])

    assert done.exit_code == 0, done.output
    about = Perimeter.of(told().platform, told().environments)
    written = {file.stem: json.loads(file.read_text()) for file in (tmp_path / "out").glob("*.json")}
    assert written == {
        **{f"scp-{name}": policy for name, policy in service_control_policies(about).items()},
        **{f"rcp-{name}": policy for name, policy in resource_control_policies(about).items()},
    }
    reasons = (tmp_path / "out/README.md").read_text()
    for policy in written.values():
        for statement in policy["Statement"]:
            assert f"| {statement['Sid']} | " in reasons


def test_without_an_organization_only_half_is_written_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verbs, "load", lambda: told(organization_id=None, guardrails={}))

    done = CliRunner().invoke(cli.app, ["guardrails", "write", str(tmp_path)])

    assert "set organization_id in platform.toml" in done.output
    assert {file.name for file in tmp_path.glob("*.json")} == {
        f"scp-{name}.json" for name in ("workloads", "versions", "accounts")
    }


def write(environments: Path, text: str) -> None:
    file = environments / "platform.toml"
    file.write_text(file.read_text().replace("\n[tags]", f"\n{text}\n\n[tags]", 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[guardrails]\naccount = "999999999999"', "account and targets belong together"),
        ('[guardrails]\ntargets = ["ou-ab12-11111111"]', "account and targets belong together"),
        ('[guardrails]\naccount = "999999999999"\ntargets = ["ou-1"]', "guardrails.targets.0 = 'ou-1'"),
        (
            '[guardrails]\naccount = "999999999999"\ntargets = ["ou-ab12-11111111"]',
            "without organization_id, which resource control policies name; add organization_id",
        ),
        (
            '[guardrails]\naccount = "999999999999"\ntargets = ["ou-ab12-11111111", "ou-ab12-11111111"]',
            "names ou-ab12-11111111 twice",
        ),
        (
            'organization_id = "o-a1b2c3d4e5"\n[guardrails]\naccount = "333333333333"\ntargets = ["r-ab12"]',
            "also the account of prod, whose administrators would write their own limits",
        ),
        ('[guardrails]\nforbidden_services = ["Lightsail"]', "forbidden_services.0 = 'Lightsail'"),
        (
            f"[guardrails]\nexempt_roles = {[f'arn:aws:iam::*:role/{n}-' + 'x' * 100 for n in range(9)]}",
            "the policy accounts has",
        ),
    ],
)
def test_a_guardrail_that_cannot_be_is_named_by_check(environments: Path, text: str, said: str) -> None:
    write(environments, text)

    with pytest.raises(ConfigError) as refused:
        load(environments)

    assert len(refused.value.mistakes) == 1
    assert refused.value.mistakes[0].startswith("environments/platform.toml: ")
    assert said in refused.value.mistakes[0]


def test_a_policy_that_is_too_long_says_how_long_it_may_be(environments: Path) -> None:
    services = [f"service{n}-{'x' * 25}" for n in range(99)]
    write(environments, f"[guardrails]\nforbidden_services = {services}")

    with pytest.raises(ConfigError, match=r"the policy accounts has [\d,]+ characters, allowed are 5,120; shorten"):
        load(environments)


@pytest.mark.parametrize(
    ("file", "pattern", "text", "key"),
    [
        (
            "dev",
            'instance_type = "ml.m5.xlarge"',
            'instance_type = "ml.p5.48xlarge"',
            "training.steps.train.instance_type",
        ),
        ("dev", 'instance_type = "ml.m5.large"', 'instance_type = "ml.p5.48xlarge"', "training.instance_type"),
        ("prod", 'instance_type = "ml.c5.large"', 'instance_type = "ml.p5.48xlarge"', "serving.instance_type"),
        (
            "prod",
            "[personas]",
            '[serving.models.flight_delay]\ninstance_type = "ml.p5.48xlarge"\n\n[personas]',
            "serving.models.flight_delay.instance_type",
        ),
    ],
)
def test_an_instance_type_outside_the_list_is_named(
    environments: Path, file: str, pattern: str, text: str, key: str
) -> None:
    changed = environments / f"{file}.toml"
    assert pattern in changed.read_text()
    changed.write_text(changed.read_text().replace(pattern, text, 1))

    with pytest.raises(ConfigError) as refused:
        load(environments)

    (mistake,) = refused.value.mistakes
    assert mistake.startswith(
        f"environments/{file}.toml: {key} = 'ml.p5.48xlarge': not in instance_types of platform.toml"
    )
    assert mistake.endswith(f"allowed are {', '.join(load().platform.instance_types)}")


def test_without_a_list_any_instance_type_may_be(environments: Path) -> None:
    platform, dev = environments / "platform.toml", environments / "dev.toml"
    text = platform.read_text()
    begin, end = text.index("instance_types = ["), text.index("]", text.index("instance_types = ["))
    platform.write_text(text[:begin] + text[end + 1 :])
    dev.write_text(dev.read_text().replace("ml.m5.xlarge", "ml.p5.48xlarge"))

    about = Perimeter.of(load(environments).platform, load(environments).environments)

    assert "InstanceTypes" not in json.dumps(service_control_policies(about))
