"""A model's endpoint: the version that the desired state names, released blue/green, scaled by its load, watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import aws_cdk as cdk
from aws_cdk import aws_applicationautoscaling as scaling
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_sagemaker as sagemaker

from stacks import names as spelling
from stacks.endpoint_role import endpoint_role
from stacks.releaser import PROBES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.network import Network
    from stacks.settings import ServingSettings

R = TypeVar("R", bound=cdk.CfnResource)

NONE = "none"
"""The desired version of a model that has no endpoint yet."""

VARIANT = "main"
KEPT = ("DataCaptureConfig", "DesiredWeight")
"""What an update takes from the new configuration, not from the endpoint: else capture settings would freeze."""


@dataclass(frozen=True)
class Surroundings:
    """What a serving room stands on; `registry` names where its versions come from."""

    key: kms.IKey
    network: Network
    registry: Names


@dataclass(frozen=True)
class Watched:
    """One alarm: raised when the metric's sum of a minute, or its percentile, is above the threshold."""

    id: str
    namespace: str
    metric: str
    dimensions: dict[str, str]
    threshold: float
    percentile: str | None = None


class Serving(cdk.Stack):
    """Owns one model's endpoint, its role, scaling and alarms; all but the role only while a version is live."""

    def __init__(
        self, scope: Construct, id: str, *, model: str, config: ServingSettings, names: Names, rooms: Surroundings
    ) -> None:
        super().__init__(scope, id, description=f"Endpoint of {model}")
        self._model, self._config, self._names, self._rooms = model, config, names, rooms
        # CloudFormation fetches the value anew at every operation: deployment, release and rollback share one truth.
        self._version = cdk.CfnParameter(
            self,
            "Version",
            type="AWS::SSM::Parameter::Value<String>",
            default=names.version_parameter(model),
            description="The parameter that names the version to serve",
        )
        self._live = cdk.CfnCondition(
            self,
            "Live",
            expression=cdk.Fn.condition_not(cdk.Fn.condition_equals(self._version.value_as_string, NONE)),
        )
        configured = self._configured(self._served_by(self._role()))
        self._scaled(self._endpoint(configured, [self._alarm(watched) for watched in self._watched(configured)]))

    def _role(self) -> iam.Role:
        rooms = self._rooms
        return endpoint_role(self, "Role", model=self._model, names=self._names, registry=rooms.registry, key=rooms.key)

    def _served_by(self, role: iam.Role) -> sagemaker.CfnModel:
        network = self._rooms.network
        model = sagemaker.CfnModel(
            self,
            "Model",
            execution_role_arn=role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                model_package_name=self._version.value_as_string
            ),
            enable_network_isolation=True,
            vpc_config=sagemaker.CfnModel.VpcConfigProperty(
                subnets=network.subnet_ids, security_group_ids=network.security_group_ids
            ),
        )
        model.node.add_dependency(role.node.find_child("DefaultPolicy"))
        return self._replaceable(model)

    def _configured(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpointConfig:
        config, key = self._config, self._rooms.key.key_arn
        capture = sagemaker.CfnEndpointConfig.DataCaptureConfigProperty(
            enable_capture=True,
            initial_sampling_percentage=config.capture_percent,
            destination_s3_uri=f"s3://{self._names.data_bucket}/{spelling.capture_prefix(self._model)}",
            kms_key_id=key,
            capture_options=[
                sagemaker.CfnEndpointConfig.CaptureOptionProperty(capture_mode=mode) for mode in ("Input", "Output")
            ],
            capture_content_type_header=sagemaker.CfnEndpointConfig.CaptureContentTypeHeaderProperty(
                csv_content_types=["text/csv"], json_content_types=["application/json", "application/jsonlines"]
            ),
        )
        return self._replaceable(
            sagemaker.CfnEndpointConfig(
                self,
                "Config",
                production_variants=[
                    sagemaker.CfnEndpointConfig.ProductionVariantProperty(
                        variant_name=VARIANT,
                        model_name=model.attr_model_name,
                        instance_type=config.instance_type,
                        initial_instance_count=config.min_instances,
                        initial_variant_weight=1,
                    )
                ],
                kms_key_id=key,
                data_capture_config=capture if config.capture_percent else None,
            )
        )

    def _endpoint(
        self, configured: sagemaker.CfnEndpointConfig, alarms: Sequence[cloudwatch.CfnAlarm]
    ) -> sagemaker.CfnEndpoint:
        """Blue/green: a share of the traffic first, all of it after the bake, back again when an alarm is raised."""
        config, endpoint = self._config, sagemaker.CfnEndpoint
        routing = endpoint.TrafficRoutingConfigProperty(
            type="CANARY",
            canary_size=endpoint.CapacitySizeProperty(type="CAPACITY_PERCENT", value=config.canary_percent),
            wait_interval_in_seconds=config.bake_minutes * 60,
        )
        made = endpoint(
            self,
            "Endpoint",
            endpoint_name=self._names.endpoint(self._model),
            endpoint_config_name=configured.attr_endpoint_config_name,
            deployment_config=endpoint.DeploymentConfigProperty(
                blue_green_update_policy=endpoint.BlueGreenUpdatePolicyProperty(
                    traffic_routing_configuration=routing, termination_wait_in_seconds=60
                ),
                auto_rollback_configuration=endpoint.AutoRollbackConfigProperty(
                    alarms=[endpoint.AlarmProperty(alarm_name=alarm.ref) for alarm in alarms]
                ),
            ),
            retain_all_variant_properties=True,
            exclude_retained_variant_properties=[
                endpoint.VariantPropertyProperty(variant_property_type=kind) for kind in KEPT
            ],
        )
        made.cfn_options.condition = self._live
        return made

    def _watched(self, configured: sagemaker.CfnEndpointConfig) -> list[Watched]:
        """What takes a release back.

        On the new fleet alone: an alarm on the old one would stop the very release that cures it. A quiet endpoint
        shows no errors by itself, so a release asks it, and tells in a metric what came back wrong.
        """
        endpoint = {"EndpointName": self._names.endpoint(self._model)}
        fleet = {**endpoint, "VariantName": VARIANT, "EndpointConfigName": configured.attr_endpoint_config_name}
        slow = self._config.latency_ms * 1000  # in microseconds, as SageMaker counts
        return [
            Watched("Errors", "AWS/SageMaker", "Invocation5XXErrors", fleet, 0),
            Watched("Slow", "AWS/SageMaker", "ModelLatency", fleet, slow, percentile="p95"),
            Watched("Probes", PROBES, "FailedProbes", endpoint, 0),
        ]

    def _alarm(self, watched: Watched) -> cloudwatch.CfnAlarm:
        alarm = cloudwatch.CfnAlarm(
            self,
            watched.id,
            alarm_name=f"{self._names.endpoint(self._model)}-{watched.id.lower()}",
            alarm_description=f"Takes a new version of {self._model} back while it is released",
            namespace=watched.namespace,
            metric_name=watched.metric,
            dimensions=[
                cloudwatch.CfnAlarm.DimensionProperty(name=name, value=value)
                for name, value in watched.dimensions.items()
            ],
            statistic=None if watched.percentile else "Sum",
            extended_statistic=watched.percentile,
            threshold=watched.threshold,
            comparison_operator="GreaterThanThreshold",
            period=60,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[self._names.topic_arn],
        )
        alarm.cfn_options.condition = self._live
        return alarm

    def _scaled(self, endpoint: sagemaker.CfnEndpoint) -> None:
        """Instances follow the load.

        The target is what one instance bears a minute, times a safety factor: scaling takes minutes, the load does not.
        https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-loadtest.html
        """
        config = self._config
        target = scaling.CfnScalableTarget(
            self,
            "Scaling",
            service_namespace="sagemaker",
            resource_id=f"endpoint/{endpoint.attr_endpoint_name}/variant/{VARIANT}",
            scalable_dimension="sagemaker:variant:DesiredInstanceCount",
            min_capacity=config.min_instances,
            max_capacity=config.max_instances,
        )
        target.cfn_options.condition = self._live
        policy = scaling.CfnScalingPolicy
        by_load = policy.TargetTrackingScalingPolicyConfigurationProperty(
            target_value=config.requests_per_second * 60 * config.safety_factor,
            predefined_metric_specification=policy.PredefinedMetricSpecificationProperty(
                predefined_metric_type="SageMakerVariantInvocationsPerInstance"
            ),
            scale_in_cooldown=300,
            scale_out_cooldown=60,
        )
        made = policy(
            self,
            "ScalingPolicy",
            policy_name="load",
            policy_type="TargetTrackingScaling",
            scaling_target_id=target.ref,
            target_tracking_scaling_policy_configuration=by_load,
        )
        made.cfn_options.condition = self._live

    def _replaceable(self, resource: R) -> R:
        """Only while live; what it replaces stays until a release is proved, so that going back needs nothing new."""
        resource.cfn_options.condition = self._live
        resource.cfn_options.update_replace_policy = cdk.CfnDeletionPolicy.RETAIN
        resource.cfn_options.deletion_policy = cdk.CfnDeletionPolicy.DELETE
        return resource
