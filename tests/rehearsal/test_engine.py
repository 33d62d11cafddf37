"""The engine against small definitions whose steps are tiny scripts: each outcome as SageMaker documents it."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from engine_world import URI, World, condition, fact, fail, states, step, training

from operations.executions import last_log_lines


def test_a_step_gets_what_another_made(world: World) -> None:
    outcome = world.run(step(world, "Copy", "copy", after="Make"), step(world, "Make", "make"))

    assert outcome.status == "Succeeded", outcome.failure
    assert list(states(outcome)) == ["Make", "Copy"]
    assert json.loads(world.read("Copy/copy.json"))["n"] == 3


def test_training_packs_the_model(world: World) -> None:
    outcome = world.run(step(world, "Make", "make"), training(world, "fit"))

    assert outcome.status == "Succeeded", outcome.failure
    job = outcome.steps[1].metadata["TrainingJob"]["Arn"].rsplit("/", 1)[1]
    described = world.client("sagemaker").describe_training_job(TrainingJobName=job)
    assert described["TrainingJobStatus"] == "Completed"
    key = described["ModelArtifacts"]["S3ModelArtifacts"].removeprefix(f"s3://{world.bucket}/")
    assert key == f"models/{job}/output/model.tar.gz"
    assert world.read(key)[:2] == b"\x1f\x8b"


def test_a_job_bears_the_tags_of_its_request(world: World) -> None:
    tags = [{"Key": "model", "Value": "tiny"}]
    made = step(world, "Make", "make")
    made["Arguments"]["Tags"] = tags

    outcome = world.run(made)

    arn = outcome.steps[0].metadata["ProcessingJob"]["Arn"]
    sagemaker = world.client("sagemaker")
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    assert "Tags" not in sagemaker.describe_processing_job(ProcessingJobName=arn.rsplit("/", 1)[1])


def test_a_training_jobs_own_words_are_its_failure_reason(world: World) -> None:
    outcome = world.run(step(world, "Make", "make"), training(world, "misfit"))

    assert outcome.status == "Failed"
    assert outcome.failure == "Step Fit: AlgorithmError: it diverged, exit code: 1"


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        ("crash", "AlgorithmError: See job logs for more information, exit code: 1"),
        ("explain", "AlgorithmError: row 7 is bad, exit code: 3"),
        ("killed", "AlgorithmError: See job logs for more information, exit code: 137"),
    ],
)
def test_a_failed_step_fails_the_execution_with_its_reason(world: World, what: str, reason: str) -> None:
    outcome = world.run(step(world, "Make", what), step(world, "Copy", "copy", after="Make"))

    assert outcome.status == "Failed"
    assert outcome.failure == f"Step Make: {reason}"
    assert states(outcome) == {"Make": "Failed"}


def test_a_crash_is_read_in_the_jobs_log(world: World) -> None:
    outcome = world.run(step(world, "Make", "crash"))

    lines = last_log_lines(world.client("logs"), outcome.steps[0])
    assert lines[0] == "doing crash"
    assert lines[-1] == "RuntimeError: the data is wrong"


def test_a_job_that_takes_too_long_is_ended(world: World) -> None:
    outcome = world.run(step(world, "Make", "sleep", seconds=1))

    assert outcome.failure == "Step Make: ClientError: MaxRuntimeExceeded, the job ran longer than 1 seconds"


def test_a_job_sees_nothing_of_this_machine(world: World) -> None:
    outcome = world.run(step(world, "Make", "environment"))

    assert outcome.status == "Succeeded", outcome.failure
    seen = json.loads(world.read("Make/facts.json"))
    assert not [name for name in seen if name.startswith("AWS_") and name != "AWS_REGION"]
    assert "VIRTUAL_ENV" not in seen


def test_an_image_nobody_builds_is_named(world: World) -> None:
    outcome = world.run(step(world, "Make", "make", uri="other:1"))

    assert outcome.failure == f"Step Make: image other:1 is built by no deployed project; known are {URI}"


def test_an_input_with_nothing_below_it_fails_the_job(world: World) -> None:
    wrong = step(world, "Make", "make", after="Make")
    wrong["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] = f"s3://{world.bucket}/nothing"

    outcome = world.run(wrong)

    assert "No S3 objects found under S3 URL" in outcome.failure


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        ({"Type": "Equals", "LeftValue": fact("n"), "RightValue": 3}, True),
        ({"Type": "GreaterThan", "LeftValue": fact("n"), "RightValue": 3}, False),
        ({"Type": "LessThanOrEqualTo", "LeftValue": fact("list[0]"), "RightValue": 1.5}, True),
        ({"Type": "In", "QueryValue": fact("word"), "Values": ["no", "yes"]}, True),
        ({"Type": "Not", "Expression": {"Type": "Equals", "LeftValue": fact("word"), "RightValue": "yes"}}, False),
        (
            {
                "Type": "Or",
                "Conditions": [
                    {"Type": "Equals", "LeftValue": fact("n"), "RightValue": 4},
                    {"Type": "Equals", "LeftValue": fact("n"), "RightValue": 3},
                ],
            },
            True,
        ),
    ],
)
def test_a_condition_takes_one_branch(world: World, asked: dict[str, Any], taken: bool) -> None:
    then = [step(world, "Copy", "copy", after="Make")]

    outcome = world.run(step(world, "Make", "make"), condition(asked, then=then, otherwise=[fail("no")]))

    assert states(outcome).get("Copy") == ("Succeeded" if taken else None)
    assert outcome.status == ("Succeeded" if taken else "Failed")


def test_a_fail_step_says_what_the_run_found(world: World) -> None:
    asked = {"Type": "Equals", "LeftValue": fact("n"), "RightValue": 4}
    message = {"Std:Join": {"On": " ", "Values": ["n is", fact("n"), "for", {"Get": "Parameters.Period"}]}}

    outcome = world.run(step(world, "Make", "make"), condition(asked, otherwise=[fail(message)]), Period="2013-04")

    assert outcome.failure == "n is 3 for 2013-04"


@pytest.mark.parametrize(
    ("path", "reason"), [("absent", "nothing at absent"), ("list", "is not a single value"), ("n.x", "nothing at x")]
)
def test_a_value_that_is_not_there_fails_the_step_that_asks(world: World, path: str, reason: str) -> None:
    asked = {"Type": "Equals", "LeftValue": fact(path), "RightValue": 4}

    outcome = world.run(step(world, "Make", "make"), condition(asked))

    assert outcome.status == "Failed"
    assert reason in outcome.failure


def test_a_missing_property_file_is_named_with_its_uri(world: World) -> None:
    asked = {"Type": "Equals", "LeftValue": fact("n"), "RightValue": 4}

    outcome = world.run(step(world, "Make", "nothing"), condition(asked))

    assert f"nothing at s3://{world.bucket}/Make/facts.json" in outcome.failure


def test_a_feature_that_is_not_carried_out_is_an_error(world: World) -> None:
    outcome = world.run({**step(world, "Make", "make"), "FailFast": True})

    assert "does not carry out FailFast" in outcome.failure


def test_steps_that_wait_for_each_other_are_named(world: World) -> None:
    first, second = step(world, "Make", "make"), step(world, "Copy", "copy", after="Make")

    with pytest.raises(ClientError, match="steps wait for each other: Make -> Copy -> Make"):
        world.run({**first, "DependsOn": ["Copy"]}, second)


def test_stopping_ends_the_running_job(world: World) -> None:
    arn, sagemaker = world.start(step(world, "Make", "sleep")), world.client("sagemaker")
    while not sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]:
        time.sleep(0.05)

    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="2" * 32)

    outcome = world.follow(arn)
    assert outcome.status == "Stopped"
    assert states(outcome) == {"Make": "Stopped"}


def test_the_same_token_starts_once(world: World) -> None:
    world.define(step(world, "Make", "make"))

    first, again = (world.again(ClientRequestToken="1" * 32) for _ in range(2))

    assert again == first


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            [{"Name": "Periodd", "Value": "x"}],
            "Parameter Periodd is not one of Period; Parameter Period has no default",
        ),
        ([], "Parameter Period has no default and needs a value"),
    ],
)
def test_wrong_parameters_are_named_all_at_once(world: World, given: list[dict[str, str]], message: str) -> None:
    world.start(step(world, "Make", "make"), Period="2013-04")

    with pytest.raises(ClientError, match=message):
        world.again(given)


def test_a_wrong_definition_is_refused_when_it_arrives(world: World) -> None:
    wrong = step(world, "Make", "make")
    del wrong["Arguments"]["RoleArn"]

    with pytest.raises(ClientError, match='Missing required parameter in input: "RoleArn"'):
        world.start(wrong)
