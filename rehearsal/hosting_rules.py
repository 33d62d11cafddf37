"""What SageMaker refuses of configurations of endpoints, in words of its documentation, and what it retains of them.

https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html
https://docs.aws.amazon.com/sagemaker/latest/dg/shadow-tests-exclusions.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rehearsal.api import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rehearsal.fleet import Fleet
    from rehearsal.hosted import Endpoint

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


def check_capacities(endpoint: Endpoint, wanted: Sequence[Json]) -> None:
    """Only an endpoint in service changes its instances; it keeps one, unless a queue can wait for the next."""
    name = endpoint.described["EndpointName"]
    if endpoint.status != "InService":
        raise ServiceError("ValidationException", f"Cannot update in-progress endpoint {name!r}.")
    empty = [one["VariantName"] for one in wanted if one.get("DesiredInstanceCount") == 0]
    if empty and "AsyncInferenceConfig" not in endpoint.config:
        raise ServiceError("ValidationException", f"DesiredInstanceCount of {', '.join(empty)} must be at least 1.")


def kept(endpoint: Endpoint, request: Json, config: Json) -> Json:
    """A configuration with what an update retains of the endpoint: all properties of its variants, less those excluded.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpoint.html
    """
    if not request.get("RetainAllVariantProperties"):
        return config
    excluded = {one["VariantPropertyType"] for one in request.get("ExcludeRetainedVariantProperties", [])}
    made = dict(config)
    for side, fleets in (("ProductionVariants", endpoint.fleets), ("ShadowProductionVariants", endpoint.shadows)):
        if side in config:
            was = {fleet.origin.variant: fleet for fleet in fleets}
            made[side] = [_retained(v, was.get(v["VariantName"]), excluded) for v in config[side]]
    if "DataCaptureConfig" not in excluded:
        made.pop("DataCaptureConfig", None)
        captured = endpoint.config.get("DataCaptureConfig")
        made.update({"DataCaptureConfig": captured} if captured else {})
    return made


def _retained(variant: Json, was: Fleet | None, excluded: set[str]) -> Json:
    """A variant of the same name keeps its instances and its weight."""
    if was is None or "ServerlessConfig" in variant:
        return variant
    properties = {
        "DesiredInstanceCount": {"InitialInstanceCount": was.instances},
        "DesiredWeight": {"InitialVariantWeight": was.described.get("InitialVariantWeight", 1.0)},
    }
    retained = [values for name, values in properties.items() if name not in excluded]
    return {**variant, **{key: value for values in retained for key, value in values.items()}}
