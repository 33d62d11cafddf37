"""Versions: which may be released where, and whether one is still what was registered."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

from operations import desired
from operations.images import Image, ImageError
from operations.place import COPY_OF

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.place import Place

STAGES = ("Development", "Staging", "Production")
APPROVED = "Approved"
PASSED = {"Development": ("Passed", APPROVED), "Staging": (APPROVED,), "Production": (APPROVED,)}
"""Of each stage the status from which on a version counts as there."""

NEVER = ("Rejected", "Archived")
SERVING_FILE = "serving.json"
REGISTERED = frozenset({"Image", "ModelDataUrl"})
ADDED = ("Environment", "AdditionalS3DataSource")
"""Parts of a container that change what it does, and that the pipeline never registers."""

SEVERITIES = ("HIGH", "CRITICAL")
"""From the first one that an environment forbids on, nothing of the kind may be in an image."""

NO_LIMIT = "none"
SCANNED = ("COMPLETE", "ACTIVE")
"""Scanned once, or continuously: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageScanStatus.html."""


class VersionError(Exception):
    """Why a version may not be released, and what to do."""


@dataclass(frozen=True)
class Checked:
    """A version that is what was registered: its ARN, rows with the answers its trainer gave, and its image.

    `image_digest` is the content that the record binds it to, whatever the image's tag names by now; `copy_of` is the
    version that was copied, if this is a copy.
    """

    arn: str
    rows: tuple[str, ...]
    probabilities: tuple[float, ...]
    image: str
    image_digest: str
    copy_of: str = ""


def belongs(version: str, group: str) -> bool:
    """Whether an ARN is that of one of the group's versions."""
    within = group.replace(":model-package-group/", ":model-package/")
    return f"{version.rpartition('/')[0]}/".endswith((f"{within}/", f"/{within}/"))


def arn_of(sagemaker: Any, group: str, version: str) -> str:
    """A version's ARN from its number in the group, or as it is. Raises VersionError for one of another group."""
    if version.startswith("arn:"):
        if belongs(version, group):
            return version
        raise VersionError(f"{version} is no version of {group}; release one of its own")
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


def check(client: Callable[[str], Any], place: Place, arn: str, *, again: bool) -> Checked:
    """Raise VersionError unless the version may be released to a place and is what was registered.

    One that was live there before, or goes with one that was, may go back (`again`).
    """
    try:
        package = client("sagemaker").describe_model_package(ModelPackageName=arn)
    except ClientError as error:
        raise VersionError(f"{arn} cannot be read: {error}; name one that is registered") from None
    check_stage(package, place.stage, again=again)
    checked = check_content(package, lambda: client("s3"), place.records)
    check_image(checked, client("ecr"), place.forbidden_findings, again=again)
    return checked


def check_shadow(client: Callable[[str], Any], place: Place, *, again: bool) -> None:
    """The same for the version in the shadow: the stack's next update serves it, whatever else is released."""
    shadow = desired.read(client("ssm"), place.shadow) if place.shadow else desired.NONE
    if shadow == desired.NONE:
        return
    if not shadow.startswith("arn:"):
        raise VersionError(
            f"in the shadow: {place.shadow} says {shadow!r}; it takes a version's ARN, or {desired.NONE}"
        )
    try:
        arn = arn_of(client("sagemaker"), place.group, shadow)
        check(client, place, arn, again=again)
    except VersionError as error:
        raise VersionError(
            f"in the shadow: {error}; write another one there, or nothing: "
            f"aws ssm put-parameter --name {place.shadow} --value {desired.NONE} --overwrite"
        ) from None


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


def may_return(sagemaker: Any, arn: str) -> bool:
    """Whether a version that was live may be so again: it is still there, and was not rejected since."""
    try:
        check_stage(sagemaker.describe_model_package(ModelPackageName=arn), STAGES[0], again=True)
    except (VersionError, ClientError):
        return False
    return True


def check_content(package: dict[str, Any], s3: Callable[[], Any], records: str) -> Checked:
    """Compare the version with the record its pipeline wrote into the bucket `records`, where nobody else can write.

    Raises VersionError if artifact, image or address is another: a version's content can be changed in SageMaker, and
    so can the address of its record. Which execution made it cannot.
    """
    arn, client = package["ModelPackageArn"], s3()
    record = record_of(package, client, records)
    container, *more = package.get("InferenceSpecification", {}).get("Containers") or [{}]
    if more or REGISTERED - set(container) or any(container.get(name) for name in ADDED):
        raise VersionError(
            f"{arn} is not what was registered: its containers are {[container, *more]}, registered was one with "
            f"{' and '.join(sorted(REGISTERED))} only; train again and approve that version"
        )
    generated = package.get("MetadataProperties", {}).get("GeneratedBy", "nobody")
    archive, copy_of = content(client, container["ModelDataUrl"]), record.get(COPY_OF, "")
    digest = hashlib.sha256(archive).hexdigest()
    differ = [
        f"{name} is {found}, recorded is {recorded}"
        for name, found, recorded in (
            ("the artifact's address", container["ModelDataUrl"], record["artifact"]["uri"]),
            ("the data source", _source(container), record["artifact"]["uri"]),
            ("the artifact's sha256", digest, record["artifact"]["sha256"]),
            ("the image", container["Image"], record["serve_image_uri"]),
            ("the execution", generated.rsplit("/", 1)[-1], record["execution"]),
            ("the version it copies", package["CustomerMetadataProperties"].get(COPY_OF, ""), copy_of),
        )
        if found != recorded
    ]
    if differ:
        raise VersionError(
            f"{arn} is not what was registered: {'; '.join(differ)}; train again and approve that version"
        )
    test = _test_rows(archive)
    rows, probabilities = tuple(test["rows"]), tuple(test["probabilities"])
    if not rows or len(rows) != len(probabilities):
        raise VersionError(
            f"{arn} has {len(rows)} test rows and {len(probabilities)} answers; train again and approve that version"
        )
    return Checked(arn, rows, probabilities, container["Image"], record["serve_image_digest"], copy_of)


def record_of(package: dict[str, Any], s3: Any, records: str) -> dict[str, Any]:
    """The version's record; one that binds no content to the image's tag proves nothing of what would serve."""
    arn, place = package["ModelPackageArn"], package.get("CustomerMetadataProperties", {}).get("provenance", "")
    if not place.startswith(f"s3://{records}/"):
        raise VersionError(
            f"{arn} names {place or 'no'} provenance record, records lie in {records}; release a version that the "
            "pipeline registered"
        )
    record: dict[str, Any] = json.loads(content(s3, place))
    if not record.get("serve_image_digest"):
        raise VersionError(
            f"{arn}: its record {place} names no digest of its image, only {record['serve_image_uri']}; train again "
            "and approve that version"
        )
    return record


def check_image(checked: Checked, ecr: Any, forbidden: str, *, again: bool = False) -> None:
    """Raise VersionError unless the version's image is there, is the recorded one and was scanned well enough.

    `forbidden` is the severity from which on findings are not borne, CRITICAL or HIGH; with `none` no scan is asked.
    Nor is it for what was live before (`again`): a weakness that became known meanwhile must not bar the way back.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
    """
    try:
        image = Image.of(checked.image)
        if image.region != ecr.meta.region_name:
            raise VersionError(
                f"the image {image.uri} is not of {ecr.meta.region_name}; SageMaker pulls from there only"
            )
        digest = image.digest(ecr)
        if digest != checked.image_digest:
            raise VersionError(
                f"the image {image.uri} is {digest} now, recorded is {checked.image_digest}; it was pushed anew: "
                "train again and approve that version"
            )
        if forbidden != NO_LIMIT and not again:
            _check_scan(f"the image {image.uri} ({digest})", image.scan(ecr, digest), forbidden)
    except ImageError as error:
        raise VersionError(str(error)) from None


def _check_scan(image: str, scan: dict[str, Any], forbidden: str) -> None:
    status = scan.get("imageScanStatus", {}).get("status", "not known")
    if status not in SCANNED:
        because = scan.get("imageScanStatus", {}).get("description", "")
        raise VersionError(
            f"the scan of {image} is {status}, needed is {' or '.join(SCANNED)}: release again later {because}".strip()
        )
    counts = scan.get("imageScanFindings", {}).get("findingSeverityCounts", {})
    borne_not = SEVERITIES[SEVERITIES.index(forbidden) :]
    found = [f"{counts[severity]} {severity}" for severity in borne_not if counts.get(severity)]
    if found:
        raise VersionError(
            f"{image} has findings of severity {', '.join(found)}; forbidden_findings = {forbidden!r} of this "
            "environment bears none of these: build on a mended base image and train again"
        )


def _source(container: dict[str, Any]) -> str:
    """SageMaker tells an artifact's address in two ways."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(source.get("S3Uri", container["ModelDataUrl"]))


def content(s3: Any, uri: str) -> bytes:
    """An object by its URI."""
    place = urlparse(uri)
    try:
        body: bytes = s3.get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
    except ClientError as error:
        raise VersionError(f"{uri} cannot be read: {error}; train again and approve that version") from None
    return body


def _test_rows(archive: bytes) -> dict[str, Any]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        found = packed.extractfile(SERVING_FILE) if SERVING_FILE in packed.getnames() else None
        if found is None:
            raise VersionError(f"the artifact has no {SERVING_FILE}; release a version that was packaged")
        test: dict[str, Any] = json.loads(found.read())["test"]
        return test
