"""SageMaker's hosting API: models, endpoint configurations, endpoints that really serve and really shift traffic."""

from __future__ import annotations

import json
import threading
import uuid
from collections import defaultdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from moto.sagemaker.responses import SageMakerResponse
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from rehearsal import captures, first_instance, hosting_rules, shifting
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.asynchronous import Queue
from rehearsal.clock import clock
from rehearsal.faults import faults
from rehearsal.fleet import Fleet, Origin, download
from rehearsal.hosted import Endpoint, Region, described
from rehearsal.paging import between, page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from rehearsal.image import Images
    from rehearsal.resources import Place

KINDS = {"Model": "model", "EndpointConfig": "endpoint-config", "Endpoint": "endpoint"}
DEFAULT_VARIANT = "AllTraffic"


class Endpoints:
    """The operations, by AWS's names."""

    def __init__(
        self, place: Callable[[Caller], Place], keys: Callable[[str, str], Json], state: Path, images: Images
    ) -> None:
        self.place, self.keys, self.folder, self.images = place, keys, state / "endpoints", images
        self.regions: defaultdict[Caller, Region] = defaultdict(Region)

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})
        endpoints = self

        def invoke_endpoint(self: Any) -> tuple[int, dict[str, str], bytes]:
            return endpoints.invoke(Caller(self.current_account, self.region), self)

        def invoke_endpoint_async(self: Any) -> tuple[int, dict[str, str], bytes]:
            return endpoints.invoke_async(Caller(self.current_account, self.region), self)

        setattr(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint)  # noqa: B010 moto answers from a queue
        setattr(SageMakerRuntimeResponse, "invoke_endpoint_async", invoke_endpoint_async)  # noqa: B010

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
        models = self.regions[caller].models
        for variant in [*request["ProductionVariants"], *request.get("ShadowProductionVariants", [])]:
            if "ModelName" in variant:
                _found(models, variant["ModelName"], "model")
        hosting_rules.check_config(request, models)
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
                "PendingDeploymentSummary": _pending(config),
                "CreationTime": clock.now(),
                "LastModifiedTime": clock.now(),
                "LastDeploymentConfig": request.get("DeploymentConfig"),
            },
            config,
        )
        region.endpoints[name] = made
        threading.Thread(target=self._create, args=(caller, made, config), daemon=True).start()
        return {"EndpointArn": arn}

    def UpdateEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        region, name = self.regions[caller], request["EndpointName"]
        endpoint = self.endpoint(caller, name)
        config = _found(region.configs, request["EndpointConfigName"], "endpoint configuration")
        hosting_rules.check_update(endpoint.config, config)
        with endpoint.lock:
            if endpoint.status != "InService":
                raise ServiceError("ValidationException", f"Cannot update in-progress endpoint {name!r}.")
            endpoint.turn("Updating", PendingDeploymentSummary=_pending(config))
        wanted = request.get("DeploymentConfig")
        if request.get("RetainDeploymentConfig"):
            wanted = endpoint.described["LastDeploymentConfig"]
        endpoint.described["LastDeploymentConfig"] = wanted
        plan = shifting.Plan.of(wanted or {})
        kept = hosting_rules.kept(endpoint, request, config)
        threading.Thread(target=self._update, args=(caller, endpoint, kept, plan), daemon=True).start()
        return {"EndpointArn": endpoint.described["EndpointArn"]}

    def DescribeEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        endpoint = self.endpoint(caller, request["EndpointName"])
        return {key: value for key, value in endpoint.described.items() if value is not None}

    def ListEndpoints(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = [endpoint.described for endpoint in self.regions[caller].endpoints.values()]
        status = request.get("StatusEquals")
        listed = [endpoint for endpoint in found if status in {None, endpoint["EndpointStatus"]}]
        return self._listed("Endpoint", "Endpoints", listed, request, more=("EndpointStatus", "LastModifiedTime"))

    def DeleteEndpoint(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        endpoint = self.endpoint(caller, request["EndpointName"])
        for fleet in endpoint.everything:
            fleet.end()
        del self.regions[caller].endpoints[request["EndpointName"]]
        return {}

    def invoke(self, caller: Caller, asked: Any) -> tuple[int, dict[str, str], bytes]:
        """InvokeEndpoint: to one fleet, by the weights; a container's own error becomes a ModelError."""
        endpoint = self._answering(caller, asked)
        if "AsyncInferenceConfig" in endpoint.config:
            raise ServiceError("ValidationError", "Endpoint is asynchronous; use InvokeEndpointAsync.")
        body, headers = asked.raw_body or b"", dict(asked.headers.items())
        fleet = endpoint.next_fleet(asked.headers.get("x-amzn-sagemaker-inference-component"))
        if not fleet.instances:
            raise first_instance.refused(fleet)
        for shadow in endpoint.shadows:  # nobody waits for its answers, and nobody sees them
            threading.Thread(target=shadow.invoke, args=(body, headers), daemon=True).start()
        reply = fleet.invoke(body, headers)
        variant = {"x-Amzn-Invoked-Production-Variant": fleet.origin.variant}
        if reply.status < HTTPStatus.BAD_REQUEST:
            return HTTPStatus.OK, {"Content-Type": reply.type, **variant}, reply.body
        said = reply.body.decode(errors="replace")
        message = f'Received client error ({reply.status}) from {fleet.origin.variant} with message "{said}".'
        error = {"Message": message, "OriginalStatusCode": reply.status, "OriginalMessage": said}
        status = str(int(HTTPStatus.FAILED_DEPENDENCY))  # moto reads it here and nowhere else
        headers = {"Content-Type": "application/json", "x-amzn-ErrorType": "ModelError", "status": status}
        return HTTPStatus.FAILED_DEPENDENCY, headers, json.dumps(error).encode()

    def invoke_async(self, caller: Caller, asked: Any) -> tuple[int, dict[str, str], bytes]:
        """InvokeEndpointAsync: a request that lies in S3."""
        endpoint = self._answering(caller, asked)
        if "AsyncInferenceConfig" not in endpoint.config:
            raise ServiceError("ValidationError", "Endpoint is not asynchronous; use InvokeEndpoint.")
        queue = Queue(endpoint, self.place(caller), endpoint.fleets[0].role)
        answer: tuple[int, dict[str, str], bytes] = queue.take(dict(asked.headers.items()))
        return answer

    def _answering(self, caller: Caller, asked: Any) -> Endpoint:
        name = asked.path.split("/")[2]
        endpoint = self.regions[caller].endpoints.get(name)
        if endpoint is None or endpoint.status not in {"InService", "Updating", "SystemUpdating", "RollingBack"}:
            raise ServiceError("ValidationError", f"Endpoint {name} of account {caller.account} not found.")
        return endpoint

    def end_all(self) -> None:
        for region in self.regions.values():
            for endpoint in region.endpoints.values():
                for fleet in endpoint.everything:
                    fleet.end()

    def _create(self, caller: Caller, endpoint: Endpoint, config: Json) -> None:
        try:
            endpoint.fleets, endpoint.shadows = self._start(caller, endpoint, config)
        except Exception as error:  # noqa: BLE001 whatever keeps a fleet from starting is the endpoint's reason
            endpoint.turn("Failed", FailureReason=str(error))
            return
        endpoint.turn("InService", **described(endpoint))

    def _update(self, caller: Caller, endpoint: Endpoint, config: Json, plan: shifting.Plan) -> None:
        """Blue/green: a green fleet beside the blue one, traffic in steps, back again if an alarm says so."""
        blue, old_shadows = list(endpoint.fleets), endpoint.shadows
        green, shadows, refused = list[Fleet](), list[Fleet](), None
        try:
            green, shadows = self._start(caller, endpoint, config)
            if green:
                refused = shifting.shift(plan, self.place(caller), endpoint.fleets, green[0])
        except Exception as error:  # noqa: BLE001 the same; the fleet that serves stays
            refused = f"Update failed, the endpoint was rolled back: {error}"
        endpoint.fleets[:] = blue if refused else green
        endpoint.shadows = old_shadows if refused else shadows
        for fleet in {*blue, *green, *old_shadows, *shadows} - {*endpoint.fleets, *endpoint.shadows}:
            fleet.end()
        if refused:
            endpoint.turn("InService", FailureReason=refused)
            return
        endpoint.config = config
        name = config["EndpointConfigName"]
        endpoint.turn("InService", EndpointConfigName=name, FailureReason=None, **described(endpoint))

    def _start(self, caller: Caller, endpoint: Endpoint, config: Json) -> tuple[list[Fleet], list[Fleet]]:
        """Fleets for the first variant of a configuration and for its shadow, as far as they have a model."""
        name = endpoint.described["EndpointName"]
        sides = (config["ProductionVariants"][:1], config.get("ShadowProductionVariants", []))
        started = []
        for variants in sides:
            origins = [(Origin(name, v["VariantName"], config["EndpointConfigName"]), v) for v in variants]
            started.append([self.serve(caller, o, v, config) for o, v in origins if "ModelName" in v])
        return started[0], started[1]

    def serve(self, caller: Caller, origin: Origin, variant: Json, config: Json) -> Fleet:
        """A fleet that answers with a variant's model; of its requests is kept what the configuration says."""
        place = self.place(caller)
        model = _found(self.regions[caller].models, variant["ModelName"], "model")
        container, role = self._container(place, model), model["ExecutionRoleArn"]
        owner = Caller(container["Image"].split(".")[0], caller.region)
        image = self.images.find(self.place(owner), container["Image"])
        fleet = Fleet(origin, place, variant, fault=faults.take(origin.endpoint), role=role)
        fleet.instances, fleet.queued = int(variant.get("InitialInstanceCount", 1)), "AsyncInferenceConfig" in config
        capture = config.get("DataCaptureConfig", {"EnableCapture": False})
        if capture.get("EnableCapture", True):
            fleet.capture = captures.Capture(capture, place, role, origin)
        archive = download(place, role, container["ModelDataUrl"])
        variables = dict(container.get("Environment", {}))
        if not model.get("EnableNetworkIsolation"):  # an isolated container has no credentials
            variables |= {**self.keys(role, caller.region), "AWS_REGION": caller.region}
            variables["AWS_DEFAULT_REGION"] = caller.region
        fleet.start(image, self.folder / uuid.uuid4().hex[:12], archive, variables)
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
        self.regions[caller].tags[arn] = request.get("Tags") or []
        kept[name] = {**described, f"{kind}Arn": arn, "CreationTime": clock.now()}
        return {f"{kind}Arn": arn}

    def endpoint(self, caller: Caller, name: str) -> Endpoint:
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


def _pending(config: Json) -> Json:
    """What DescribeEndpoint says of a configuration that does not serve yet."""
    return {"EndpointConfigName": config["EndpointConfigName"], "StartTime": clock.now()}


def _found(kept: dict[str, Json], name: str, kind: str) -> Json:
    if name not in kept:
        raise ServiceError("ValidationException", f'Could not find {kind} "{name}".')
    return kept[name]
