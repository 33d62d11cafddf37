"""ECR across accounts, layers and scans: another account's repository is asked by `registryId`, if it lets one in.

moto looks for repositories in the caller's own account only, takes manifests of layers that are not there, hands out no
layers, and finds the same made-up weakness in every image.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from moto.ecr.models import ECRBackend, ecr_backends
from moto.ecr.responses import ECRResponse

from rehearsal import layers
from rehearsal.api import Caller, Json, ServiceError, install
from rehearsal.callers import caller_of
from rehearsal.clock import clock
from rehearsal.faults import CRITICAL_FINDING, HIGH_FINDING, UNSCANNED, faults
from rehearsal.policies import Principal, Request, may

if TYPE_CHECKING:
    from datetime import datetime

SEVERITIES = {CRITICAL_FINDING: "CRITICAL", HIGH_FINDING: "HIGH"}


@dataclass(frozen=True)
class Scan:
    """What a scan of an image found; nothing, unless a fault was ordered for its repository."""

    fault: str | None
    at: datetime = field(default_factory=clock.now)

    @property
    def status(self) -> str:
        return "IN_PROGRESS" if self.fault == UNSCANNED else "COMPLETE"

    @property
    def counts(self) -> dict[str, int]:
        return {SEVERITIES[self.fault]: 1} if self.fault in SEVERITIES else {}


class ImagesApi:
    """The operations, by AWS's names."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint
        self.scans: dict[tuple[str, str, str], Scan] = {}

    def install(self) -> None:
        setattr(ECRResponse, "ecr_backend", property(_backend))  # noqa: B010 a mend of moto, not an oversight
        put_image, complete = ECRResponse.put_image, ECRResponse.complete_layer_upload

        def keep_and_complete(response: Any) -> Any:
            name, upload = response._get_param("repositoryName"), response._get_param("uploadId")  # noqa: SLF001
            sent = response.ecr_backend.repositories[name].uploads[upload]
            digest = layers.keep(bytes(sent.layer_parts))
            if [digest] != response._get_param("layerDigests"):  # noqa: SLF001
                raise ServiceError("InvalidLayerException", f"what was uploaded is {digest}")
            return complete(response)

        def put_and_scan(response: Any) -> Any:
            _check_layers(response)
            answer = put_image(response)
            name = response._get_param("repositoryName")  # noqa: SLF001 moto gives no other way
            repository = response.ecr_backend.repositories[name]
            if repository.image_scanning_configuration.get("scanOnPush"):
                manifest = response._get_param("imageManifest")  # noqa: SLF001
                image = next(one for one in repository.images if one.image_manifest == manifest)
                self._scan(repository, image.image_digest)
            return answer

        setattr(ECRResponse, "put_image", put_and_scan)  # noqa: B010
        setattr(ECRResponse, "complete_layer_upload", keep_and_complete)  # noqa: B010
        install(ECRResponse, {name: getattr(self, name) for name in dir(type(self)) if name[0].isupper()})

    def GetDownloadUrlForLayer(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        backend = _home(caller.principal, caller.region, "GetDownloadUrlForLayer", request)
        repository = backend._get_repository(request["repositoryName"], request.get("registryId"))  # noqa: SLF001
        digest = request["layerDigest"]
        if digest not in repository.layers:
            raise ServiceError("LayersNotFoundException", f"{repository.name} has no layer {digest}")
        return {"layerDigest": digest, "downloadUrl": layers.url(self.endpoint, digest)}

    def StartImageScan(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        repository, image = _image(caller, request, "StartImageScan")
        return {**_named(repository, image), "imageScanStatus": {"status": self._scan(repository, image.image_digest)}}

    def DescribeImageScanFindings(self, caller: Caller, request: Json) -> Json:  # noqa: N802
        repository, image = _image(caller, request, "DescribeImageScanFindings")
        scan = self.scans.get((repository.arn, repository.name, image.image_digest))
        if scan is None:
            message = f"Image scan does not exist for the image with '{request['imageId']}' in {repository.name}"
            raise ServiceError("ScanNotFoundException", message)
        found = {**_named(repository, image), "imageScanStatus": {"status": scan.status}}
        if scan.status == "COMPLETE":
            found["imageScanFindings"] = {"imageScanCompletedAt": scan.at, "findingSeverityCounts": scan.counts}
        return found

    def _scan(self, repository: Any, digest: str) -> str:
        scan = self.scans[repository.arn, repository.name, digest] = Scan(faults.take(repository.name))
        return scan.status


def _check_layers(response: Any) -> None:
    """A manifest is taken when all that it names is there."""
    repository = response.ecr_backend.repositories.get(response._get_param("repositoryName"))  # noqa: SLF001
    manifest = json.loads(response._get_param("imageManifest"))  # noqa: SLF001
    named = [manifest["config"], *manifest["layers"]] if "layers" in manifest else []
    missing = [each["digest"] for each in named if repository and each["digest"] not in repository.layers]
    if missing:
        raise ServiceError("LayersNotFoundException", f"{repository.name} has no layers {', '.join(missing)}")


def _named(repository: Any, image: Any) -> Json:
    return {
        "registryId": repository.registry_id,
        "repositoryName": repository.name,
        "imageId": {"imageDigest": image.image_digest, "imageTag": image.image_tag},
    }


def _image(caller: Caller, request: Json, action: str) -> tuple[Any, Any]:
    backend = _home(caller.principal, caller.region, action, request)
    repository = backend._get_repository(request["repositoryName"], request.get("registryId"))  # noqa: SLF001
    asked = request["imageId"]
    return repository, repository._get_image(asked.get("imageTag"), asked.get("imageDigest"))  # noqa: SLF001


def _backend(response: Any) -> ECRBackend:
    principal = caller_of(response)
    named = ("registryId", "repositoryName")
    request = {name: response._get_param(name) for name in named}  # noqa: SLF001 moto gives no other way
    return _home(principal, response.region, response._get_action(), request)  # noqa: SLF001


def _home(principal: Principal, region: str, action: str, request: Json) -> ECRBackend:
    """The backend that holds the repository a request names, after the repository's policy has spoken.

    https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html
    """
    account, name = request.get("registryId") or principal.account, request.get("repositoryName")
    if not name:
        return ecr_backends[principal.account][region]
    repository = ecr_backends[account][region].repositories.get(name)
    if repository is None and account == principal.account:
        return ecr_backends[account][region]  # moto says that there is none
    arn = f"arn:aws:ecr:{region}:{account}:repository/{name}"
    if not may(_policy(repository), Request(principal, f"ecr:{action}", arn), account):
        message = f"User: {principal.arn} is not authorized to perform: ecr:{action} on resource: {arn}"
        raise ServiceError("AccessDeniedException", message)
    return ecr_backends[account][region]


def _policy(repository: Any) -> str | None:
    return repository.policy if repository is not None else None
