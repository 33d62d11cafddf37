"""The SDK's own resource classes start, follow, list and describe what the rehearsal runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sdk_pipeline
from engine_world import World, fail, step, training
from real_jobs import Real
from serving_world import ENDPOINT, Serving

from stacks.config import ROOT

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


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """As everywhere in the tests, but made by the environment that has what jobs use."""
    folder = tmp_path_factory.mktemp("real")
    command = [ROOT / ".venv/bin/python", ROOT / "tests/sdk/make_real.py", folder]
    path = f"{ROOT}:{ROOT / 'tests'}"
    subprocess.run(command, check=True, env={"PATH": "/usr/bin:/bin", "PYTHONPATH": path, "MPLCONFIGDIR": str(folder)})
    made = json.loads((folder / "real.json").read_text())
    return Real(**{name: Path(value) for name, value in made.items()})


def served(resources: Any, session: Any, serving: Serving, name: str) -> Any:
    """Model and configuration of a new version, made by the SDK's classes; returns the configuration."""
    arn = serving.register().arn
    resources.Model.create(
        model_name=name,
        primary_container={"model_package_name": arn},
        execution_role_arn=serving.world.role,
        session=session,
        region=sdk_pipeline.REGION,
    )
    variant = {
        "variant_name": "main",
        "model_name": name,
        "initial_instance_count": 2,
        "instance_type": "ml.m5.large",
    }
    return resources.EndpointConfig.create(
        endpoint_config_name=name, production_variants=[variant], session=session, region=sdk_pipeline.REGION
    )


@pytest.fixture
def group(serving: Serving) -> str:
    serving.sagemaker.create_model_package_group(ModelPackageGroupName="versions")
    return "versions"


def test_a_version_is_asked_for_and_approved(serving: Serving, group: str, resources: Any) -> None:
    serving.register()
    (listed,) = resources.ModelPackage.get_all(model_package_group_name=group)
    version = resources.ModelPackage.get(listed.model_package_arn)

    version.update(model_life_cycle={"stage": "Staging", "stage_status": "PendingApproval"})
    asked = resources.ModelPackage.get(listed.model_package_arn)
    version.update(model_life_cycle={"stage": "Staging", "stage_status": "Approved"}, model_approval_status="Approved")
    approved = resources.ModelPackage.get(listed.model_package_arn)

    assert (asked.model_life_cycle.stage_status, asked.model_approval_status) == (
        "PendingApproval",
        "PendingManualApproval",
    )
    assert (approved.model_life_cycle.stage, approved.model_life_cycle.stage_status) == ("Staging", "Approved")
    assert approved.model_approval_status == "Approved"


@pytest.mark.usefixtures("group")
def test_an_endpoint_is_made_waited_for_asked_and_updated(serving: Serving, resources: Any, session: Any) -> None:
    first, second = (served(resources, session, serving, name) for name in ("first", "second"))
    known = serving.register()
    endpoint = resources.Endpoint.create(
        endpoint_name=ENDPOINT,
        endpoint_config_name=first.endpoint_config_name,
        session=session,
        region=sdk_pipeline.REGION,
    )

    endpoint.wait_for_status("InService", poll=1, timeout=120)
    answer = endpoint.invoke(body=known.rows[0].encode(), content_type="text/csv", accept="application/json")
    endpoint.endpoint_config_name = second.endpoint_config_name  # the way the class takes another one
    endpoint.update()
    endpoint.wait_for_status("InService", poll=1, timeout=120)

    (prediction,) = json.loads(answer.body.read())["predictions"]
    assert prediction["probability"] == pytest.approx(known.probabilities[0], abs=1e-6)
    assert resources.Endpoint.get(ENDPOINT).endpoint_config_name == "second"
    assert [one.endpoint_name for one in resources.Endpoint.get_all()] == [ENDPOINT]
    variant = resources.EndpointConfig.get("second").production_variants[0]
    model = resources.Model.get(variant.model_name)
    assert model.primary_container.model_package_name.endswith(":model-package/versions/2")
