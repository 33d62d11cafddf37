"""What an account's hosting consists of: models, configurations, endpoints and the fleets behind them."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rehearsal import captures
from rehearsal.api import ServiceError
from rehearsal.backlog import Backlog
from rehearsal.clock import clock

if TYPE_CHECKING:
    from rehearsal.fleet import Fleet

Json = dict[str, Any]


@dataclass
class Endpoint:
    """An endpoint and the fleets behind it: one, or two while traffic shifts; shadows get copies of the requests.

    `components` are the fleets of inference components by name; such an endpoint has no others.
    """

    described: Json
    config: Json
    fleets: list[Fleet] = field(default_factory=list)
    shadows: list[Fleet] = field(default_factory=list)
    components: dict[str, Fleet] = field(default_factory=dict)
    queue: Backlog = field(default_factory=Backlog)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def status(self) -> str:
        return str(self.described["EndpointStatus"])

    @property
    def everything(self) -> list[Fleet]:
        return [*self.fleets, *self.shadows, *self.components.values()]

    def next_fleet(self, component: str | None) -> Fleet:
        """Requests go round by the weights, so that a small share is met after few requests."""
        if component or not self.fleets:
            if component not in self.components:
                raise ServiceError("ValidationError", f"Inference Component {component} not found; name one.")
            return self.components[component]
        with self.lock:
            fleets = list(self.fleets)
            for fleet in fleets:
                fleet.credit += fleet.weight
            chosen = max(fleets, key=lambda fleet: fleet.credit)
            chosen.credit -= sum(fleet.weight for fleet in fleets)
            return chosen

    def turn(self, status: str, **more: Any) -> None:
        """Another status; nothing is pending but what is said to be."""
        described = {"PendingDeploymentSummary": None, **more}
        self.described.update(EndpointStatus=status, LastModifiedTime=clock.now(), **described)


@dataclass
class Region:
    """What one account has in one region; tags by ARN."""

    models: dict[str, Json] = field(default_factory=dict)
    configs: dict[str, Json] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)
    components: dict[str, Json] = field(default_factory=dict)
    transforms: dict[str, Json] = field(default_factory=dict)
    tags: dict[str, list[Json]] = field(default_factory=dict)


def described(endpoint: Endpoint) -> Json:
    """What DescribeEndpoint says of the configuration that serves."""
    return {
        "ProductionVariants": [_variant(fleet) for fleet in endpoint.fleets] or _without_model(endpoint.config),
        "ShadowProductionVariants": [_variant(fleet) for fleet in endpoint.shadows] or None,
        "AsyncInferenceConfig": endpoint.config.get("AsyncInferenceConfig"),
        "DataCaptureConfig": captures.summary(endpoint.config),
    }


def _variant(fleet: Fleet) -> Json:
    described, weight = fleet.described, float(fleet.described.get("InitialVariantWeight", 1.0))
    found = {"VariantName": fleet.origin.variant, "CurrentWeight": weight, "DesiredWeight": weight}
    if "ServerlessConfig" in described:
        return {**found, "CurrentServerlessConfig": described["ServerlessConfig"]}
    return {**found, "CurrentInstanceCount": fleet.instances, "DesiredInstanceCount": fleet.instances}


def _without_model(config: Json) -> list[Json]:
    keys = ("VariantName", "ManagedInstanceScaling")
    return [{key: variant[key] for key in keys if key in variant} for variant in config["ProductionVariants"]]
