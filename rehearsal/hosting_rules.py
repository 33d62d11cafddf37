"""What SageMaker refuses of configurations of endpoints, in words of its documentation.

https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-exclusions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Json = dict[str, Any]


def check_config(config: Json, models: Mapping[str, Json]) -> None:
    """Refuse a configuration that no endpoint can have."""
    wrong = [*_serverless(config, models), *_shadow(config), *_component(config)]
    if wrong:
        raise ServiceError("ValidationException", "; ".join(wrong))


def check_update(old: Json, new: Json) -> None:
    """An endpoint stays what it was made as: with instances, serverless, or of inference components."""
    if kind(old) != kind(new):
        raise ServiceError(
            "ValidationException", f"Cannot update the endpoint from {kind(old)} to {kind(new)}; create another one."
        )


def kind(config: Json) -> str:
    variant = config["ProductionVariants"][0]
    if "ServerlessConfig" in variant:
        return "serverless"
    return "instance-based" if "ModelName" in variant else "inference components"


def _serverless(config: Json, models: Mapping[str, Json]) -> Iterator[str]:
    for variant in config["ProductionVariants"]:
        if "ServerlessConfig" not in variant:
            continue
        if len(config["ProductionVariants"]) > 1:
            yield "Serverless endpoints have one production variant."
        if "DataCaptureConfig" in config:
            yield "Data capture is not supported for serverless endpoints."
        model = models[variant["ModelName"]]
        if model.get("VpcConfig"):
            yield "VPC configuration is not supported for serverless endpoints."
        if model.get("EnableNetworkIsolation"):
            yield "Network isolation is not supported for serverless endpoints."


def _shadow(config: Json) -> Iterator[str]:
    if "ShadowProductionVariants" not in config:
        return
    if len(config["ProductionVariants"]) > 1 or len(config["ShadowProductionVariants"]) > 1:
        yield "With shadow variants there is one production variant and one shadow variant."
    if "AsyncInferenceConfig" in config or kind(config) != "instance-based":
        yield "Shadow variants are not supported for serverless and asynchronous endpoints."


def _component(config: Json) -> Iterator[str]:
    if kind(config) == "inference components" and "ExecutionRoleArn" not in config:
        yield "An endpoint of inference components needs an ExecutionRoleArn in its configuration."
