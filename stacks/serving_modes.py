"""What each form of serving says to SageMaker: the variant, the queue, what is captured, how a release goes over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_sagemaker as sagemaker

from pipeline_code.contract import CaptureEnvironment
from stacks import names as spelling
from stacks.served import VARIANT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch

    from stacks.served import Served
    from stacks.serving_settings import ServingSettings

Config = sagemaker.CfnEndpointConfig
Endpoint = sagemaker.CfnEndpoint
Component = sagemaker.CfnInferenceComponent

CONCURRENT_REQUESTS = 4
"""How many requests of its queue one instance of an asynchronous endpoint is given at a time: its server's workers."""

OLD_FLEET_SECONDS, START_SECONDS = 60, 3600
"""How long the old fleet stays when it has no more traffic, and how long the new one may take to start.

With the bakes it is what SageMaker gives a release before it goes back; AWS names no default.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_BlueGreenUpdatePolicy.html
"""

CPUS = 1
ROLLING_PERCENT = 50
"""A component is updated by halves, the most that SageMaker allows."""


def variant(served: Served, model: sagemaker.CfnModel | None, name: str = VARIANT) -> Config.ProductionVariantProperty:
    """The one variant of an endpoint; behind inference components it has instances and no model."""
    config = served.config
    if served.form == "serverless":
        return Config.ProductionVariantProperty(
            variant_name=name,
            model_name=model.attr_model_name if model else None,
            initial_variant_weight=1,
            serverless_config=Config.ServerlessConfigProperty(
                max_concurrency=config.concurrency, memory_size_in_mb=config.memory_mb
            ),
        )
    if served.form == "component":
        return Config.ProductionVariantProperty(
            variant_name=name,
            instance_type=config.instance_type,
            initial_instance_count=1,
            managed_instance_scaling=Config.ManagedInstanceScalingProperty(
                status="ENABLED", min_instance_count=0, max_instance_count=config.max_instances
            ),
        )
    return Config.ProductionVariantProperty(
        variant_name=name,
        model_name=model.attr_model_name if model else None,
        instance_type=config.instance_type,
        initial_instance_count=config.min_instances,
        initial_variant_weight=1,
    )


def queue(served: Served) -> Config.AsyncInferenceConfigProperty | None:
    """Where an asynchronous endpoint leaves answers and failures."""
    if served.form != "async":
        return None
    stem = f"s3://{served.names.data_bucket}/{spelling.asynchronous_prefix(served.model)}"
    return Config.AsyncInferenceConfigProperty(
        client_config=Config.AsyncInferenceClientConfigProperty(
            max_concurrent_invocations_per_instance=CONCURRENT_REQUESTS
        ),
        output_config=Config.AsyncInferenceOutputConfigProperty(
            s3_output_path=f"{stem}/answers",
            s3_failure_path=f"{stem}/failures",
            kms_key_id=served.rooms.key.key_arn,
        ),
    )


def captured(served: Served) -> Config.DataCaptureConfigProperty | None:
    """Capture by SageMaker itself: a share of requests and answers, CSV and JSON as text."""
    config = served.config
    if not config.captured or config.capture != "sagemaker":
        return None
    return Config.DataCaptureConfigProperty(
        enable_capture=True,
        initial_sampling_percentage=config.capture_percent,
        destination_s3_uri=f"s3://{served.names.data_bucket}/{spelling.capture_prefix(served.model)}",
        kms_key_id=served.rooms.key.key_arn,
        capture_options=[Config.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")],
        capture_content_type_header=Config.CaptureContentTypeHeaderProperty(
            csv_content_types=["text/csv"], json_content_types=["application/json", "application/jsonlines"]
        ),
    )


def environment(served: Served, name: str = VARIANT) -> Mapping[str, str] | None:
    """What a server that captures must know; no other server is told anything."""
    config = served.config
    if not config.captured or config.capture != "server":
        return None
    destination = f"s3://{served.names.data_bucket}/{spelling.capture_prefix(served.model)}/{served.endpoint}/{name}"
    return CaptureEnvironment(destination, config.capture_percent).render()


def deployment(served: Served, alarms: Sequence[cloudwatch.CfnAlarm]) -> Endpoint.DeploymentConfigProperty | None:
    """Blue/green: a share of the traffic first, more after each bake, back again when an alarm is raised.

    Serverless endpoints know no guardrails, and an endpoint of components is none to update: its components are.
    """
    if served.form not in {"realtime", "async"}:
        return None
    bakes = served.config.bakes * served.config.bake_minutes * 60
    return Endpoint.DeploymentConfigProperty(
        blue_green_update_policy=Endpoint.BlueGreenUpdatePolicyProperty(
            traffic_routing_configuration=_routing(served.config),
            termination_wait_in_seconds=OLD_FLEET_SECONDS,
            maximum_execution_timeout_in_seconds=START_SECONDS + bakes + OLD_FLEET_SECONDS,
        ),
        auto_rollback_configuration=Endpoint.AutoRollbackConfigProperty(
            alarms=[Endpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
        ),
    )


def _routing(config: ServingSettings) -> Endpoint.TrafficRoutingConfigProperty:
    """https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_TrafficRoutingConfig.html."""
    wait = config.bake_minutes * 60
    if config.shifting == "linear":
        return Endpoint.TrafficRoutingConfigProperty(
            type="LINEAR", linear_step_size=_share(config.step_percent), wait_interval_in_seconds=wait
        )
    if config.canary_percent:
        return Endpoint.TrafficRoutingConfigProperty(
            type="CANARY", canary_size=_share(config.canary_percent), wait_interval_in_seconds=wait
        )
    return Endpoint.TrafficRoutingConfigProperty(type="ALL_AT_ONCE", wait_interval_in_seconds=wait)


def _share(percent: int) -> Endpoint.CapacitySizeProperty:
    return Endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=percent)


def component(served: Served, endpoint: sagemaker.CfnEndpoint, model: sagemaker.CfnModel) -> Component:
    """The copies of a model on an endpoint that may go to zero; an update rolls over them.

    No alarm takes it back: those there could be see the old copies, too, and would bar the way back from failing ones.
    SageMaker takes no component that is made with zero copies: the first copy goes when it is not asked.
    https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-deploy-models.html
    """
    config = served.config
    made = Component(
        served.stack,
        "Component",
        inference_component_name=served.component,
        endpoint_name=endpoint.attr_endpoint_name,
        variant_name=VARIANT,
        specification=Component.InferenceComponentSpecificationProperty(
            model_name=model.attr_model_name,
            compute_resource_requirements=Component.InferenceComponentComputeResourceRequirementsProperty(
                min_memory_required_in_mb=config.memory_mb, number_of_cpu_cores_required=CPUS
            ),
        ),
        runtime_config=Component.InferenceComponentRuntimeConfigProperty(copy_count=1),
        deployment_config=Component.InferenceComponentDeploymentConfigProperty(
            rolling_update_policy=Component.InferenceComponentRollingUpdatePolicyProperty(
                maximum_batch_size=Component.InferenceComponentCapacitySizeProperty(
                    type="CAPACITY_PERCENT", value=ROLLING_PERCENT
                ),
                wait_interval_in_seconds=0,  # nothing is watched meanwhile
            )
        ),
    )
    return served.while_live(made)
