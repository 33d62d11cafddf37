"""What stands for an image that nobody can build here: a manifest and layers whose digests follow from its source.

So a release has something to look for in the repository, and to copy; what is in it has never been an image.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

from rehearsal.image import KINDS, Built, built

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.resources import Place

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"


def push(place: Place, location: str, variables: Mapping[str, str]) -> Iterator[str]:
    """Put a stand-in under each tag that the build's variables name, unless it is there; tells what was done.

    As the build's script does: the tag names the content, so what is there is right.
    """
    named = {kind: variables[name] for name, kind in KINDS.items() if name in variables}
    content = _content(place, location) if named else ""
    for kind, uri in named.items():
        repository, tag = uri.partition("/")[2].rsplit(":", 1)
        ecr = place.client("ecr")
        try:
            ecr.describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except ecr.exceptions.ImageNotFoundException:
            config, layer = (_layer(ecr, repository, blob) for blob in (f"{kind} {content}".encode(), content.encode()))
            manifest = json.dumps(
                {
                    "schemaVersion": 2,
                    "mediaType": MANIFEST,
                    "config": {"mediaType": CONFIG, **config},
                    "layers": [{"mediaType": LAYER, **layer}],
                },
                sort_keys=True,
            )
            digest = f"sha256:{hashlib.sha256(manifest.encode()).hexdigest()}"
            built[digest] = Built(place, kind, location.removeprefix("arn:aws:s3:::"))
            ecr.put_image(repositoryName=repository, imageTag=tag, imageManifest=manifest, imageDigest=digest)
            yield f"{uri} is a stand-in, {digest}: a manifest of the source's content, no image"
        else:
            yield f"{uri} exists"


def _content(place: Place, location: str) -> str:
    """The sha256 over names and contents of the source's files, whatever their times."""
    bucket, _, key = location.removeprefix("arn:aws:s3:::").partition("/")
    body = place.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        files = {name: hashlib.sha256(archive.read(name)).hexdigest() for name in sorted(archive.namelist())}
    return hashlib.sha256(json.dumps(files).encode()).hexdigest()


def _layer(ecr: Any, repository: str, blob: bytes) -> dict[str, Any]:
    """Push a layer as Docker does; how a manifest names it."""
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    upload = {"repositoryName": repository}
    upload["uploadId"] = ecr.initiate_layer_upload(**upload)["uploadId"]
    ecr.upload_layer_part(**upload, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
    ecr.complete_layer_upload(**upload, layerDigests=[digest])
    return {"size": len(blob), "digest": digest}
