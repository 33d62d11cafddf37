"""What runs again and what does not: retry policies, caching, Stop and Retry, selective execution, versions."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError
from engine_world import World, condition, fact, fail, states, step, training

from rehearsal import faults
from rehearsal.embedded import EmbeddedAws

CAPACITY = {"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 60, "BackoffRate": 2.0, "MaxAttempts": 2}
CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}


def drawn(world: World, name: str = "Draw") -> str:
    return str(json.loads(world.read(f"{name}/facts.json"))["drawn"])


def listed(world: World, arn: str) -> dict[str, dict[str, Any]]:
    answer = world.client("sagemaker").list_pipeline_execution_steps(PipelineExecutionArn=arn)
    return {found["StepName"]: found for found in answer["PipelineExecutionSteps"]}


def test_a_policy_tries_again_after_its_waits(aws: EmbeddedAws, world: World) -> None:
    name = f"Make{world.bucket[-3:]}"
    aws.order_fault(name, faults.CAPACITY, times=2)

    outcome = world.run({**step(world, name, "make"), "RetryPolicies": [CAPACITY]})

    assert outcome.status == "Succeeded", outcome.failure
    assert listed(world, outcome.arn)[name]["AttemptCount"] == 3
    waits = [wait["seconds"] for wait in aws.clock()["waits"] if name in wait["why"]]
    assert waits == [60, 120]


def test_the_failure_stands_when_no_attempt_is_left(aws: EmbeddedAws, world: World) -> None:
    name = f"Make{world.bucket[-3:]}"
    aws.order_fault(name, faults.CAPACITY, times=3)

    outcome = world.run({**step(world, name, "make"), "RetryPolicies": [CAPACITY]})

    assert outcome.failure.startswith(f"Step {name}: CapacityError: Unable to provision")
    assert listed(world, outcome.arn)[name]["AttemptCount"] == 3


@pytest.mark.parametrize(("kind", "status"), [("ThrottlingException", "Succeeded"), ("InternalServerError", "Failed")])
def test_without_a_policy_only_calls_are_tried_again(aws: EmbeddedAws, world: World, kind: str, status: str) -> None:
    name = f"Make{world.bucket[-3:]}"
    aws.order_fault(name, kind)

    assert world.run(step(world, name, "make")).status == status


def test_the_steps_own_fault_is_never_tried_again(world: World) -> None:
    every = {**CAPACITY, "ExceptionType": sorted(faults.EXCEPTIONS.values())}

    outcome = world.run({**step(world, "Make", "crash"), "RetryPolicies": [every]})

    assert listed(world, outcome.arn)["Make"]["AttemptCount"] == 1


def test_a_cached_step_hands_on_what_it_made_before(world: World) -> None:
    first = world.run({**step(world, "Draw", "draw"), **CACHED})
    before = drawn(world)

    again = world.follow(world.again())

    assert drawn(world) == before
    hit = listed(world, again.arn)["Draw"]
    assert hit["CacheHitResult"] == {"SourcePipelineExecutionArn": first.arn}
    assert hit["Metadata"] == first.steps[0].metadata


def test_a_cached_step_runs_when_its_arguments_change_or_its_time_is_over(aws: EmbeddedAws, world: World) -> None:
    cached = {**step(world, "Draw", "draw"), **CACHED}
    world.run(cached)
    results = [drawn(world)]

    other = json.loads(json.dumps(cached))
    other["Arguments"]["Environment"] = {"WORD": "other"}
    world.run(other)
    results.append(drawn(world))
    aws.skip(3601, "the cache expires")
    world.follow(world.again())
    results.append(drawn(world))

    assert len(set(results)) == 3


def test_what_failed_is_never_cached(world: World) -> None:
    crashing = {**step(world, "Make", "crash"), **CACHED}
    world.run(crashing)

    assert world.follow(world.again()).status == "Failed"


def test_retry_goes_on_from_the_step_that_failed(aws: EmbeddedAws, world: World) -> None:
    name = f"Copy{world.bucket[-3:]}"
    aws.order_fault(name, faults.INTERNAL)
    failed = world.run(step(world, "Make", "draw"), step(world, name, "copy", after="Make"))
    before = drawn(world, "Make")

    world.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=failed.arn, ClientRequestToken="9" * 32)
    outcome = world.follow(failed.arn)

    assert failed.status == "Failed"
    assert outcome.status == "Succeeded", outcome.failure
    assert drawn(world, "Make") == before
    assert json.loads(world.read(f"{name}/copy.json"))["drawn"] == before


def test_retry_goes_on_inside_the_branch_that_was_taken(aws: EmbeddedAws, world: World) -> None:
    name = f"Copy{world.bucket[-3:]}"
    aws.order_fault(name, faults.INTERNAL)
    asked = {"Type": "Equals", "LeftValue": fact("n"), "RightValue": 3}
    then = [step(world, name, "copy", after="Make")]
    failed = world.run(step(world, "Make", "make"), condition(asked, then=then, otherwise=[fail("no")]))

    world.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=failed.arn, ClientRequestToken="9" * 32)
    outcome = world.follow(failed.arn)

    assert failed.status == "Failed"
    assert states(outcome) == {"Make": "Succeeded", "Ask": "Succeeded", name: "Succeeded"}


def test_a_stopped_execution_can_be_retried(world: World) -> None:
    arn, sagemaker = world.start(step(world, "Make", "sleep")), world.client("sagemaker")
    while listed(world, arn).get("Make", {}).get("StepStatus") != "Executing":
        time.sleep(0.05)
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="2" * 32)
    stopped = world.follow(arn)

    sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="9" * 32)

    assert stopped.status == "Stopped"
    assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"] == "Executing"
    sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn, ClientRequestToken="3" * 32)
    assert world.follow(arn).status == "Stopped"


def test_what_succeeded_is_not_retried(world: World) -> None:
    done = world.run(step(world, "Make", "make"))

    with pytest.raises(ClientError, match="is Succeeded; only Failed and Stopped are retried"):
        world.client("sagemaker").retry_pipeline_execution(PipelineExecutionArn=done.arn, ClientRequestToken="9" * 32)


def selected(*names: str, source: str | None = None) -> dict[str, Any]:
    chosen: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in names]}
    return {"SelectiveExecutionConfig": {**chosen, **({"SourcePipelineExecutionArn": source} if source else {})}}


def test_a_selective_execution_takes_over_what_it_does_not_run(world: World) -> None:
    whole = world.run(
        step(world, "Make", "draw"), step(world, "Copy", "copy", after="Make"), step(world, "Last", "draw")
    )
    before, last = drawn(world, "Make"), drawn(world, "Last")

    outcome = world.follow(world.again(**selected("Copy", source=whole.arn)))

    assert outcome.status == "Succeeded", outcome.failure
    assert states(outcome) == {"Make": "Succeeded", "Copy": "Succeeded"}
    found = listed(world, outcome.arn)
    assert found["Make"]["SelectiveExecutionResult"] == {"SourcePipelineExecutionArn": whole.arn}
    assert "SelectiveExecutionResult" not in found["Copy"]
    assert (drawn(world, "Make"), drawn(world, "Last")) == (before, last)


@pytest.mark.parametrize(
    ("names", "with_source", "message"),
    [
        (("Nothing",), False, "SelectedSteps Nothing are no steps of this pipeline; steps are Make, Copy, Last"),
        (("Copy",), False, "the selected steps need Make; give SourcePipelineExecutionArn"),
        (("Make", "Last"), True, "step Copy lies between selected steps, after Make; select it too"),
    ],
)
def test_a_selection_that_cannot_run_is_refused(
    world: World, names: tuple[str, ...], with_source: bool, message: str
) -> None:
    chain = (
        step(world, "Make", "make"),
        step(world, "Copy", "make", after="Make"),
        step(world, "Last", "make", after="Copy"),
    )
    whole = world.run(*chain)

    with pytest.raises(ClientError, match=message):
        world.again(**selected(*names, source=whole.arn if with_source else None))


def test_an_execution_runs_the_version_it_was_started_with(world: World) -> None:
    world.define(step(world, "Make", "make"))
    world.define(step(world, "Draw", "draw"))
    sagemaker = world.client("sagemaker")

    outcome = world.follow(world.again(PipelineVersionId=1))

    assert states(outcome) == {"Make": "Succeeded"}
    assert sagemaker.describe_pipeline_execution(PipelineExecutionArn=outcome.arn)["PipelineVersionId"] == 1
    versions = sagemaker.list_pipeline_versions(PipelineName="p")["PipelineVersionSummaries"]
    assert [version["PipelineVersionId"] for version in versions] == [2, 1]
    assert versions[1]["LastExecutionPipelineExecutionArn"] == outcome.arn


def spot(world: World, name: str, *, max_wait: int = 3600) -> dict[str, Any]:
    fit = training(world, "count")
    fit["Name"] = name
    fit["Arguments"] |= {
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": max_wait},
        "CheckpointConfig": {"S3Uri": f"s3://{world.bucket}/checkpoints", "LocalPath": "/opt/ml/checkpoints"},
    }
    return fit


def test_an_interrupted_spot_job_goes_on_from_its_checkpoint(aws: EmbeddedAws, world: World) -> None:
    name = f"Fit{world.bucket[-3:]}"
    aws.order_fault(name, faults.INTERRUPTED)

    outcome = world.run(step(world, "Make", "make"), spot(world, name))

    assert outcome.status == "Succeeded", outcome.failure
    job = outcome.steps[1].metadata["TrainingJob"]["Arn"].rsplit("/", 1)[1]
    described = world.client("sagemaker").describe_training_job(TrainingJobName=job)
    passed = [transition["Status"] for transition in described["SecondaryStatusTransitions"]]
    assert [s for s in passed if s in {"Training", "Interrupted", "Restarting", "Completed"}] == [
        "Training", "Interrupted", "Restarting", "Training", "Completed",
    ]  # fmt: skip
    logs = world.client("logs").filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs")["events"]
    begins = [event["message"] for event in logs if event["message"].startswith("counting from")]
    assert begins[0] == "counting from 0"
    assert begins[1] != "counting from 0"


def test_spot_capacity_that_comes_too_late_fails_the_job(aws: EmbeddedAws, world: World) -> None:
    name = f"Fit{world.bucket[-3:]}"
    aws.order_fault(name, faults.INTERRUPTED)

    outcome = world.run(step(world, "Make", "make"), spot(world, name, max_wait=61))

    assert "MaxWaitTimeExceeded, no spot capacity within 61 seconds" in outcome.failure


def test_independent_steps_run_side_by_side_unless_the_pipeline_says_one(world: World) -> None:
    def overlap(parallel: int) -> bool:
        arn = world.again(ParallelismConfiguration={"MaxParallelExecutionSteps": parallel})
        world.follow(arn)
        first, second = sorted(listed(world, arn).values(), key=lambda found: found["StartTime"])
        return bool(second["StartTime"] < first["EndTime"])

    world.define(step(world, "One", "draw"), step(world, "Two", "draw"))

    assert overlap(2)
    assert not overlap(1)
