"""A release makes a version live and proves it in every mode, by the room's own template."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from serving_modes import MODEL
from serving_site import PREFIX, STACK, Close, Site

from operations.journal import ROLLED_BACK, SUCCEEDED
from operations.place import Place
from operations.release import Releaser
from operations.serving_stack import ReleaseError
from rehearsal.faults import FAILING
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


@dataclass(frozen=True)
class Served:
    """The room of one form, and who releases to it."""

    site: Site
    aws: EmbeddedAws
    form: str
    releaser: Releaser

    def fails(self, version: str) -> str:
        """Release a version whose container fails; returns what was said."""
        self.aws.order_fault(self.releaser.place.endpoint, FAILING)
        with pytest.raises(ReleaseError) as told:
            self.releaser.release(version)
        assert self.releaser.journal.entries()[0].outcome == ROLLED_BACK
        return str(told.value)

    def answers(self, version: Version) -> list[float]:
        endpoint = self.releaser.place.endpoint
        more = {"InferenceComponentName": endpoint} if self.form == "component" else {}
        return self.site.ask(endpoint, version.rows, **more)

    def endpoints(self) -> list[str]:
        return [one["EndpointName"] for one in self.site.client("sagemaker").list_endpoints()["Endpoints"]]


def serve(site: Site, aws: EmbeddedAws, form: str, **settings: Any) -> Served:
    site.serving.tables()
    site.deploy(form, "none", **settings)
    return Served(site, aws, form, Releaser(site.client, place(site, form), poll_seconds=0.05))


@pytest.mark.long
@pytest.mark.parametrize("form", ["serverless", "component", "async"])
def test_in_each_form_a_failing_version_goes_back_to_what_was_before_it(
    site: Site, aws: EmbeddedAws, version: Version, close: Close, form: str
) -> None:
    served = serve(site, aws, form)

    first = served.fails(version.arn)
    assert "was taken back, none is live" in first
    assert (served.releaser.live(), served.endpoints(), hosted(site)) == ("none", [], (set(), set()))

    served.releaser.release(version.arn)
    other = site.serving.register().arn
    second = served.fails(other)
    assert f"{other} was taken back, {version.arn} is live" in second
    assert served.releaser.live() == version.arn
    if form != "async":  # which answers into a bucket, as its release has seen
        assert close(served.answers(version))

    assert served.releaser.release(other).outcome == SUCCEEDED
    assert (served.releaser.live(), hosted(site)) == (other, owned(site))


@pytest.mark.long
@pytest.mark.parametrize("form", ["serverless", "component", "async", "batch"])
def test_in_each_form_one_command_goes_back(site: Site, aws: EmbeddedAws, version: Version, form: str) -> None:
    served = serve(site, aws, form)
    served.releaser.release(version.arn)
    served.releaser.release(site.serving.register().arn)

    entry = served.releaser.rollback()

    assert (entry.outcome, entry.version, served.releaser.live()) == (SUCCEEDED, version.arn, version.arn)
    assert hosted(site) == owned(site)


@pytest.mark.long
def test_a_change_of_mode_serves_the_same_version_at_another_endpoint(
    site: Site, aws: EmbeddedAws, version: Version, close: Close
) -> None:
    before = serve(site, aws, "realtime")
    before.releaser.release(version.arn)

    site.deploy("serverless", version.arn)
    after = Served(site, aws, "serverless", Releaser(site.client, place(site, "serverless")))

    assert close(after.answers(version))
    assert after.endpoints() == [f"{PREFIX}-flight-delay-serverless"]
    assert after.releaser.live() == version.arn
    assert before.releaser.live() == "none"
    with pytest.raises(ClientError, match=f"Endpoint {PREFIX}-flight-delay of account"):
        before.answers(version)
    other = site.serving.register().arn
    assert after.releaser.release(other).outcome == SUCCEEDED
    assert (after.releaser.live(), hosted(site)) == (other, owned(site))
    assert after.releaser.rollback().version == version.arn  # what was live before the change is known after it


@pytest.mark.long
def test_a_release_goes_over_in_equal_steps_each_watched(
    site: Site, aws: EmbeddedAws, version: Version, close: Close
) -> None:
    served = serve(site, aws, "realtime", shifting="linear", step_percent=25, bake_minutes=5)
    served.releaser.release(version.arn)
    other = site.serving.register()
    before = aws.clock()["simulated_seconds"]

    assert served.releaser.release(other.arn).outcome == SUCCEEDED

    assert aws.clock()["simulated_seconds"] - before == 4 * 300
    assert (served.releaser.live(), close(served.answers(other))) == (other.arn, True)
    assert f"{other.arn} is live" in served.fails(site.serving.register().arn)
    assert served.releaser.live() == other.arn
    assert close(served.answers(other))
