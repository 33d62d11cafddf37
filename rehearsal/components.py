"""Inference components: copies of a model on an endpoint that has none of its own.

One process answers for all copies; without a copy a request fails until scaling brings one. Updates swap the process at
once; rolling steps and their alarms are recorded only.
https://docs.aws.amazon.com/sagemaker/latest/dg/realtime-endpoints-deploy-models.html
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from moto.sagemaker.responses import SageMakerResponse

from rehearsal.api import ServiceError, install
from rehearsal.clock import clock
from rehearsal.fleet import Origin

if TYPE_CHECKING:
    from rehearsal.api import Caller
    from rehearsal.endpoints import Endpoints

Json = dict[str, Any]


class Components:
    """The operations, by AWS's names."""

    def __init__(self, hosting: Endpoints) -> None:
        self.hosting = hosting

    def install(self) -> None:
        install(SageMakerResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def CreateInferenceComponent(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        kept, name = self.hosting.regions[caller].components, request["InferenceComponentName"]
        if name in kept:
            raise ServiceError("ValidationException", f"Cannot create already existing inference component {name!r}.")
        if request["RuntimeConfig"]["CopyCount"] < 1:
            raise ServiceError("ValidationException", "CopyCount must be at least 1 when a component is created.")
        endpoint = self.hosting.endpoint(caller, request["EndpointName"])
        if endpoint.fleets:
            raise ServiceError("ValidationException", "Inference Components are not supported in this Endpoint.")
        place = self.hosting.place(caller)
        kept[name] = {
            **{key: value for key, value in request.items() if key not in {"Tags", "RuntimeConfig"}},
            "InferenceComponentArn": place.arn("sagemaker", f"inference-component/{name}"),
            "EndpointArn": endpoint.described["EndpointArn"],
            "CreationTime": clock.now(),
        }
        self._start(caller, kept[name], request, "Creating")
        return {"InferenceComponentArn": kept[name]["InferenceComponentArn"]}

    def UpdateInferenceComponent(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._found(caller, request["InferenceComponentName"])
        if found["InferenceComponentStatus"] != "InService":
            raise ServiceError("ValidationException", "Cannot update an inference component in progress.")
        found["LastDeploymentConfig"] = request.get("DeploymentConfig")
        self._start(caller, found, request, "Updating")
        return {"InferenceComponentArn": found["InferenceComponentArn"]}

    def DescribeInferenceComponent(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._found(caller, request["InferenceComponentName"])
        return {key: value for key, value in found.items() if value is not None}

    def DeleteInferenceComponent(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        found = self._found(caller, request["InferenceComponentName"])
        endpoint = self.hosting.regions[caller].endpoints.get(found["EndpointName"])
        fleet = endpoint.components.pop(request["InferenceComponentName"], None) if endpoint else None
        if fleet:
            fleet.end()
        del self.hosting.regions[caller].components[request["InferenceComponentName"]]
        return {}

    def _start(self, caller: Caller, found: Json, request: Json, status: str) -> None:
        found.update(InferenceComponentStatus=status, LastModifiedTime=clock.now())
        if "RuntimeConfig" in request:
            count = request["RuntimeConfig"]["CopyCount"]
            found["RuntimeConfig"] = {"DesiredCopyCount": count, "CurrentCopyCount": count}
        threading.Thread(target=self._serve, args=(caller, found, request), daemon=True).start()

    def _serve(self, caller: Caller, found: Json, request: Json) -> None:
        endpoint = self.hosting.endpoint(caller, found["EndpointName"])
        wanted: Json = request.get("Specification") or found["Specification"]
        config, name = endpoint.config, found["InferenceComponentName"]
        variant = config["ProductionVariants"][0]
        origin = Origin(found["EndpointName"], variant["VariantName"], config["EndpointConfigName"], component=name)
        try:
            fleet = self.hosting.serve(caller, origin, {**variant, "ModelName": wanted["ModelName"]}, config)
        except Exception as error:  # noqa: BLE001 whatever keeps a copy from starting is the component's reason
            live = name in endpoint.components
            found.update(InferenceComponentStatus="InService" if live else "Failed", FailureReason=str(error))
            return
        fleet.instances = found["RuntimeConfig"]["CurrentCopyCount"]
        old = endpoint.components.get(name)
        endpoint.components[name] = fleet
        if old:
            old.end()
        found.update(
            Specification=wanted, InferenceComponentStatus="InService", FailureReason=None, LastModifiedTime=clock.now()
        )

    def _found(self, caller: Caller, name: str) -> Json:
        found = self.hosting.regions[caller].components.get(name)
        if found is None:
            raise ServiceError("ValidationException", f'Could not find inference component "{name}".')
        return found
