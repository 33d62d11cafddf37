"""The SDK's own resource classes start, follow, list and describe what the rehearsal runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import sdk_pipeline
from engine_world import World, fail, step, training

if TYPE_CHECKING:
    from rehearsal.embedded import EmbeddedAws

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]

DEFINITION = {"Version": "2020-12-01", "Parameters": [{"Name": "Period", "Type": "String", "DefaultValue": "2013-04"}]}


@pytest.fixture
def session(aws: EmbeddedAws, account: str) -> Any:
    """A boto3 session in the test's account, and the SDK's clients made to use it."""
    import boto3

    sdk_pipeline.quiet()
    key = aws.environment(account, sdk_pipeline.REGION)
    with pytest.MonkeyPatch.context() as patched:
        for name, value in key.items():
            patched.setenv(name, value)
        from sagemaker.core.utils.utils import SageMakerClient

        made = boto3.Session(region_name=sdk_pipeline.REGION)
        type(SageMakerClient)._instances.clear()  # its first client would serve the whole process
        SageMakerClient(session=made, region_name=sdk_pipeline.REGION)
        yield made


@pytest.fixture
def resources(session: Any) -> Any:  # noqa: ARG001 the classes take the clients that were made last
    """The module of the SDK's resource classes."""
    from sagemaker.core import resources

    return resources


def create(resources: Any, session: Any, world: World, *steps: dict[str, Any]) -> Any:
    definition = json.dumps({**DEFINITION, "Steps": list(steps)})
    return resources.Pipeline.create(
        pipeline_name="p",
        pipeline_definition=definition,
        client_request_token="0" * 32,
        role_arn=world.role,
        session=session,
        region=sdk_pipeline.REGION,
    )


def start(world: World, resources: Any) -> Any:
    arn = world.again([{"Name": "Period", "Value": "2013-06"}])
    return resources.PipelineExecution(pipeline_execution_arn=arn).refresh()


def test_a_pipeline_is_created_described_and_listed(world: World, resources: Any, session: Any) -> None:
    made = create(resources, session, world, step(world, "Make", "make"))

    assert made.pipeline_status == "Active"
    assert json.loads(made.pipeline_definition)["Steps"][0]["Name"] == "Make"
    assert [pipeline.pipeline_name for pipeline in resources.Pipeline.get_all()] == ["p"]


def test_an_execution_is_followed_to_its_end(world: World, resources: Any, session: Any) -> None:
    create(resources, session, world, step(world, "Make", "make"), training(world, "fit"))
    execution = start(world, resources)

    execution.wait_for_status("Succeeded", poll=1, timeout=60)

    assert execution.pipeline_execution_status == "Succeeded"
    steps = list(execution.get_all_steps())
    assert {one.step_name: one.step_status for one in steps} == {"Make": "Succeeded", "Fit": "Succeeded"}
    given = [(one.name, one.value) for one in execution.get_all_parameters()]
    assert given == [("Period", "2013-06")]
    assert json.loads(execution.get_pipeline_definition().pipeline_definition)["Version"] == "2020-12-01"


def test_a_failed_execution_says_why(world: World, resources: Any, session: Any) -> None:
    create(resources, session, world, fail("the month is empty"))
    execution = start(world, resources)
    world.follow(execution.pipeline_execution_arn)

    execution.refresh()

    assert execution.pipeline_execution_status == "Failed"
    assert execution.failure_reason == "the month is empty"


def test_jobs_are_described_by_their_own_classes(world: World, resources: Any, session: Any) -> None:
    create(resources, session, world, step(world, "Make", "make"), training(world, "fit"))
    outcome = world.follow(start(world, resources).pipeline_execution_arn)
    made, fit = outcome.steps

    processing = resources.ProcessingJob.get(made.metadata["ProcessingJob"]["Arn"].rsplit("/", 1)[1])
    trained = resources.TrainingJob.get(fit.metadata["TrainingJob"]["Arn"].rsplit("/", 1)[1])

    assert processing.processing_job_status == "Completed"
    assert trained.training_job_status == "Completed"
    assert trained.model_artifacts.s3_model_artifacts.endswith("/output/model.tar.gz")
    assert [job.training_job_name for job in resources.TrainingJob.get_all()] == [trained.training_job_name]


def test_groups_and_versions_are_made_described_and_listed(world: World, resources: Any, session: Any) -> None:
    group = resources.ModelPackageGroup.create(
        model_package_group_name="g", session=session, region=sdk_pipeline.REGION
    )
    world.client("sagemaker").create_model_package(
        ModelPackageGroupName="g",
        ModelApprovalStatus="PendingManualApproval",
        ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
        CustomerMetadataProperties={"auc": "0.77"},
    )

    (listed,) = resources.ModelPackage.get_all(model_package_group_name="g")
    version = resources.ModelPackage.get(listed.model_package_arn)

    assert group.model_package_group_status == "Completed"
    assert [one.model_package_group_name for one in resources.ModelPackageGroup.get_all()] == ["g"]
    assert version.model_life_cycle.stage == "Development"
    assert version.customer_metadata_properties == {"auc": "0.77"}

    version.update(model_approval_status="Approved")

    assert resources.ModelPackage.get(listed.model_package_arn).model_approval_status == "Approved"
    assert resources.ModelPackage.get(listed.model_package_arn).customer_metadata_properties == {"auc": "0.77"}
