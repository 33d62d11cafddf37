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

Config = sagemaker.CfnEndpointConfig
Endpoint = sagemaker.CfnEndpoint
Component = sagemaker.CfnInferenceComponent

CONCURRENT_REQUESTS = 4
"""How many requests of its queue one instance of an asynchronous endpoint is given at a time: its server's workers."""

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
    """Blue/green: a share of the traffic first, all of it after the bake, back again when an alarm is raised.

    Serverless endpoints know no guardrails, and an endpoint of components is none to update: its components are.
    """
    if served.form not in {"realtime", "async"}:
        return None
    config = served.config
    canary = Endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=config.canary_percent)
    routing = Endpoint.TrafficRoutingConfigProperty(
        type="CANARY" if config.canary_percent else "ALL_AT_ONCE",
        canary_size=canary if config.canary_percent else None,
        wait_interval_in_seconds=config.bake_minutes * 60,
    )
    return Endpoint.DeploymentConfigProperty(
        blue_green_update_policy=Endpoint.BlueGreenUpdatePolicyProperty(
            traffic_routing_configuration=routing, termination_wait_in_seconds=60
        ),
        auto_rollback_configuration=Endpoint.AutoRollbackConfigProperty(
            alarms=[Endpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
        ),
    )


def component(
    served: Served, endpoint: sagemaker.CfnEndpoint, model: sagemaker.CfnModel, alarms: Sequence[cloudwatch.CfnAlarm]
) -> Component:
    """The copies of a model on an endpoint that may go to zero; an update rolls over them and goes back by its alarms.

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
                wait_interval_in_seconds=config.bake_minutes * 60,
            ),
            auto_rollback_configuration=Component.AutoRollbackConfigurationProperty(
                alarms=[Component.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
            ),
        ),
    )
    return served.while_live(made)
