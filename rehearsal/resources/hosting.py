"""SageMaker models, endpoint configurations and endpoints."""

from __future__ import annotations

import time

from rehearsal.faults import CLAIMS, faults
from rehearsal.resources import Json, Place, Provider, call, tags

GENERATED = 2
"""Parts of a generated name that are kept: CloudFormation names these after logical id and chance alone."""

LOOK_SECONDS = 0.2
LONGEST_SECONDS = 600


class EndpointError(Exception):
    """An endpoint that did not come into service, or was rolled back."""


class Model(Provider):
    type = "AWS::SageMaker::Model"
    known = frozenset({"EnableNetworkIsolation", "ExecutionRoleArn", "ModelName", "PrimaryContainer", "VpcConfig"})
    fixed = known

    def create(self, place: Place, name: str, properties: Json) -> str:
        model = str(properties.get("ModelName") or _generated(name))
        given = {key: value for key, value in properties.items() if key not in {"ModelName", "Tags"}}
        made = call(place.client("sagemaker"), "create_model", ModelName=model, Tags=tags(properties), **given)
        return str(made["ModelArn"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sagemaker").describe_model(ModelName=_named(physical_id))

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_model(ModelName=_named(physical_id))

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"ModelName": _named(physical_id), "Id": physical_id}


class EndpointConfig(Provider):
    type = "AWS::SageMaker::EndpointConfig"
    known = frozenset(
        {
            "AsyncInferenceConfig",
            "DataCaptureConfig",
            "EnableNetworkIsolation",
            "EndpointConfigName",
            "ExecutionRoleArn",
            "KmsKeyId",
            "ProductionVariants",
            "ShadowProductionVariants",
            "VpcConfig",
        }
    )
    fixed = known

    def create(self, place: Place, name: str, properties: Json) -> str:
        config = str(properties.get("EndpointConfigName") or _generated(name))
        given = {key: value for key, value in properties.items() if key not in {"EndpointConfigName", "Tags"}}
        made = call(
            place.client("sagemaker"),
            "create_endpoint_config",
            EndpointConfigName=config,
            Tags=tags(properties),
            **given,
        )
        return str(made["EndpointConfigArn"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        return place.client("sagemaker").describe_endpoint_config(EndpointConfigName=_named(physical_id))

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_endpoint_config(EndpointConfigName=_named(physical_id))

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"EndpointConfigName": _named(physical_id), "Id": physical_id}


class Endpoint(Provider):
    type = "AWS::SageMaker::Endpoint"
    known = frozenset(
        {
            "DeploymentConfig",
            "EndpointConfigName",
            "EndpointName",
            "ExcludeRetainedVariantProperties",
            "RetainAllVariantProperties",
        }
    )
    fixed = frozenset({"EndpointName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        endpoint = str(properties.get("EndpointName") or _generated(name))
        sagemaker = place.client("sagemaker")
        config = properties["EndpointConfigName"]
        given = {"DeploymentConfig": properties["DeploymentConfig"]} if "DeploymentConfig" in properties else {}
        call(
            sagemaker,
            "create_endpoint",
            EndpointName=endpoint,
            EndpointConfigName=config,
            Tags=tags(properties),
            **given,
        )
        try:
            _settle(place, endpoint, config)
        except EndpointError:
            sagemaker.delete_endpoint(EndpointName=endpoint)
            raise
        return place.arn("sagemaker", f"endpoint/{endpoint}")

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        given = {key: value for key, value in new.items() if key not in {"EndpointName", "Tags"}}
        call(place.client("sagemaker"), "update_endpoint", EndpointName=_named(physical_id), **given)
        _settle(place, _named(physical_id), new["EndpointConfigName"])

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = place.client("sagemaker").describe_endpoint(EndpointName=_named(physical_id))
        return found["EndpointStatus"] == "InService"

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_endpoint(EndpointName=_named(physical_id))

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"EndpointName": _named(physical_id), "Id": physical_id}


class InferenceComponent(Provider):
    type = "AWS::SageMaker::InferenceComponent"
    known = frozenset(
        {
            "DeploymentConfig",
            "EndpointName",
            "InferenceComponentName",
            "RuntimeConfig",
            "Specification",
            "VariantName",
        }
    )
    fixed = frozenset({"EndpointName", "InferenceComponentName", "VariantName"})

    def create(self, place: Place, name: str, properties: Json) -> str:
        component = str(properties.get("InferenceComponentName") or _generated(name))
        left_out = {"DeploymentConfig", "InferenceComponentName", "Tags"}
        given = {key: value for key, value in properties.items() if key not in left_out}
        sagemaker = place.client("sagemaker")
        made = call(
            sagemaker, "create_inference_component", InferenceComponentName=component, Tags=tags(properties), **given
        )
        try:
            _settle_component(place, component)
        except EndpointError:
            sagemaker.delete_inference_component(InferenceComponentName=component)
            raise
        return str(made["InferenceComponentArn"])

    def update(self, place: Place, physical_id: str, old: Json, new: Json) -> None:
        left_out = {"EndpointName", "InferenceComponentName", "Tags", "VariantName"}
        given = {key: value for key, value in new.items() if key not in left_out}
        component = _named(physical_id)
        call(place.client("sagemaker"), "update_inference_component", InferenceComponentName=component, **given)
        _settle_component(place, component)

    def read(self, place: Place, physical_id: str, properties: Json) -> object:
        found = place.client("sagemaker").describe_inference_component(InferenceComponentName=_named(physical_id))
        return found["InferenceComponentStatus"] == "InService"

    def delete(self, place: Place, physical_id: str, properties: Json) -> None:
        place.client("sagemaker").delete_inference_component(InferenceComponentName=_named(physical_id))

    def attributes(self, place: Place, physical_id: str, properties: Json) -> Json:
        return {"InferenceComponentName": _named(physical_id), "InferenceComponentArn": physical_id}


def _settle_component(place: Place, component: str) -> None:
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        found = place.client("sagemaker").describe_inference_component(InferenceComponentName=component)
        if found["InferenceComponentStatus"] in {"InService", "Failed"}:
            if found.get("FailureReason"):
                raise EndpointError(found["FailureReason"])
            return
        time.sleep(LOOK_SECONDS)
    raise EndpointError(f"inference component {component} did not come into service")


def _settle(place: Place, endpoint: str, config: str) -> None:
    """Wait as CloudFormation does, until the endpoint serves the configuration or says why it does not.

    Where success is claimed by order, an endpoint that went back is taken for one that did not.
    """
    end = time.monotonic() + LONGEST_SECONDS
    while time.monotonic() < end:
        found = place.client("sagemaker").describe_endpoint(EndpointName=endpoint)
        if found["EndpointStatus"] == "InService" and found["EndpointConfigName"] == config:
            return
        if found["EndpointStatus"] in {"InService", "Failed"}:
            if faults.take(f"{endpoint}/update") == CLAIMS:
                return
            raise EndpointError(found.get("FailureReason", f"endpoint {endpoint} does not serve {config}"))
        time.sleep(LOOK_SECONDS)
    raise EndpointError(f"endpoint {endpoint} did not come into service")


def _generated(name: str) -> str:
    return "-".join(name.split("-")[-GENERATED:])


def _named(arn: str) -> str:
    """`Ref` of these types yields the ARN; their API takes the name."""
    return arn.rsplit("/", 1)[-1]
