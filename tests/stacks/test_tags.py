"""Whose a cost is: every resource that can bear tags says environment, owner and business unit, and its model."""

import json
from pathlib import Path
from typing import Any

import cfnlint  # type: ignore[import-untyped]
import pytest
from conftest import Assembly

from rehearsal import definition
from stacks.config import load, models
from stacks.names import title

Json = dict[str, Any]

SCHEMAS = Path(cfnlint.__file__).parent / "data/schemas"
"""AWS's own schemas of resource types, which say where a type bears its tags."""

OF_ONE_MODEL = ("Registry", "Serving", "Training")
"""Rooms that each model has for itself."""


def bears(kind: str) -> str | None:
    """The property with a type's tags; none for a type that bears none."""
    providers = json.loads((SCHEMAS / "providers/eu-west-1.json").read_text())
    if kind not in providers:
        return None
    schema = json.loads((SCHEMAS / f"resources/{providers[kind]}.json").read_text())
    tagging = schema.get("tagging", {})
    name = str(tagging.get("tagProperty", "/properties/Tags")).rsplit("/", 1)[1]
    return name if tagging.get("taggable", True) and name in schema["properties"] else None


def tags_of(resource: Json, name: str) -> Json:
    tags = resource["Properties"].get(name, [])
    return tags if isinstance(tags, dict) else {tag["Key"]: tag["Value"] for tag in tags}


@pytest.fixture(scope="module")
def tagged(assembly: Assembly) -> dict[str, tuple[str, Json]]:
    """Every resource that can bear tags: its type, and the tags that it has."""
    names = {
        kind: bears(kind) for kind in {r["Type"] for t in assembly.templates.values() for r in t["Resources"].values()}
    }
    return {
        f"{stack}/{logical}": (resource["Type"], tags_of(resource, name))
        for stack, template in assembly.templates.items()
        for logical, resource in template["Resources"].items()
        if (name := names[resource["Type"]])
    }


def test_what_aws_says_bears_tags_is_most_of_what_there_is(tagged: dict[str, tuple[str, Json]]) -> None:
    kinds = {kind for kind, _ in tagged.values()}

    assert {"AWS::SageMaker::Endpoint", "AWS::SageMaker::Pipeline", "AWS::S3::Bucket", "AWS::Budgets::Budget"} <= kinds
    assert len(kinds) > 20


def test_every_resource_says_whose_cost_it_is(tagged: dict[str, tuple[str, Json]]) -> None:
    platform = load().platform
    assert {"owner", "business_unit"} <= set(platform.tags)

    for name, (_, tags) in tagged.items():
        environment = next(e.name for e in load().environments if name.startswith(f"{platform.name}{e.name}"))
        wanted = {**platform.tags, "platform": platform.name, "environment": environment}
        assert {key: tags.get(key) for key in wanted} == wanted, name


def test_what_is_one_models_says_so_and_nothing_else_does(tagged: dict[str, tuple[str, Json]]) -> None:
    for name, (_, tags) in tagged.items():
        owner = [model for model in models() for room in OF_ONE_MODEL if f"{room}{title(model)}" in name]
        assert tags.get("model") == (owner[0] if owner else None), name


def test_the_jobs_of_a_run_say_it_too(assembly: Assembly) -> None:
    """Most of what training costs are jobs, which SageMaker starts and no template makes."""
    (pipeline,) = (each for _, each in assembly.resources("AWS::SageMaker::Pipeline"))
    body = pipeline["Properties"]["PipelineDefinition"]["PipelineDefinitionBody"]
    text = "".join(part if isinstance(part, str) else "x" for part in body["Fn::Join"][1])
    steps = definition.flatten(json.loads(text)["Steps"])
    jobs = [step for step in steps if step["Type"] in {"Processing", "Training"}]

    assert len(jobs) == 5
    for job in jobs:
        assert tags_of({"Properties": job["Arguments"]}, "Tags") == tags_of(pipeline, "Tags"), job["Name"]
