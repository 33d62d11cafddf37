"""An image is copied by its digest, whole, and wherever the copying is broken off it can be taken up again."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from urllib.request import urlopen

import pytest
from botocore.exceptions import ClientError
from embedded import ACCOUNTS, REGION, Client

from operations.image_copies import ImageCopy
from operations.images import Image, ImageError
from rehearsal.accounts import ENTRY_ROLE
from rehearsal.embedded import EmbeddedAws

OCI = "application/vnd.oci.image"
PULLS = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]


class KilledError(BaseException):
    """The process is no more."""


def push(ecr: Any, repository: str, kind: str, **told: Any) -> dict[str, Any]:
    """An image as Docker pushes it; how an index names it."""
    for blob in told.pop("blobs", []):
        upload = ecr.initiate_layer_upload(repositoryName=repository)["uploadId"]
        named = {"repositoryName": repository, "uploadId": upload}
        ecr.upload_layer_part(**named, partFirstByte=0, partLastByte=len(blob) - 1, layerPartBlob=blob)
        ecr.complete_layer_upload(**named, layerDigests=[sha256(blob)])
    media = f"{OCI}.{kind}.v1+json"
    text = json.dumps({"schemaVersion": 2, "mediaType": media, **told})
    tag = {"imageTag": "1"} if kind == "index" else {}
    digest = sha256(text.encode())
    ecr.put_image(repositoryName=repository, imageManifest=text, imageDigest=digest, **tag)
    return {"mediaType": media, "size": len(text), "digest": digest}


def sha256(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def named(blob: bytes) -> dict[str, Any]:
    return {"mediaType": f"{OCI}.layer.v1.tar+gzip", "size": len(blob), "digest": sha256(blob)}


class Registries:
    """An image of two manifests in one account, and a repository in another."""

    def __init__(self, aws: EmbeddedAws, client: Client, account: str) -> None:
        own = str(next(ACCOUNTS))
        there, self.ecr = client("ecr"), aws.client("ecr", own, REGION)
        there.create_repository(repositoryName="trained")
        self.ecr.create_repository(repositoryName="copied", imageTagMutability="IMMUTABLE")
        role = {"ArnEquals": {"aws:PrincipalArn": f"arn:aws:iam::{own}:role/{ENTRY_ROLE}"}}
        root = {"AWS": f"arn:aws:iam::{own}:root"}
        lets = {"Effect": "Allow", "Principal": root, "Action": PULLS, "Condition": role}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [lets]})
        there.set_repository_policy(repositoryName="trained", policyText=policy)
        self.there = there
        self.layers = [b"config", b"layer" * 1000, b"attestation"]
        config, layer, attestation = self.layers
        parts = [
            push(there, "trained", "manifest", config=named(config), layers=[named(layer)], blobs=[config, layer]),
            push(there, "trained", "manifest", config=named(config), layers=[named(attestation)], blobs=[attestation]),
        ]
        self.digest = push(there, "trained", "index", manifests=parts)["digest"]
        self.source = Image.of(f"{account}.dkr.ecr.{REGION}.amazonaws.com/trained:1")
        self.renewed = 0

    def copy(self) -> None:
        ImageCopy(self.ecr, self.source, "copied", self.renew).make(self.digest)

    def renew(self) -> None:
        self.renewed += 1

    def copy_killed_at(self, number: int) -> bool:
        """Whether the copying was killed at its nth call."""
        calls = 0

        def count(**_: Any) -> None:
            nonlocal calls
            calls += 1
            if calls == number:
                raise KilledError

        self.ecr.meta.events.register_first("before-call", count, unique_id="mortal")
        try:
            self.copy()
        except KilledError:
            return True
        finally:
            self.ecr.meta.events.unregister("before-call", unique_id="mortal")
        return False

    def is_whole(self) -> bool:
        """Whether all layers are there, byte for byte, and the tag names the digest."""
        (found,) = (
            image
            for image in self.ecr.describe_images(repositoryName="copied")["imageDetails"]
            if image.get("imageTags")
        )
        for layer in self.layers:
            asked = {"repositoryName": "copied", "layerDigest": sha256(layer)}
            with urlopen(self.ecr.get_download_url_for_layer(**asked)["downloadUrl"]) as body:
                assert body.read() == layer
        return bool(found["imageDigest"] == self.digest and found["imageTags"] == [self.digest[7:39]])


@pytest.fixture
def registries(aws: EmbeddedAws, client: Client, account: str) -> Registries:
    return Registries(aws, client, account)


def test_an_index_comes_with_all_that_it_names(registries: Registries) -> None:
    registries.copy()

    assert registries.is_whole()
    assert registries.renewed > 5  # before whatever takes long, so that nobody takes the lease meanwhile


def test_killed_at_any_call_it_is_taken_up_again(registries: Registries) -> None:
    number = 1
    while registries.copy_killed_at(number):
        number += 1

    assert number > 10
    assert registries.is_whole()
    assert not registries.copy_killed_at(number)


def test_what_is_not_there_is_told(registries: Registries) -> None:
    registries.digest = sha256(b"another")

    with pytest.raises(ImageError, match=f"trained of .* has no {registries.digest}"):
        registries.copy()


def test_a_repository_that_does_not_let_one_in_gives_nothing(registries: Registries) -> None:
    registries.there.delete_repository_policy(repositoryName="trained")

    with pytest.raises(ClientError, match=r"AccessDenied.*ecr:BatchGetImage"):
        registries.copy()


def test_a_manifest_of_layers_that_are_not_there_is_no_image(registries: Registries) -> None:
    blob = named(b"never pushed")

    with pytest.raises(ClientError, match="LayersNotFoundException"):
        push(registries.ecr, "copied", "manifest", config=blob, layers=[blob])
