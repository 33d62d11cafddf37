"""Copies of versions: a release brings artifact, image and record to the account that serves, and registers them there.

Whoever releases reads a version where it was trained; whoever serves, goes back or verifies reads the copy. Each step
may be broken off and taken again: what is written is the same each time, and a copy that is registered is found by the
version it names.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from operations import versions
from operations.image_copies import ImageCopy
from operations.images import Image, ImageError
from operations.place import COPY_OF
from operations.versions import NO_LIMIT, VersionError

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.place import Copying, Place
    from operations.versions import Checked

ARCHIVE = "package/model.tar.gz"
SAME = (
    "ModelPackageDescription",
    "ModelApprovalStatus",
    "ModelLifeCycle",
    "ModelMetrics",
    "ModelCard",
    "MetadataProperties",
    "Domain",
    "Task",
)
"""What a copy has in common with its version, if that has it; not its containers and what names its record."""


def named(client: Callable[[str], Any], place: Place, version: str) -> str:
    """A version's ARN by its number or as it is: of what is released here, or of the copies of it.

    A number is that of the registry in which versions are approved, so that a version is called alike everywhere.
    """
    copying = place.copying
    if copying is None or versions.belongs(version, place.group):
        return versions.arn_of(client("sagemaker"), place.group, version)
    try:
        return versions.arn_of(client("sagemaker"), copying.group, version)
    except ClientError as error:
        raise VersionError(
            f"{copying.group} cannot be asked for {version!r}: {error}; to release what was copied already, name the "
            f"copy's ARN, of {place.group}"
        ) from None


def checked(client: Callable[[str], Any], place: Place, arn: str, *, again: bool, renew: Callable[[], None]) -> Checked:
    """What is to be served, checked: the version itself, or its copy, made if there is none yet.

    Raises VersionError for what may not be released or cannot be copied.
    """
    copying = place.copying
    if copying is None or versions.belongs(arn, place.group):
        return versions.check(client, place, arn, again=again)
    there = replace(place, group=copying.group, records=copying.records)
    source = versions.check(client, there, arn, again=again)
    try:
        copy = _Copies(client, place, copying, renew).of(source)
    except (ClientError, BotoCoreError, ImageError, OSError) as error:
        raise VersionError(f"{arn} could not be copied to {place.group}: {error}; mend it and release again") from None
    # The image was scanned where it comes from, and is the same by its digest; its scan here may not have ended.
    return versions.check(client, replace(place, forbidden_findings=NO_LIMIT), copy, again=again)


@dataclass(frozen=True)
class _Copies:
    """Copies of one model's versions."""

    client: Callable[[str], Any]
    place: Place
    copying: Copying
    renew: Callable[[], None]

    def of(self, source: Checked) -> str:
        """The ARN of the copy of a version that was checked."""
        return self._found(source.arn) or self._made(source)

    def _found(self, arn: str) -> str:
        """The copy that says so of itself; what its record says is compared by whoever releases it."""
        sagemaker = self.client("sagemaker")
        pages = sagemaker.get_paginator("list_model_packages").paginate(
            ModelPackageGroupName=self.place.group, SortBy="CreationTime", SortOrder="Descending"
        )
        for page in pages:
            for one in page["ModelPackageSummaryList"]:
                package = sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"])
                if package.get("CustomerMetadataProperties", {}).get(COPY_OF) == arn:
                    return str(package["ModelPackageArn"])
        return ""

    def _made(self, source: Checked) -> str:
        """Artifact, image, record, and last of all the package that names them."""
        sagemaker, s3 = self.client("sagemaker"), self.client("s3")
        package = sagemaker.describe_model_package(ModelPackageName=source.arn)
        record = versions.record_of(package, s3, self.copying.records)
        folder, archive = _folder(source.arn, record), versions.content(s3, record["artifact"]["uri"])
        if hashlib.sha256(archive).hexdigest() != record["artifact"]["sha256"]:
            raise VersionError(f"{source.arn} was changed while it was copied; train again and approve that version")
        artifact = self._put(f"{self.copying.artifacts}/{folder}/{ARCHIVE}", archive)
        uri = f"{self.copying.images}@{source.image_digest}"
        repository = self.copying.images.partition("/")[2]
        ImageCopy(self.client("ecr"), Image.of(source.image), repository, self.renew).make(source.image_digest)
        told = {
            **record,
            "artifact": {**record["artifact"], "uri": artifact},
            "serve_image_uri": uri,
            COPY_OF: source.arn,
            "copied_record": package["CustomerMetadataProperties"]["provenance"],
        }
        place = f"s3://{self.place.records}/{self.place.model}/{folder}/provenance.json"
        self._put(place, json.dumps(told, indent=2).encode())
        self.renew()
        made = sagemaker.create_model_package(**self._package(package, artifact, uri, place))
        return str(made["ModelPackageArn"])

    def _package(self, package: dict[str, Any], artifact: str, image: str, record: str) -> dict[str, Any]:
        """The same version elsewhere. The token lets two requests that overlap make one copy."""
        arn, own = package["ModelPackageArn"], {"Containers": [{"Image": image, "ModelDataUrl": artifact}]}
        return {
            **{name: package[name] for name in SAME if name in package},
            "ModelPackageGroupName": self.place.group.rsplit("/", 1)[-1],
            "InferenceSpecification": {**package["InferenceSpecification"], **own},
            "CustomerMetadataProperties": {
                **package["CustomerMetadataProperties"],
                "provenance": record,
                COPY_OF: arn,
            },
            "ClientToken": hashlib.sha256(arn.encode()).hexdigest()[:36],
        }

    def _put(self, uri: str, body: bytes) -> str:
        self.renew()
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        self.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
        return uri


def _folder(arn: str, record: dict[str, Any]) -> str:
    """Named by all that the copy will be: whatever comes from elsewhere later, what lies there is never another."""
    return hashlib.sha256(json.dumps([arn, record], sort_keys=True).encode()).hexdigest()[:32]
