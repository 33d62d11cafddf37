"""A release makes a version live and proves it in every mode, by the room's own template."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from serving_modes import MODEL
from serving_site import PREFIX, STACK, Site

from operations.journal import SUCCEEDED
from operations.place import Place
from operations.release import Releaser
from stacks.capabilities import CAPABILITIES

if TYPE_CHECKING:
    from serving_world import Version

    from rehearsal.embedded import EmbeddedAws


def place(site: Site, kind: Any) -> Place:
    form: Any = "realtime" if kind == "shadow" else kind
    return dataclasses.replace(
        site.serving.place,
        model=MODEL,
        stack=STACK,
        endpoint=f"{PREFIX}-flight-delay{CAPABILITIES[form].suffix}",
        parameter=f"/slipway/dev/{MODEL}/version",
        form=form,
        shadow=f"/slipway/dev/{MODEL}/shadow" if kind == "shadow" else "",
        requests=f"s3://{site.bucket}/asynchronous/{MODEL}/requests",
    )


@pytest.mark.parametrize("form", ["serverless", "async", "component", "batch"])
def test_a_version_is_released_and_proved(site: Site, version: Version, form: str) -> None:
    site.serving.build()
    site.serving.tables()
    site.deploy(form, "none")
    releaser = Releaser(site.client, place(site, form))
    assert releaser.live() == "none"

    entry = releaser.release(version.arn)

    assert (entry.outcome, releaser.live()) == (SUCCEEDED, version.arn)


def hosted(site: Site) -> tuple[set[str], set[str]]:
    """Names of the models and configurations there are."""
    sagemaker = site.client("sagemaker")
    models = {one["ModelName"] for one in sagemaker.list_models()["Models"]}
    return models, {one["EndpointConfigName"] for one in sagemaker.list_endpoint_configs()["EndpointConfigs"]}


def owned(site: Site) -> tuple[set[str], set[str]]:
    """Names of those that the stack has."""
    found = site.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]

    def named(kind: str) -> set[str]:
        return {r["PhysicalResourceId"].split("/")[1] for r in found if r["ResourceType"] == f"AWS::SageMaker::{kind}"}

    return named("Model"), named("EndpointConfig")


@pytest.mark.parametrize("form", ["batch", *(pytest.param(f, marks=pytest.mark.long) for f in ("component", "async"))])
def test_of_what_releases_and_deployments_leave_only_what_serves_stays(site: Site, version: Version, form: str) -> None:
    site.serving.build()
    site.serving.tables()
    site.deploy(form, "none")
    releaser = Releaser(site.client, place(site, form))
    releaser.release(version.arn)
    site.deploy(form, version.arn, instance_type="ml.m5.2xlarge")

    releaser.release(site.serving.register().arn)

    assert hosted(site) == owned(site)
    assert len(hosted(site)[0]) == 1


@pytest.mark.long
def test_the_model_in_the_shadow_outlives_the_configuration_it_was_first_in(site: Site, version: Version) -> None:
    site.serving.tables()
    site.deploy("shadow", "none")
    releaser = Releaser(site.client, place(site, "shadow"))
    site.shadow(site.serving.register().arn)
    releaser.release(version.arn)
    config = site.client("sagemaker").describe_endpoint_config(EndpointConfigName=hosted(site)[1].pop())
    (shadow,) = (variant["ModelName"] for variant in config["ShadowProductionVariants"])

    entry = releaser.release(site.serving.register().arn)

    models, _ = hosted(site)
    assert (entry.outcome, shadow in models) == (SUCCEEDED, True)
    assert hosted(site) == owned(site)


@pytest.mark.long
@pytest.mark.parametrize("form", ["async", "component"])
def test_what_went_to_zero_is_released_and_proved(site: Site, version: Version, aws: EmbeddedAws, form: str) -> None:
    """The release's own requests bring the first instance."""
    site.serving.build()
    site.serving.tables()
    site.deploy(form, version.arn, scale_to_zero=True, canary_percent=0)
    aws.skip(16 * 60, "nobody asks")
    scaling = site.client("application-autoscaling")
    (down,) = scaling.describe_scaling_activities(ServiceNamespace="sagemaker")["ScalingActivities"]
    assert down["Description"].endswith("count to 0.")
    new = site.serving.register().arn

    releaser = Releaser(site.client, place(site, form))
    entry = releaser.release(new)

    assert (entry.outcome, releaser.live()) == (SUCCEEDED, new)
