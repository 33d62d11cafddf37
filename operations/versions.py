"""Versions: which may be released where, and whether one is still what was registered."""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

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

IMAGE_URI = re.compile(
    r"(?P<registry>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/"
    r"(?P<name>[^:@]+)(?::(?P<imageTag>[^@]+))?(?:@(?P<imageDigest>sha256:[0-9a-f]{64}))?"
)
MISSING_IMAGE = {
    "RepositoryNotFoundException": "there is no such repository",
    "ImageNotFoundException": "there is no such image; see the image's build in CodeBuild",
    "ScanNotFoundException": "it was never scanned; turn on scan on push, or `aws ecr start-image-scan`",
}
"""What ECR's errors mean for a release."""


class VersionError(Exception):
    """Why a version may not be released, and what to do."""


@dataclass(frozen=True)
class Checked:
    """A version that is what was registered: its ARN, rows with the answers its trainer gave, and its image.

    `image_digest` is what the record says of it; empty where it says nothing.
    """

    arn: str
    rows: tuple[str, ...]
    probabilities: tuple[float, ...]
    image: str
    image_digest: str = ""


def arn_of(sagemaker: Any, group: str, version: str) -> str:
    """A version's ARN from its number in the group, or as it is. Raises VersionError for one of another group."""
    if version.startswith("arn:"):
        within = group.replace(":model-package-group/", ":model-package/")
        if f"{version.rpartition('/')[0]}/".endswith((f"{within}/", f"/{within}/")):
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
    arn, place = package["ModelPackageArn"], package.get("CustomerMetadataProperties", {}).get("provenance", "")
    if not place.startswith(f"s3://{records}/"):
        raise VersionError(
            f"{arn} names {place or 'no'} provenance record, records lie in {records}; release a version that the "
            "pipeline registered"
        )
    client = s3()
    record = json.loads(_object(client, place))
    container, *more = package.get("InferenceSpecification", {}).get("Containers") or [{}]
    if more or REGISTERED - set(container) or any(container.get(name) for name in ADDED):
        raise VersionError(
            f"{arn} is not what was registered: its containers are {[container, *more]}, registered was one with "
            f"{' and '.join(sorted(REGISTERED))} only; train again and approve that version"
        )
    generated = package.get("MetadataProperties", {}).get("GeneratedBy", "nobody")
    archive = _object(client, container["ModelDataUrl"])
    digest = hashlib.sha256(archive).hexdigest()
    differ = [
        f"{name} is {found}, recorded is {recorded}"
        for name, found, recorded in (
            ("the artifact's address", container["ModelDataUrl"], record["artifact"]["uri"]),
            ("the data source", _source(container), record["artifact"]["uri"]),
            ("the artifact's sha256", digest, record["artifact"]["sha256"]),
            ("the image", container["Image"], record["serve_image_uri"]),
            ("the execution", generated.rsplit("/", 1)[-1], record["execution"]),
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
    return Checked(arn, rows, probabilities, container["Image"], record.get("serve_image_digest", ""))


def check_image(checked: Checked, ecr: Any, forbidden: str, *, again: bool = False) -> None:
    """Raise VersionError unless the version's image is there, is the recorded one and was scanned well enough.

    `forbidden` is the severity from which on findings are not borne, CRITICAL or HIGH; with `none` no scan is asked.
    Nor is it for what was live before (`again`): a weakness that became known meanwhile must not bar the way back.
    https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImageScanFindings.html
    """
    named = IMAGE_URI.fullmatch(checked.image)
    if named is None:
        raise VersionError(f"the image {checked.image} is in no Amazon ECR repository; SageMaker takes no other")
    if named["region"] != ecr.meta.region_name:
        raise VersionError(
            f"the image {checked.image} is not of {ecr.meta.region_name}; SageMaker pulls from there only"
        )
    given = {key: named[key] for key in ("imageTag", "imageDigest") if named[key]}
    asked = {"registryId": named["registry"], "repositoryName": named["name"]}
    try:
        (found,) = ecr.describe_images(**asked, imageIds=[given])["imageDetails"]
        digest = found["imageDigest"]
        if checked.image_digest not in {"", digest}:
            raise VersionError(f"the image {checked.image} is {digest} now, recorded is {checked.image_digest}")
        if forbidden != NO_LIMIT and not again:
            # By digest: a tag could be moved in between.
            scan = ecr.describe_image_scan_findings(**asked, imageId={"imageDigest": digest})
            _check_scan(f"the image {checked.image} ({digest})", scan, forbidden)
    except ClientError as error:
        raise VersionError(f"the image {checked.image} cannot be checked: {_why(error, asked)}") from None


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


def _why(error: ClientError, asked: dict[str, str]) -> str:
    code = error.response["Error"]["Code"]
    if code == "AccessDeniedException":
        return (
            f"{error.response['Error']['Message']}; the policy of repository {asked['repositoryName']} of account "
            f"{asked['registryId']} has to let this role do ecr:DescribeImages and ecr:DescribeImageScanFindings, "
            "and so has the role's own"
        )
    return MISSING_IMAGE.get(code, str(error))


def _source(container: dict[str, Any]) -> str:
    """SageMaker tells an artifact's address in two ways."""
    source = container.get("ModelDataSource", {}).get("S3DataSource", {})
    return str(source.get("S3Uri", container["ModelDataUrl"]))


def _object(s3: Any, uri: str) -> bytes:
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
