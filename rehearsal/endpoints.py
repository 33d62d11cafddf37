"""SageMaker's hosting API: models, endpoint configurations, endpoints that really serve and really shift traffic."""

from __future__ import annotations

import json
import threading
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from rehearsal import shifting
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.clock import clock
from rehearsal.faults import faults
from rehearsal.fleet import Fleet, Origin, download
from rehearsal.paging import between, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.image import Images
    from rehearsal.resources import Place

KINDS = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
DEFAULT_VARIANT = "AllTraffic"


@dataclass
class Endpoint:
    """An endpoint and the fleets behind it: one, or two while traffic shifts."""

    described: Json
    fleets: list[Fleet] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def status(self) -> str:
        return str(self.described["EndpointStatus"])

    def next_fleet(self) -> Fleet:
        """Requests go round by the weights, so that a small share is met after few requests."""
        with self.lock:
            fleets = list(self.fleets)
            for fleet in fleets:
                fleet.credit += fleet.weight
            chosen = max(fleets, key=lambda fleet: fleet.credit)
            chosen.credit -= sum(fleet.weight for fleet in fleets)
            return chosen

    def turn(self, status: str, **more: Any) -> None:
        self.described.update(EndpointStatus=status, LastModifiedTime=clock.now(), **more)


@dataclass
class Region:
    """What one account has in one region."""

    models: dict[str, Json] = field(default_factory=dict)
    configs: dict[str, Json] = field(default_factory=dict)
    endpoints: dict[str, Endpoint] = field(default_factory=dict)


class Endpoints:
    """The operations, by AWS's names."""

    def __init__(self, place: Callable[[Caller], Place], state: Path, images: Images) -> None:
        self.place, self.folder, self.images = place, state / "endpoints", images
        self.regions: defaultdict[Caller, Region] = defaultdict(Region)

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        endpoints = self

        def invoke_endpoint(self: Any) -> tuple[int, dict[str, str], bytes]:
            return endpoints.invoke(Caller(self.current_account, self.region), self)

        setattr(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint)  # noqa: B010 moto answers from a queue

    def CreateModel(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        return self._make(caller, "Model", self.regions[caller].models, request)

    def DescribeModel(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return _found(self.regions[caller].models, request["ModelName"], "model")

    def DeleteModel(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        _found(self.regions[caller].models, request["ModelName"], "model")
        del self.regions[caller].models[request["ModelName"]]
        return {}

    def ListModels(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._listed("Model", "Models", list(self.regions[caller].models.values()), request)

    def CreateEndpointConfig(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        for variant in request["ProductionVariants"]:
            _found(self.regions[caller].models, variant["ModelName"], "model")
        return self._make(caller, "EndpointConfig", self.regions[caller].configs, request)

    def DescribeEndpointConfig(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return _found(self.regions[caller].configs, request["EndpointConfigName"], "endpoint configuration")

    def DeleteEndpointConfig(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        _found(self.regions[caller].configs, request["EndpointConfigName"], "endpoint configuration")
        del self.regions[caller].configs[request["EndpointConfigName"]]
        return {}

    def ListEndpointConfigs(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        return self._listed("EndpointConfig", "EndpointConfigs", list(self.regions[caller].configs.values()), request)

    def CreateEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region, name = self.regions[caller], request["EndpointName"]
        if name in region.endpoints:
            raise ServiceError("ValidationException", f'Cannot create already existing endpoint "{name}".')
        config = _found(region.configs, request["EndpointConfigName"], "endpoint configuration")
        arn = self.place(caller).arn("sagemaker", f"endpoint/{name}")
        made = Endpoint(
            {
                "EndpointName": name,
                "EndpointArn": arn,
                "EndpointConfigName": config["EndpointConfigName"],
                "EndpointStatus": "Creating",
                "CreationTime": clock.now(),
                "LastModifiedTime": clock.now(),
                "LastDeploymentConfig": request.get("DeploymentConfig"),
            }
        )
        region.endpoints[name] = made
        threading.Thread(target=self._create, args=(caller, made, config), daemon=True).start()
        return {"EndpointArn": arn}

    def UpdateEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region, name = self.regions[caller], request["EndpointName"]
        endpoint = self._endpoint(caller, name)
        config = _found(region.configs, request["EndpointConfigName"], "endpoint configuration")
        with endpoint.lock:
            if endpoint.status != "InService":
                raise ServiceError("ValidationException", f"Cannot update in-progress endpoint {name!r}.")
            endpoint.turn("Updating")
        wanted = request.get("DeploymentConfig")
        if request.get("RetainDeploymentConfig"):
            wanted = endpoint.described["LastDeploymentConfig"]
        endpoint.described["LastDeploymentConfig"] = wanted
        plan = shifting.Plan.of(wanted or {})
        threading.Thread(target=self._update, args=(caller, endpoint, config, plan), daemon=True).start()
        return {"EndpointArn": endpoint.described["EndpointArn"]}

    def DescribeEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        endpoint = self._endpoint(caller, request["EndpointName"])
        return {key: value for key, value in endpoint.described.items() if value is not None}

    def ListEndpoints(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = [endpoint.described for endpoint in self.regions[caller].endpoints.values()]
        status = request.get("StatusEquals")
        listed = [endpoint for endpoint in found if status in {None, endpoint["EndpointStatus"]}]
        return self._listed("Endpoint", "Endpoints", listed, request, more=("EndpointStatus", "LastModifiedTime"))

    def DeleteEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        endpoint = self._endpoint(caller, request["EndpointName"])
        for fleet in endpoint.fleets:
            fleet.end()
        del self.regions[caller].endpoints[request["EndpointName"]]
        return {}

    def invoke(self, caller: Caller, asked: Any) -> tuple[int, dict[str, str], bytes]:
        """InvokeEndpoint: to one fleet, by the weights; a container's own error becomes a ModelError."""
        name = asked.path.split("/")[2]
        endpoint = self.regions[caller].endpoints.get(name)
        if endpoint is None or endpoint.status not in {"InService", "Updating", "SystemUpdating", "RollingBack"}:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {caller.account} not found.")
        fleet = endpoint.next_fleet()
        reply = fleet.invoke(asked.raw_body or b"", dict(asked.headers.items()))
        variant = {"x-Amzn-Invoked-Production-Variant": fleet.origin.variant}
        if reply.status < HTTPStatus.BAD_REQUEST:
            return HTTPStatus.OK, {"Content-Type": reply.type, **variant}, reply.body
        said = reply.body.decode(errors="replace")
        message = f'Received client error ({reply.status}) from {fleet.origin.variant} with message "{said}".'
        error = {"Message": message, "OriginalStatusCode": reply.status, "OriginalMessage": said}
        status = str(int(HTTPStatus.FAILED_DEPENDENCY))  # moto reads it here and nowhere else
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError", "status": status}
        return HTTPStatus.FAILED_DEPENDENCY, headers, json.dumps(error).encode()

    def end_all(self) -> None:
        for region in self.regions.values():
            for endpoint in region.endpoints.values():
                for fleet in endpoint.fleets:
                    fleet.end()

    def _create(self, caller: Caller, endpoint: Endpoint, config: Json) -> None:
        try:
            endpoint.fleets = [self._start(caller, endpoint, config)]
        except Exception as error:  # noqa: BLE001 whatever keeps a fleet from starting is the endpoint's reason
            endpoint.turn("Failed", FailureReason=str(error))
            return
        endpoint.turn("InService", ProductionVariants=_variants(endpoint))

    def _update(self, caller: Caller, endpoint: Endpoint, config: Json, plan: shifting.Plan) -> None:
        """Blue/green: a green fleet beside the blue one, traffic in steps, back again if an alarm says so."""
        blue = list(endpoint.fleets)
        try:
            green = self._start(caller, endpoint, config)
            refused = shifting.shift(plan, self.place(caller), endpoint.fleets, green)
        except Exception as error:  # noqa: BLE001 the same; the fleet that serves stays
            refused = f"Update failed, the endpoint was rolled back: {error}"
        fleets = list(endpoint.fleets)
        endpoint.fleets[:] = blue if refused else [green]
        for fleet in fleets:
            if fleet not in endpoint.fleets:
                fleet.end()
        if refused:
            endpoint.turn("InService", FailureReason=refused)
            return
        name = config["EndpointConfigName"]
        endpoint.turn("InService", EndpointConfigName=name, FailureReason=None, ProductionVariants=_variants(endpoint))

    def _start(self, caller: Caller, endpoint: Endpoint, config: Json) -> Fleet:
        """A fleet for the first variant of a configuration."""
        variant, place = config["ProductionVariants"][0], self.place(caller)
        model = _found(self.regions[caller].models, variant["ModelName"], "model")
        container, role = self._container(place, model), model["ExecutionRoleArn"]
        owner = Caller(container["Image"].split(".")[0], caller.region)
        image = self.images.find(self.place(owner), container["Image"])
        origin = Origin(endpoint.described["EndpointName"], variant["VariantName"], config["EndpointConfigName"])
        fleet = Fleet(origin, place, variant, fault=faults.take(origin.endpoint))
        archive = download(place, role, container["ModelDataUrl"])
        fleet.start(image, self.folder / uuid.uuid4().hex[:12], archive, container.get("Environment", {}))
        return fleet

    @staticmethod
    def _container(place: Place, model: Json) -> Json:
        """The container as it is, or as the model package it names says, read in the execution role's name."""
        container: Json = model.get("PrimaryContainer") or model["Containers"][0]
        if "ModelPackageName" not in container:
            return container
        sagemaker = place.acting_as(model["ExecutionRoleArn"]).client("sagemaker")
        package = sagemaker.describe_model_package(ModelPackageName=container["ModelPackageName"])
        return {**package["InferenceSpecification"]["Containers"][0], "Environment": container.get("Environment", {})}

    def _make(self, caller: Caller, kind: str, kept: dict[str, Json], request: Json) -> Json:
        name = request[f"{kind}Name"]
        if name in kept:
            raise ServiceError("ValidationException", f"Cannot create already existing {KINDS[kind]} {name!r}.")
        arn = self.place(caller).arn("sagemaker", f"{KINDS[kind]}/{name}")
        described = {key: value for key, value in request.items() if key != "Tags"}
        kept[name] = {**described, f"{kind}Arn": arn, "CreationTime": clock.now()}
        return {f"{kind}Arn": arn}

    def _endpoint(self, caller: Caller, name: str) -> Endpoint:
        found = self.regions[caller].endpoints.get(name)
        if found is None:
            raise ServiceError("ValidationException", f'Could not find endpoint "{name}".')
        return found

    @staticmethod
    def _listed(kind: str, key: str, found: list[Json], request: Json, more: tuple[str, ...] = ()) -> Json:
        part = request.get("NameContains", "")
        keys = (f"{kind}Name", f"{kind}Arn", "CreationTime", *more)
        named = [{k: one[k] for k in keys} for one in found if part in one[f"{kind}Name"]]
        return page(key, between(request, lambda one: one["CreationTime"], named), request)


def _found(kept: dict[str, Json], name: str, kind: str) -> Json:
    if name not in kept:
        raise ServiceError("ValidationException", f'Could not find {kind} "{name}".')
    return kept[name]


def _variants(endpoint: Endpoint) -> list[Json]:
    """What DescribeEndpoint says of the variants that serve."""
    return [
        {
            "VariantName": fleet.origin.variant,
            "CurrentWeight": float(fleet.described.get("InitialVariantWeight", 1.0)),
            "DesiredWeight": float(fleet.described.get("InitialVariantWeight", 1.0)),
            "CurrentInstanceCount": int(fleet.described.get("InitialInstanceCount", 1)),
            "DesiredInstanceCount": int(fleet.described.get("InitialInstanceCount", 1)),
        }
        for fleet in endpoint.fleets
    ]
