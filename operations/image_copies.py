"""An image is copied from one registry of Amazon ECR to another, by its digest, through ECR's own API.

Layers that are there already are not sent again, and what was sent is found, so a copy that was broken off goes on.
https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.request import urlopen

from operations.images import ImageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.images import Image

TYPES = [
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
]
"""As it was pushed: a manifest that ECR turned into another form would have another digest."""

SECONDS = 60
TAG_CHARACTERS = 32


@dataclass(frozen=True)
class ImageCopy:
    """From an image's repository to one of the caller's own account; `renew` is called before whatever takes long."""

    ecr: Any
    source: Image
    repository: str
    renew: Callable[[], None]

    def make(self, digest: str) -> None:
        """Put the content of this digest into the own repository, with a tag, since what has none is removed there."""
        tag = digest.removeprefix("sha256:")[:TAG_CHARACTERS]
        self._manifest(digest, {"imageTag": tag})

    def _manifest(self, digest: str, named: dict[str, str]) -> None:
        self.renew()
        found = self.ecr.batch_get_image(**self._there, imageIds=[{"imageDigest": digest}], acceptedMediaTypes=TYPES)
        if not found["images"]:
            because = found["failures"][0]["failureReason"] if found["failures"] else "nothing was told of it"
            raise ImageError(f"{self.source.name} of {self.source.registry} has no {digest}: {because}")
        text = found["images"][0]["imageManifest"]
        manifest = json.loads(text)
        for part in manifest.get("manifests", []):  # an index: of platforms, or of the image and its attestations
            self._manifest(part["digest"], {})
        if "layers" in manifest:
            self._layers([part["digest"] for part in (manifest["config"], *manifest["layers"])])
        self.renew()
        media = {"imageManifestMediaType": manifest["mediaType"]} if "mediaType" in manifest else {}
        try:
            self.ecr.put_image(repositoryName=self.repository, imageManifest=text, imageDigest=digest, **media, **named)
        except self.ecr.exceptions.ImageAlreadyExistsException:
            return  # the same content under the same name: a copy made it that was broken off

    def _layers(self, digests: list[str]) -> None:
        asked = self.ecr.batch_check_layer_availability(repositoryName=self.repository, layerDigests=digests)
        there = {each["layerDigest"] for each in asked["layers"] if each["layerAvailability"] == "AVAILABLE"}
        for digest in dict.fromkeys(digests):
            if digest not in there:
                self._layer(digest)

    def _layer(self, digest: str) -> None:
        url = self.ecr.get_download_url_for_layer(**self._there, layerDigest=digest)["downloadUrl"]
        upload = self.ecr.initiate_layer_upload(repositoryName=self.repository)
        named, first = {"repositoryName": self.repository, "uploadId": upload["uploadId"]}, 0
        for part in _parts(url, int(upload["partSize"])):
            self.renew()
            last = first + len(part) - 1
            self.ecr.upload_layer_part(**named, partFirstByte=first, partLastByte=last, layerPartBlob=part)
            first = last + 1
        try:
            self.ecr.complete_layer_upload(**named, layerDigests=[digest])
        except self.ecr.exceptions.LayerAlreadyExistsException:
            return  # two layers of one content, or somebody else's push

    @property
    def _there(self) -> dict[str, str]:
        return {"registryId": self.source.registry, "repositoryName": self.source.name}


def _parts(url: str, size: int) -> Iterator[bytes]:
    with closing(urlopen(url, timeout=SECONDS)) as body:  # noqa: S310 ECR's own, signed for this layer
        while part := body.read(size):
            yield part
