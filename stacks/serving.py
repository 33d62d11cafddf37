"""A model's endpoint: the version that the desired state names, in the model's mode, released, scaled, watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker

from pipeline_code.models import load_model
from stacks import scaling, serving_modes, watching
from stacks.endpoint_role import endpoint_role
from stacks.served import VARIANT, Served

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_cloudwatch as cloudwatch
    from constructs import Construct

    from stacks.names import Names
    from stacks.served import Surroundings
    from stacks.serving_settings import ServingSettings

NONE = "none"
"""The desired version of a model that has no endpoint yet."""

KEPT = ("DataCaptureConfig", "DesiredWeight")
"""What an update takes from the new configuration, not from the endpoint: else capture settings would freeze."""

SHADOW = "shadow"
"""Name of the variant that gets a copy of the requests."""


class Serving(cdk.Stack):
    """Owns one model's endpoint, its role, scaling, alarms and dashboard; the endpoint only while a version is live.

    For batch there is no endpoint: the model alone is released, and transform jobs name it.
    """

    def __init__(
        self, scope: Construct, id: str, *, model: str, config: ServingSettings, names: Names, rooms: Surroundings
    ) -> None:
        super().__init__(scope, id, description=f"Endpoint of {model}")
        cdk.Tags.of(self).add("model", model)  # by it a release finds what the stack has made and nothing serves now
        # CloudFormation fetches the value anew at every operation: deployment, release and rollback share one truth.
        self._version = self._parameter("Version", names.version_parameter(model), "the version to serve")
        live = self._unless_none("Live", self._version)
        self._served = Served(self, model, config.of(model), names, rooms, live)
        self._role = endpoint_role(self, "Role", served=self._served)
        released = self._model("Model", self._version)
        if self._served.form == "batch":
            return
        configured = self._configured(released)
        alarms = watching.takes_back(self._served, configured)
        endpoint = self._endpoint(configured, alarms)
        grows: cdk.CfnResource = endpoint
        if self._served.form == "component":
            grows = serving_modes.component(self._served, endpoint, released)
        scaling.scaled(self._served, grows)
        watching.tells(self._served)
        watching.dashboard(self._served)

    def _parameter(self, id: str, name: str, names_what: str) -> cdk.CfnParameter:
        return cdk.CfnParameter(
            self,
            id,
            type="AWS::SSM::Parameter::Value<String>",
            default=name,
            description=f"The parameter that names {names_what}",
        )

    def _unless_none(self, id: str, *versions: cdk.CfnParameter) -> cdk.CfnCondition:
        none = [cdk.Fn.condition_equals(version.value_as_string, NONE) for version in versions]
        lacking = none[0] if len(none) == 1 else cdk.Fn.condition_or(*none)
        return cdk.CfnCondition(self, id, expression=cdk.Fn.condition_not(lacking))

    def _model(
        self, id: str, version: cdk.CfnParameter, *, variant: str = VARIANT, condition: cdk.CfnCondition | None = None
    ) -> sagemaker.CfnModel:
        served, network = self._served, self._served.rooms.network
        model = sagemaker.CfnModel(
            self,
            id,
            execution_role_arn=self._role.role_arn,
            primary_container=sagemaker.CfnModel.ContainerDefinitionProperty(
                model_package_name=version.value_as_string, environment=serving_modes.environment(served, variant)
            ),
            enable_network_isolation=served.config.network_isolation,
            vpc_config=sagemaker.CfnModel.VpcConfigProperty(
                subnets=network.subnet_ids, security_group_ids=network.security_group_ids
            )
            if served.config.vpc
            else None,
        )
        if served.config.vpc_exempt:
            model.add_metadata("vpc_exempt", served.config.vpc_exempt)  # rules.guard asks for it
        model.node.add_dependency(self._role.node.find_child("DefaultPolicy"))
        return served.replaceable(model, condition)

    def _configured(self, model: sagemaker.CfnModel) -> sagemaker.CfnEndpointConfig:
        served = self._served
        configured = sagemaker.CfnEndpointConfig(
            self,
            "Config",
            production_variants=[serving_modes.variant(served, model)],
            kms_key_id=served.rooms.key.key_arn,
            data_capture_config=serving_modes.captured(served),
            async_inference_config=serving_modes.queue(served),
            shadow_production_variants=self._shadow(),
        )
        if served.form == "component":
            # Without a model the configuration itself says in whose name and in which network the endpoint runs.
            network = served.rooms.network
            configured.execution_role_arn = self._role.role_arn
            configured.enable_network_isolation = served.config.network_isolation
            configured.vpc_config = sagemaker.CfnEndpointConfig.VpcConfigProperty(
                subnets=network.subnet_ids, security_group_ids=network.security_group_ids
            )
        return served.replaceable(configured)

    def _shadow(self) -> cdk.IResolvable | None:
        """A second version that gets a copy of all requests, while a parameter of its own names one.

        https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
        """
        served = self._served
        if not load_model(served.model).shadow:
            return None
        version = self._parameter("Shadow", served.names.shadow_parameter(served.model), "the version in the shadow")
        both = self._unless_none("Shadowed", self._version, version)
        model = self._model("ShadowModel", version, variant=SHADOW, condition=both)
        variants = [serving_modes.variant(served, model, SHADOW)]
        return cdk.Token.as_any(cdk.Fn.condition_if(both.logical_id, variants, cdk.Aws.NO_VALUE))

    def _endpoint(
        self, configured: sagemaker.CfnEndpointConfig, alarms: Sequence[cloudwatch.CfnAlarm]
    ) -> sagemaker.CfnEndpoint:
        deployment = serving_modes.deployment(self._served, alarms)
        kept = [sagemaker.CfnEndpoint.VariantPropertyProperty(variant_property_type=kind) for kind in KEPT]
        made = sagemaker.CfnEndpoint(
            self,
            "Endpoint",
            endpoint_name=self._served.endpoint,
            endpoint_config_name=configured.attr_endpoint_config_name,
            deployment_config=deployment,
            retain_all_variant_properties=True if deployment else None,
            exclude_retained_variant_properties=kept if deployment else None,
        )
        return self._served.while_live(made)
