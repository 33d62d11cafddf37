"""Versions: which may be released where, and whether one is still what was registered."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

if TYPE_CHECKING:
    from collections.abc import Callable

STAGES = ("Development", "Staging", "Production")
APPROVED = "Approved"
PASSED = {"Development": ("Passed", APPROVED), "Staging": (APPROVED,), "Production": (APPROVED,)}
"""Of each stage the status from which on a version counts as there."""

NEVER = ("Rejected", "Archived")
SERVING_FILE = "serving.json"


class VersionError(Exception):
    """Why a version may not be released, and what to do."""


@dataclass(frozen=True)
class Checked:
    """A version that is what was registered: its ARN, and rows with the answers its trainer gave."""

    arn: str
    rows: tuple[str, ...]
    probabilities: tuple[float, ...]


def arn_of(sagemaker: Any, group: str, version: str) -> str:
    """A version's ARN from its number in the group, or as it is."""
    if version.startswith("arn:"):
        return version
    pages = sagemaker.get_paginator("list_model_packages").paginate(ModelPackageGroupName=group)
    found = {
        str(one["ModelPackageVersion"]): one["ModelPackageArn"]
        for page in pages
        for one in page["ModelPackageSummaryList"]
    }
    if version not in found:
        known = ", ".join(sorted(found, key=int)) or "none yet: train first"
        raise VersionError(f"{group} has no version {version!r}; versions are {known}")
    return str(found[version])


def check_stage(package: dict[str, Any], stage: str, *, again: bool) -> None:
    """Raise VersionError unless the version has come as far as the environment's stage.

    A version that was live there before (`again`) may go back whatever its stage is now, unless it was rejected.
    """
    life = package.get("ModelLifeCycle", {})
    at, status, approval = life.get("Stage", ""), life.get("StageStatus", ""), package["ModelApprovalStatus"]
    arn = package["ModelPackageArn"]
    if status in NEVER or approval == "Rejected":
        raise VersionError(f"{arn} is {status if status in NEVER else approval}; release another version")
    if again:
        return
    far = at in STAGES and STAGES.index(at) >= STAGES.index(stage) and status in PASSED[at]
    beyond = at in STAGES and STAGES.index(at) > STAGES.index(stage)  # it has passed this stage already
    approved = stage == "Development" or approval == "Approved"
    if not (far or beyond) or not approved:
        needed = "Development/Passed" if stage == "Development" else f"{stage}/Approved with approval status Approved"
        raise VersionError(
            f"{arn} is {at}/{status}, {approval}; this environment takes versions from {needed} on: "
            "let an approver approve it in SageMaker Studio"
        )


def check_content(package: dict[str, Any], s3: Callable[[], Any]) -> Checked:
    """Compare the version with the record its pipeline wrote, which nobody else can write.

    Raises VersionError if artifact, image or address is another: a version's content can be changed in SageMaker.
    """
    arn, metadata = package["ModelPackageArn"], package.get("CustomerMetadataProperties", {})
    if "provenance" not in metadata:
        raise VersionError(f"{arn} names no provenance record; release a version that the pipeline registered")
    client = s3()
    record = json.loads(_object(client, metadata["provenance"]))
    container = package["InferenceSpecification"]["Containers"][0]
    archive = _object(client, container["ModelDataUrl"])
    digest = hashlib.sha256(archive).hexdigest()
    differ = [
        f"{name} is {found}, recorded is {recorded}"
        for name, found, recorded in (
            ("the artifact's address", container["ModelDataUrl"], record["artifact"]["uri"]),
            ("the artifact's sha256", digest, record["artifact"]["sha256"]),
            ("the image", container["Image"], record["serve_image_uri"]),
        )
        if found != recorded
    ]
    if differ:
        raise VersionError(
            f"{arn} is not what was registered: {'; '.join(differ)}; train again and approve that version"
        )
    test = _test_rows(archive)
    return Checked(arn, tuple(test["rows"]), tuple(test["probabilities"]))


def _object(s3: Any, uri: str) -> bytes:
    place = urlparse(uri)
    body: bytes = s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    return body


def _test_rows(archive: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        found = packed.extractfile(SERVING_FILE) if SERVING_FILE in packed.getnames() else None
        if found is None:
            raise VersionError(f"the artifact has no {SERVING_FILE}; release a version that was packaged")
        test: dict[str, Any] = json.loads(found.read())["test"]
        return test
