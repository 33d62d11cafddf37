"""How many instances a variant has, how many copies a component: read, set by people and by scaling.

One process answers for all of them. What their number decides is what is reckoned by it: the load that each is told to
have, how many requests of a queue are worked at, and whether anybody answers at all.
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateEndpointWeightsAndCapacities.html
https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_UpdateInferenceComponentRuntimeConfig.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from moto.sagemaker.responses import SageMakerResponse

from rehearsal import hosting_rules
from rehearsal.api import ServiceError, install
from rehearsal.hosted import described

if TYPE_CHECKING:
    from rehearsal.api import Caller
    from rehearsal.endpoints import Endpoints
    from rehearsal.fleet import Fleet
    from rehearsal.hosted import Endpoint, Region

Json = dict[str, Any]


@dataclass(frozen=True)
class Instances:
    """Those of one variant."""

    endpoint: Endpoint
    fleet: Fleet
    noun = "instance"

    @property
    def count(self) -> int:
        return self.fleet.instances

    @property
    def movable(self) -> bool:
        """SageMaker changes one thing at a time: while an endpoint is updated its instances stay."""
        return self.endpoint.status == "InService"

    def move(self, count: int) -> None:
        self.fleet.instances = count
        self.endpoint.described.update(described(self.endpoint))
        self.endpoint.queue.look()

    def pulse(self) -> list[tuple[str, float, dict[str, str]]]:
        """What SageMaker tells every minute, asked or not: no load is a load of zero, and a queue has its length.

        https://docs.aws.amazon.com/sagemaker/latest/dg/async-inference-monitor.html
        """
        named = {"EndpointName": self.fleet.origin.endpoint}
        if not self.fleet.queued:
            return [("InvocationsPerInstance", 0.0, {**named, "VariantName": self.fleet.origin.variant})]
        size = self.endpoint.queue.size
        told = {
            "ApproximateBacklogSize": float(size),
            "ApproximateBacklogSizePerInstance": size / max(self.count, 1),
            "HasBacklogWithoutCapacity": float(size > 0 and self.count == 0),
        }
        return [(name, value, named) for name, value in told.items()]


@dataclass(frozen=True)
class Copies:
    """Those of one inference component; `fleet` is what answers for them, once it does."""

    component: Json
    fleet: Fleet | None
    noun = "copy"

    @property
    def count(self) -> int:
        return int(self.component["RuntimeConfig"]["CurrentCopyCount"])

    @property
    def movable(self) -> bool:
        return self.component["InferenceComponentStatus"] == "InService" and self.fleet is not None

    def move(self, count: int) -> None:
        self.component["RuntimeConfig"] = {"DesiredCopyCount": count, "CurrentCopyCount": count}
        if self.fleet:
            self.fleet.instances = count

    def pulse(self) -> list[tuple[str, float, dict[str, str]]]:
        """Without a copy there is none to tell of."""
        named = {"InferenceComponentName": self.component["InferenceComponentName"]}
        return [("InvocationsPerCopy", 0.0, named)] if self.count else []


def find(region: Region, resource: str) -> Instances | Copies | None:
    """What the id of a scalable target names, if it is there."""
    parts = resource.split("/")
    if parts[0] == "inference-component":
        component = region.components.get(parts[1])
        endpoint = region.endpoints.get(component["EndpointName"]) if component else None
        return Copies(component, endpoint.components.get(parts[1])) if component and endpoint else None
    endpoint = region.endpoints.get(parts[1])
    return _instances(endpoint, parts[3]) if endpoint else None


def _instances(endpoint: Endpoint, variant: str) -> Instances | None:
    """While traffic shifts there are two fleets of one variant; the first is the one that serves."""
    fleet = next((one for one in endpoint.fleets if one.origin.variant == variant), None)
    return Instances(endpoint, fleet) if fleet and "ServerlessConfig" not in fleet.described else None


class Capacities:
    """The operations, by AWS's names."""

    def __init__(self, hosting: Endpoints) -> None:
        self.hosting = hosting

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def UpdateEndpointWeightsAndCapacities(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        endpoint = self.hosting.endpoint(caller, request["EndpointName"])
        hosting_rules.check_capacities(endpoint, request["DesiredWeightsAndCapacities"])
        for one in request["DesiredWeightsAndCapacities"]:
            found = _instances(endpoint, one["VariantName"])
            if found is None:
                message = f'The variant name "{one["VariantName"]}" was not found in the endpoint, or has no instances.'
                raise ServiceError("ValidationException", message)
            if "DesiredWeight" in one:
                found.fleet.described = {**found.fleet.described, "InitialVariantWeight": one["DesiredWeight"]}
            found.move(one.get("DesiredInstanceCount", found.count))
        return {"EndpointArn": endpoint.described["EndpointArn"]}

    def UpdateInferenceComponentRuntimeConfig(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        name = request["InferenceComponentName"]
        found = find(self.hosting.regions[caller], f"inference-component/{name}")
        if not isinstance(found, Copies) or not found.movable:
            raise ServiceError("ValidationException", f'Inference component "{name}" is not in service.')
        found.move(request["DesiredRuntimeConfig"]["CopyCount"])
        return {"InferenceComponentArn": found.component["InferenceComponentArn"]}
