"""Which version may go where, and that one whose content was changed goes nowhere."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest
from embedded import REGION, Client
from serving_world import Serving

from operations.versions import Checked, VersionError, arn_of, check_content, check_image, check_stage
from rehearsal.embedded import EmbeddedAws
from rehearsal.faults import CRITICAL_FINDING, HIGH_FINDING, UNSCANNED

ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package/g/3"


def package(stage: str, status: str, approval: str = "PendingManualApproval") -> dict[str, Any]:
    life = {"Stage": stage, "StageStatus": status}
    return {"ModelPackageArn": ARN, "ModelLifeCycle": life, "ModelApprovalStatus": approval}


ASKED = ("Development", "Passed", "PendingManualApproval")
REQUESTED = ("Staging", "PendingApproval", "PendingManualApproval")
STAGED = ("Staging", "Approved", "Approved")
WANTED = ("Production", "PendingApproval", "Approved")
PRODUCTIVE = ("Production", "Approved", "Approved")
REJECTED = ("Staging", "Rejected", "Rejected")
ARCHIVED = ("Production", "Archived", "Approved")


@pytest.mark.parametrize(
    ("version", "stages"),
    [
        (ASKED, ["Development"]),
        (REQUESTED, ["Development"]),
        (STAGED, ["Development", "Staging"]),
        (WANTED, ["Development", "Staging"]),
        (PRODUCTIVE, ["Development", "Staging", "Production"]),
        (REJECTED, []),
        (ARCHIVED, []),
        (("Development", "Failed", "PendingManualApproval"), []),
        (("Staging", "Approved", "PendingManualApproval"), ["Development"]),  # one of the two fields is not enough
        (("", "", "Approved"), []),
    ],
)
def test_a_version_goes_where_it_has_come(version: tuple[str, str, str], stages: list[str]) -> None:
    taken = []
    for stage in ("Development", "Staging", "Production"):
        try:
            check_stage(package(*version), stage, again=False)
        except VersionError:
            continue
        taken.append(stage)

    assert taken == stages


@pytest.mark.parametrize("version", [REJECTED, ARCHIVED])
def test_what_is_rejected_does_not_even_go_back(version: tuple[str, str, str]) -> None:
    with pytest.raises(VersionError, match=r"is (Rejected|Archived); release another version"):
        check_stage(package(*version), "Development", again=True)


def test_what_was_live_goes_back_whatever_its_stage() -> None:
    check_stage(package(*ASKED), "Production", again=True)


class Bucket:
    """Objects by URI, as an S3 client gives them."""

    def __init__(self, objects: dict[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, **asked: str) -> dict[str, Any]:
        return {"Body": io.BytesIO(self.objects[f"s3://{asked['Bucket']}/{asked['Key']}"])}


def archive() -> bytes:
    packed, content = io.BytesIO(), json.dumps({"test": {"rows": ["1,2"], "probabilities": [0.5]}}).encode()
    with tarfile.open(fileobj=packed, mode="w:gz") as made:
        entry = tarfile.TarInfo("serving.json")
        entry.size = len(content)
        made.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


MODEL, IMAGE, RECORD = "s3://runs/m/model.tar.gz", "registry/serve:1", "s3://provenance/m/provenance.json"
DIGEST = f"sha256:{'0' * 64}"


def registered(**changed: str) -> tuple[dict[str, Any], Bucket]:
    body = archive()
    artifact = {"uri": MODEL, "sha256": hashlib.sha256(body).hexdigest()}
    container = {"Image": IMAGE, "ModelDataUrl": MODEL, **changed}
    version = {
        **package(*STAGED),
        "InferenceSpecification": {"Containers": [container]},
        "MetadataProperties": {"GeneratedBy": "arn:aws:sagemaker:x:1:pipeline/m/execution/e1"},
        "CustomerMetadataProperties": {"provenance": RECORD},
    }
    image = {"serve_image_uri": IMAGE, "serve_image_digest": DIGEST}
    record = json.dumps({"artifact": artifact, **image, "execution": "e1"}).encode()
    return version, Bucket({MODEL: body, RECORD: record, "s3://runs/other.tar.gz": body})


def test_a_version_as_it_was_registered_comes_with_its_rows() -> None:
    version, bucket = registered()

    checked = check_content(version, lambda: bucket, "provenance")

    assert checked == Checked(ARN, ("1,2",), (0.5,), IMAGE, DIGEST)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"Image": "registry/other:1"}, "the image is registry/other:1, recorded is registry/serve:1"),
        ({"ModelDataUrl": "s3://runs/other.tar.gz"}, "the artifact's address is s3://runs/other.tar.gz"),
    ],
)
def test_a_version_that_was_changed_is_refused(changed: dict[str, str], told: str) -> None:
    version, bucket = registered(**changed)

    with pytest.raises(VersionError, match="is not what was registered") as refused:
        check_content(version, lambda: bucket, "provenance")
    assert told in str(refused.value)


def test_a_record_that_lies_elsewhere_is_no_record() -> None:
    version, bucket = registered()
    bucket.objects["s3://mine/provenance.json"] = bucket.objects[RECORD]
    version["CustomerMetadataProperties"] = {"provenance": "s3://mine/provenance.json"}

    with pytest.raises(VersionError, match="provenance record, records lie in provenance"):
        check_content(version, lambda: bucket, "provenance")


def test_a_version_cannot_pass_with_the_content_and_record_of_another() -> None:
    """Content and record's address can both be changed after the approval; who made the version cannot."""
    version, bucket = registered()
    version["MetadataProperties"] = {"GeneratedBy": "arn:aws:sagemaker:x:1:pipeline/m/execution/e2"}

    with pytest.raises(VersionError, match="the execution is e2, recorded is e1"):
        check_content(version, lambda: bucket, "provenance")


def test_an_artifact_that_was_replaced_is_refused() -> None:
    version, bucket = registered()
    bucket.objects[MODEL] += b"x"

    with pytest.raises(VersionError, match="the artifact's sha256 is"):
        check_content(version, lambda: bucket, "provenance")


def test_a_version_without_a_record_is_refused() -> None:
    version, bucket = registered()
    version["CustomerMetadataProperties"] = {}

    with pytest.raises(VersionError, match="names no provenance record"):
        check_content(version, lambda: bucket, "provenance")


@pytest.mark.parametrize("digest", [None, ""])
def test_a_record_that_binds_no_content_to_the_image_is_refused(digest: str | None) -> None:
    version, bucket = registered()
    record = {**json.loads(bucket.objects[RECORD]), "serve_image_digest": digest}
    bucket.objects[RECORD] = json.dumps({name: value for name, value in record.items() if value is not None}).encode()

    with pytest.raises(VersionError, match=f"names no digest of its image, only {IMAGE}; train again"):
        check_content(version, lambda: bucket, "provenance")


def look(serving: Serving, forbidden: str = "CRITICAL", *, uri: str = "", digest: str = "") -> None:
    """The check of a version that has this image."""
    checked = Checked(ARN, (), (), uri or serving.uri, digest or serving.digest)
    check_image(checked, serving.world.client("ecr"), forbidden)


def test_an_image_that_is_there_and_was_scanned_is_taken(serving: Serving) -> None:
    serving.build()
    by_digest = f"{serving.uri.rsplit(':', 1)[0]}@{serving.digest}"

    look(serving, "HIGH")
    look(serving, uri=by_digest)


def test_an_image_that_was_never_built_is_refused(serving: Serving) -> None:
    with pytest.raises(VersionError, match="there is no such image; see the image's build"):
        look(serving, digest=DIGEST)
    with pytest.raises(VersionError, match="there is no such repository"):
        look(serving, uri=serving.uri.replace("/serve-", "/other-"), digest=DIGEST)


def test_an_image_that_is_not_the_recorded_one_is_refused(serving: Serving) -> None:
    serving.build()

    with pytest.raises(VersionError, match=f"is {serving.digest} now, recorded is {DIGEST}; it was pushed anew"):
        look(serving, digest=DIGEST)


@pytest.mark.parametrize(
    ("fault", "forbidden", "told"),
    [
        (CRITICAL_FINDING, "CRITICAL", "has findings of severity 1 CRITICAL; forbidden_findings = 'CRITICAL'"),
        (CRITICAL_FINDING, "HIGH", "has findings of severity 1 CRITICAL; forbidden_findings = 'HIGH'"),
        (CRITICAL_FINDING, "none", ""),
        (HIGH_FINDING, "CRITICAL", ""),
        (HIGH_FINDING, "HIGH", "has findings of severity 1 HIGH"),
        (UNSCANNED, "CRITICAL", "is IN_PROGRESS, needed is COMPLETE or ACTIVE: release again later"),
        (UNSCANNED, "none", ""),
    ],
)
def test_findings_that_are_forbidden_refuse_and_others_do_not(
    serving: Serving, aws: EmbeddedAws, fault: str, forbidden: str, told: str
) -> None:
    aws.order_fault(serving.repository, fault)
    serving.build()

    try:
        look(serving, forbidden)
        said = ""
    except VersionError as error:
        said = str(error)

    assert told in said
    assert bool(told) == bool(said)


def test_an_image_that_was_never_scanned_is_refused(serving: Serving) -> None:
    serving.world.client("ecr").put_image_scanning_configuration(
        repositoryName=serving.repository, imageScanningConfiguration={"scanOnPush": False}
    )
    serving.build()

    with pytest.raises(VersionError, match="it was never scanned; turn on scan on push"):
        look(serving)


def test_a_repository_that_is_not_open_says_what_to_grant(serving: Serving, aws: EmbeddedAws) -> None:
    serving.build()
    stranger = aws.client("ecr", "999999999999", REGION)

    with pytest.raises(VersionError) as refused:
        check_image(Checked(ARN, (), (), serving.uri, DIGEST), stranger, "CRITICAL")

    assert f"the policy of repository {serving.repository} of account {serving.world.account}" in str(refused.value)
    assert "ecr:DescribeImages and ecr:DescribeImageScanFindings" in str(refused.value)


def test_an_image_from_elsewhere_is_refused(client: Client) -> None:
    for uri, told in (
        ("docker.io/library/python:3", "is in no Amazon ECR repository"),
        ("111111111111.dkr.ecr.us-east-1.amazonaws.com/a:1", "is not of eu-west-1; SageMaker pulls from there only"),
    ):
        with pytest.raises(VersionError, match=told):
            check_image(Checked(ARN, (), (), uri, DIGEST), client("ecr"), "CRITICAL")


class Registry:
    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_asked: str) -> list[dict[str, Any]]:
        return [{"ModelPackageSummaryList": [{"ModelPackageVersion": 3, "ModelPackageArn": ARN}]}]


def test_a_version_is_named_by_its_number_or_its_arn() -> None:
    assert arn_of(Registry(), "g", "3") == arn_of(Registry(), "g", ARN) == ARN
    with pytest.raises(VersionError, match="g has no version '4'; versions are 3"):
        arn_of(Registry(), "g", "4")
