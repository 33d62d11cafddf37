"""The small world where what is served are copies: a second account, and ECR's way to bring an image there."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from small_world import GROUP_ARN, PLACE, Services, SmallWorld, refused

from operations.place import Copying, Place

COPIES = "arn:aws:sagemaker:eu-west-1:222222222222:model-package-group/c"
REPOSITORY = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/copies"
TRAINS = "111111111111"
COPYING = replace(PLACE, group=COPIES, records="cb", copying=Copying(GROUP_ARN, "b", "s3://cb/runs/m", REPOSITORY))
LAYERS = {"sha256:a": b"config", "sha256:b": b"layer"}
MANIFEST = json.dumps({"config": {"digest": "sha256:a"}, "layers": [{"digest": "sha256:b"}]})


class ThereAlreadyError(ClientError):  # type: ignore[misc]
    """What is put is there."""


@dataclass
class CopyingWorld(SmallWorld):
    """`lost` says that the account that trained answers nobody; `pushed` is what the own repository holds."""

    place: Place = COPYING
    digest: str = f"sha256:{'1' * 64}"
    lost: bool = False
    pushed: set[str] = field(default_factory=set)
    containers: dict[str, dict[str, str]] = field(default_factory=dict)

    def services(self) -> Services:
        return CopyingServices(self)

    @property
    def copies(self) -> dict[str, str]:
        """Of each version that was copied, its copy."""
        made = [arn for arn in self.packages if arn not in self.trained]
        return {self.packages[arn]["CustomerMetadataProperties"]["copy_of"]: arn for arn in made}

    def as_registered(self, arn: str) -> dict[str, str]:
        if arn in self.trained:
            return super().as_registered(arn)
        container = self.containers[arn]
        assert container["Image"] == f"{REPOSITORY}@{self.digest}"
        return container


class CopyingServices(Services):
    """What copying calls beside the rest; the account that trained may answer no more."""

    world: CopyingWorld
    exceptions = SimpleNamespace(
        ImageAlreadyExistsException=ThereAlreadyError, LayerAlreadyExistsException=ThereAlreadyError
    )

    def _ask(self, *, there: bool) -> None:
        if there and self.world.lost:
            raise refused("not authorized", "AccessDeniedException")

    def versions_of(self, group: str) -> dict[str, Any]:
        self._ask(there=group == GROUP_ARN)
        return super().versions_of(group)

    def describe_model_package(self, *, ModelPackageName: str) -> Any:  # noqa: N803 AWS's names, here and below
        self._ask(there=TRAINS in ModelPackageName)
        return super().describe_model_package(ModelPackageName=ModelPackageName)

    def create_model_package(self, *, ModelPackageGroupName: str, ClientToken: str, **package: Any) -> Any:  # noqa: N803
        """One token makes one version."""
        number = len(self.world.packages) - len(self.world.trained) + 1
        arn = f"{COPIES.replace('-group/', '/')}/{number}"
        told = {"ModelPackageArn": arn, "ModelPackageGroupName": ModelPackageGroupName, "ModelPackageVersion": number}
        self.world.packages[arn] = {**package, **told, "LastModifiedTime": "", "token": ClientToken}
        (container,) = package["InferenceSpecification"]["Containers"]
        self.world.containers[arn] = dict(container)
        if any(self.world.number(bad) == self.world.number(arn) for bad in set(self.world.bad)):
            self.world.bad.add(arn)
        return {"ModelPackageArn": arn}

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        self._ask(there=Bucket == "b")
        return super().get_object(Bucket=Bucket, Key=Key)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, **_: str) -> None:  # noqa: N803
        self._ask(there=Bucket == "b")
        self.world.objects[f"s3://{Bucket}/{Key}"] = Body

    def describe_images(self, **request: Any) -> Any:
        there = request["registryId"] == TRAINS
        self._ask(there=there)
        if there:
            return super().describe_images()
        (asked,) = request["imageIds"]
        if asked["imageDigest"] not in self.world.pushed:
            raise refused("there is none", "ImageNotFoundException")
        return {"imageDetails": [asked]}

    def batch_get_image(self, *, imageIds: Any, **_: Any) -> Any:  # noqa: N803
        self._ask(there=True)
        assert imageIds == [{"imageDigest": self.world.digest}]
        return {"images": [{"imageManifest": MANIFEST}], "failures": []}

    def batch_check_layer_availability(self, *, layerDigests: list[str], **_: str) -> Any:  # noqa: N803
        there = [digest for digest in layerDigests if digest in self.world.pushed]
        return {"layers": [{"layerDigest": each, "layerAvailability": "AVAILABLE"} for each in there]}

    def get_download_url_for_layer(self, *, layerDigest: str, **_: str) -> Any:  # noqa: N803
        self._ask(there=True)
        return {"downloadUrl": f"data:;base64,{base64.b64encode(LAYERS[layerDigest]).decode()}"}

    def initiate_layer_upload(self, **_: str) -> Any:
        return {"uploadId": "u", "partSize": 4}

    def upload_layer_part(self, *, partFirstByte: int, partLastByte: int, layerPartBlob: bytes, **_: str) -> None:  # noqa: N803
        assert len(layerPartBlob) == partLastByte - partFirstByte + 1

    def complete_layer_upload(self, *, layerDigests: list[str], **_: str) -> None:  # noqa: N803
        self.world.pushed |= set(layerDigests)

    def put_image(self, *, imageDigest: str, **_: str) -> None:  # noqa: N803
        if imageDigest in self.world.pushed:
            raise ThereAlreadyError({"Error": {"Code": "ImageAlreadyExistsException"}}, "PutImage")
        assert self.world.pushed >= set(LAYERS)
        self.world.pushed.add(imageDigest)
