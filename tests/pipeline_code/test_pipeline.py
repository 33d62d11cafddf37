"""The definition: order from declarations, valid requests, mistakes named, a golden file that shows a change."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_code.contract import ContractError, Step
from pipeline_code.models import load_model, names
from pipeline_code.pipeline import JobResources, Surroundings, render
from pipeline_code.steps import steps
from rehearsal.definition import flatten, mistakes

GOLDEN = Path(__file__).parent / "golden"

SURROUNDINGS = Surroundings(
    image_uri="111111111111.dkr.ecr.eu-west-1.amazonaws.com/job:0123abcd",
    commit="0123abcd",
    jobs={
        step.name: JobResources(f"arn:aws:iam::111111111111:role/{step.name}", "ml.m5.large", 30, 3600)
        for step in steps()
    },
    inputs={"periods": "s3://data/periods", "champion": "s3://runs/champion"},
    runs_uri="s3://runs/runs",
    temporary_uri="s3://runs/temporary",
    provenance_uri="s3://provenance",
    kms_key_id="arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    subnet_ids=["subnet-0a1b2c3d"],
    security_group_ids=["sg-0a1b2c3d"],
    model_package_group="group",
)


def rendered(model: str = "flight_delay") -> dict[str, Any]:
    return render(model, load_model(model).hyperparameters, steps(), SURROUNDINGS)


@pytest.mark.parametrize("model", names())
def test_the_definition_is_the_golden_one(model: str) -> None:
    """Made anew by UPDATE_GOLDEN=1: read the diff, it is what SageMaker will do otherwise."""
    golden = GOLDEN / f"{model}.json"
    text = json.dumps(rendered(model), indent=1) + "\n"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text)

    assert text == golden.read_text()


def test_the_definition_has_no_mistakes() -> None:
    assert mistakes(rendered()) == []


def test_order_follows_from_what_steps_read_and_write() -> None:
    backwards = render("flight_delay", {}, tuple(reversed(steps())), SURROUNDINGS)

    found = [step["Name"] for step in flatten(backwards["Steps"])]
    assert found == ["Prepare", "Train", "Evaluate", "Gate", "Record", "Register", "Refused"]


def test_gated_steps_and_registration_wait_for_the_gate() -> None:
    gate = next(step for step in rendered()["Steps"] if step["Name"] == "Gate")

    assert [step["Name"] for step in gate["Arguments"]["IfSteps"]] == ["Record", "Register"]
    assert [step["Type"] for step in gate["Arguments"]["ElseSteps"]] == ["Fail"]


def test_a_version_carries_what_steps_declare_to_register() -> None:
    register = next(step for step in flatten(rendered()["Steps"]) if step["Name"] == "Register")

    carried = register["Arguments"]["CustomerMetadataProperties"]
    declared = {name for step in steps() for name in step.registers}
    assert declared <= set(carried)
    assert {"model", "period", "commit", "image_uri", "execution", "report", "provenance"} <= set(carried)
    assert len(carried) <= 50


def test_every_execution_writes_to_folders_of_its_own() -> None:
    for step in flatten(rendered()["Steps"]):
        for output in step["Arguments"].get("ProcessingOutputConfig", {}).get("Outputs", []):
            assert {"Get": "Execution.PipelineExecutionId"} in output["S3Output"]["S3Uri"]["Std:Join"]["Values"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reads": ("nothing",)}, r"step extra: reads \['nothing'\], which nothing writes"),
        ({"writes": ("dataset",)}, "'dataset' is written already; give the artifact another name"),
        ({"writes": ("champion",)}, "'champion' is written already"),
    ],
)
def test_a_wrong_declaration_is_named(change: dict[str, Any], message: str) -> None:
    extra = replace(Step("extra", "Processing", ("dataset",), ("more",)), **change)

    with pytest.raises(ContractError, match=message):
        render("flight_delay", {}, (*steps(), extra), SURROUNDINGS)


def test_steps_that_wait_for_each_other_are_named() -> None:
    circle = (Step("one", "Processing", ("b",), ("a",)), Step("two", "Processing", ("a",), ("b",)))

    with pytest.raises(ContractError, match=r"steps wait for each other: (one -> two -> one|two -> one -> two)"):
        render("flight_delay", {}, circle, SURROUNDINGS)


def test_a_new_step_finds_its_place() -> None:
    extra = Step("describe", "Processing", ("dataset",), ("description",))
    around = replace(SURROUNDINGS, jobs={**SURROUNDINGS.jobs, "describe": SURROUNDINGS.jobs["prepare"]})

    definition = render("flight_delay", {}, (extra, *steps()), around)

    found = [step["Name"] for step in definition["Steps"]]
    assert found.index("Describe") > found.index("Prepare")
    assert mistakes(definition) == []
