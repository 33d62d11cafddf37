"""What starts runs, as templates say it: whose code has changed, who hears of it, and after what."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from second_model import touch
from serving_modes import environment, resources, synthesize

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Assembly

    from stacks.settings import Environment

SOURCE = "/slipway/dev/flight_delay/source"


def room(assembly: Assembly) -> dict[str, Any]:
    (found,) = (template for name, template in assembly.templates.items() if name.startswith("slipwaydevTriggers"))
    return found


def rule(template: dict[str, Any], description: str) -> list[dict[str, Any]]:
    rules = resources(template, "AWS::Events::Rule")
    return [each["EventPattern"] for each in rules if each["Description"].startswith(description)]


def with_(**tables: dict[str, Any]) -> Environment:
    made = environment("realtime")
    told = made.model_dump()
    return type(made).model_validate({**told, **{name: {**told[name], **table} for name, table in tables.items()}})


def test_a_models_own_folder_says_what_its_code_is_and_nothing_beside_it(repository: Path, tmp_path: Path) -> None:
    def change(file: str) -> tuple[dict[str, str], list[str]]:
        """The models' contents and their pipelines, after a change of a file."""
        touch(repository, file)
        made = synthesize(tmp_path / file.replace("/", "-"), environment("realtime"))
        told = {each["Name"]: each["Value"] for each in resources(made["Triggers"], "AWS::SSM::Parameter")}
        return told, [json.dumps(made[f"Training{name}"]) for name in ("FlightDelay", "Other")]

    first, definitions = change("models/other/sources.py")
    shared, changed = change("boosting.py")
    own, _ = change("models/other/features.py")

    other = "/slipway/dev/other/source"
    assert set(first) == {SOURCE, other}
    assert shared == first
    assert [one != another for one, another in zip(definitions, changed, strict=True)] == [True, True]
    assert own[SOURCE] == first[SOURCE]
    assert own[other] != first[other]


def test_the_starter_hears_of_changes_of_exactly_these_parameters_and_reads_them(assembly: Assembly) -> None:
    template = room(assembly)

    (pattern,) = rule(template, "A model's code was deployed")
    assert pattern == {
        "source": ["aws.ssm"],
        "detail-type": ["Parameter Store Change"],
        "detail": {"name": [SOURCE], "operation": ["Update"]},
    }
    policies = resources(template, "AWS::IAM::Policy")
    statements = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    assert [each["Resource"] for each in statements if "ssm:" in json.dumps(each["Action"])] == [
        f"arn:aws:ssm:eu-west-1:111111111111:parameter{SOURCE}"
    ]


def test_code_is_said_to_have_changed_when_all_else_is_deployed(assembly: Assembly) -> None:
    """A run that began before would be of the code, or bound to the image, of before."""
    template = room(assembly)

    ((logical, parameter),) = (
        (name, each) for name, each in template["Resources"].items() if each["Type"] == "AWS::SSM::Parameter"
    )
    others = {name for name, each in template["Resources"].items() if each["Type"] != "AWS::CDK::Metadata"}
    assert set(parameter["DependsOn"]) == others - {logical}
    manifest = json.loads(next(assembly.folder.glob("assembly-slipway-dev")).joinpath("manifest.json").read_text())
    stacks = {name: one for name, one in manifest["artifacts"].items() if one["type"] == "aws:cloudformation:stack"}
    (triggers,) = (one for name, one in stacks.items() if name.startswith("slipwaydevTriggers"))
    assert any(name.startswith("slipwaydevTrainingFlightDelay") for name in triggers["dependencies"])


def test_the_starter_hears_how_the_images_build_ended(assembly: Assembly) -> None:
    (pattern,) = rule(room(assembly), "The images' build ended")

    assert pattern["detail"]["project-name"] == ["slipway-dev-images"]
    assert "IN_PROGRESS" not in pattern["detail"]["build-status"]
    assert '\\"image_build\\":\\"slipway-dev-images\\"' in json.dumps(room(assembly))


def test_where_changed_code_starts_nothing_nobody_is_told_of_it(tmp_path: Path) -> None:
    template = synthesize(tmp_path, with_(triggers={"code": False}))["Triggers"]

    assert resources(template, "AWS::SSM::Parameter") == rule(template, "A model's code was deployed") == []
    assert "ssm:" not in json.dumps(template).replace("ssm:get-parameter", "")
    assert '\\"source\\":\\"\\"' in json.dumps(template)


def test_for_ready_images_no_build_is_waited_for(tmp_path: Path) -> None:
    ready = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1"
    made = with_(image={"image_uri": ready, "serve_image_uri": f"{ready}-serve"})
    template = synthesize(tmp_path, made)["Triggers"]

    assert rule(template, "The images' build ended") == []
    assert '\\"image_build\\":\\"\\"' in json.dumps(template)
    assert len(rule(template, "A model's code was deployed")) == 1
