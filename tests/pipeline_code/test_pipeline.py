"""The definition: order from declarations, valid requests, mistakes named, a golden file that shows a change."""

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline_code.contract import ContractError, Step
from pipeline_code.models import load_model, names
from pipeline_code.pipeline import render
from pipeline_code.steps import steps
from pipeline_code.surroundings import JobResources, Patience, Surroundings
from rehearsal.definition import flatten, mistakes
from rehearsal.faults import EXCEPTIONS

GOLDEN = Path(__file__).parent / "golden"

SURROUNDINGS = Surroundings(
    image_uri="111111111111.dkr.ecr.eu-west-1.amazonaws.com/job:0123abcd",
    serve_image_uri="111111111111.dkr.ecr.eu-west-1.amazonaws.com/job:0123abcd-serve",
    commit="0123abcd",
    jobs={
        step.name: JobResources(f"arn:aws:iam::111111111111:role/{step.name}", "ml.m5.large", 30, 3600)
        for step in steps()
    },
    inputs={"periods": "s3://data/periods/", "listing": "s3://data/listings/", "champion": "s3://runs/champion/"},
    runs_uri="s3://runs/runs",
    temporary_uri="s3://runs/temporary",
    provenance_uri="s3://provenance",
    kms_key_id="arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
    subnet_ids=["subnet-0a1b2c3d"],
    security_group_ids=["sg-0a1b2c3d"],
    model_package_group="group",
)


def rendered(model: str = "flight_delay") -> dict[str, Any]:
    return render(load_model(model), steps(), SURROUNDINGS)


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
    backwards = render(load_model("flight_delay"), tuple(reversed(steps())), SURROUNDINGS)

    found = [step["Name"] for step in flatten(backwards["Steps"])]
    assert found == ["Prepare", "Train", "Evaluate", "Gate", "Package", "Record", "Register", "Refused"]


def test_gated_steps_and_registration_wait_for_the_gate() -> None:
    gate = next(step for step in rendered()["Steps"] if step["Name"] == "Gate")

    assert [step["Name"] for step in gate["Arguments"]["IfSteps"]] == ["Package", "Record", "Register"]
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


def job(name: str, around: Surroundings = SURROUNDINGS) -> dict[str, Any]:
    found = flatten(render(load_model("flight_delay"), steps(), around)["Steps"])
    return next(step for step in found if step["Name"] == name)


def test_every_job_is_tried_again_after_faults_that_are_not_ours() -> None:
    retried = {step["Name"]: step.get("RetryPolicies", []) for step in flatten(rendered()["Steps"])}

    for name in ("Prepare", "Train", "Evaluate", "Package", "Record"):
        exceptions = [exception for policy in retried[name] for exception in policy["ExceptionType"]]
        assert sorted(exceptions) == sorted(EXCEPTIONS.values())
    assert retried["Register"][0]["ExceptionType"] == ["Step.SERVICE_FAULT", "Step.THROTTLING"]
    assert retried["Gate"] == retried["Refused"] == []


def test_only_steps_whose_arguments_name_their_data_are_cached() -> None:
    cached = {step["Name"] for step in flatten(rendered()["Steps"]) if "CacheConfig" in step}

    assert cached == {"Prepare", "Train"}
    for name in cached:
        assert "Execution." not in json.dumps(job(name)["Arguments"]["Environment"])
    (listing,) = (i for i in job("Prepare")["Arguments"]["ProcessingInputs"] if i["InputName"] == "listing")
    assert {"Get": "Parameters.Listing"} in listing["S3Input"]["S3Uri"]["Std:Join"]["Values"]


def test_no_days_of_caching_is_no_caching() -> None:
    assert "CacheConfig" not in job("Train", replace(SURROUNDINGS, patience=Patience(cache_days=0)))


def test_spot_capacity_comes_with_checkpoints() -> None:
    jobs = {**SURROUNDINGS.jobs, "train": replace(SURROUNDINGS.jobs["train"], spot_wait_seconds=600)}
    arguments = job("Train", replace(SURROUNDINGS, jobs=jobs))["Arguments"]

    assert arguments["EnableManagedSpotTraining"] is True
    assert arguments["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4200}
    assert arguments["CheckpointConfig"]["LocalPath"] == "/opt/ml/checkpoints"
    assert "EnableManagedSpotTraining" not in job("Train")["Arguments"]


def test_hyperparameters_are_parameters_with_their_types_and_defaults() -> None:
    declared = {parameter["Name"]: parameter for parameter in rendered()["Parameters"]}

    assert declared["eta"] == {"Name": "eta", "Type": "Float", "DefaultValue": 0.1}
    assert declared["max_depth"] == {"Name": "max_depth", "Type": "Integer", "DefaultValue": 6}
    assert declared["Reason"]["EnumValues"] == ["manual", "schedule", "arrival", "code", "drift"]
    assert "DefaultValue" not in declared["Period"]
    passed = job("Train")["Arguments"]["HyperParameters"]
    assert passed["eta"] == {"Std:Join": {"On": "", "Values": [{"Get": "Parameters.eta"}]}}


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
        render(load_model("flight_delay"), (*steps(), extra), SURROUNDINGS)


def test_steps_that_wait_for_each_other_are_named() -> None:
    circle = (Step("one", "Processing", ("b",), ("a",)), Step("two", "Processing", ("a",), ("b",)))

    with pytest.raises(ContractError, match=r"steps wait for each other: (one -> two -> one|two -> one -> two)"):
        render(load_model("flight_delay"), circle, SURROUNDINGS)


def test_a_new_step_finds_its_place() -> None:
    extra = Step("describe", "Processing", ("dataset",), ("description",))
    around = replace(SURROUNDINGS, jobs={**SURROUNDINGS.jobs, "describe": SURROUNDINGS.jobs["prepare"]})

    definition = render(load_model("flight_delay"), (extra, *steps()), around)

    found = [step["Name"] for step in definition["Steps"]]
    assert found.index("Describe") > found.index("Prepare")
    assert mistakes(definition) == []
