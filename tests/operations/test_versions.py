"""Which version may go where, and that one whose content was changed goes nowhere."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from operations.versions import VersionError, arn_of, check_content, check_stage

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


def registered(**changed: str) -> tuple[dict[str, Any], Bucket]:
    body = archive()
    artifact = {"uri": MODEL, "sha256": hashlib.sha256(body).hexdigest()}
    container = {"Image": IMAGE, "ModelDataUrl": MODEL, **changed}
    version = {
        **package(*STAGED),
        "InferenceSpecification": {"Containers": [container]},
        "CustomerMetadataProperties": {"provenance": RECORD},
    }
    record = json.dumps({"artifact": artifact, "serve_image_uri": IMAGE}).encode()
    return version, Bucket({MODEL: body, RECORD: record, "s3://runs/other.tar.gz": body})


def test_a_version_as_it_was_registered_comes_with_its_rows() -> None:
    version, bucket = registered()

    checked = check_content(version, lambda: bucket)

    assert (checked.arn, checked.rows, checked.probabilities) == (ARN, ("1,2",), (0.5,))


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
        check_content(version, lambda: bucket)
    assert told in str(refused.value)


def test_an_artifact_that_was_replaced_is_refused() -> None:
    version, bucket = registered()
    bucket.objects[MODEL] += b"x"

    with pytest.raises(VersionError, match="the artifact's sha256 is"):
        check_content(version, lambda: bucket)


def test_a_version_without_a_record_is_refused() -> None:
    version, bucket = registered()
    version["CustomerMetadataProperties"] = {}

    with pytest.raises(VersionError, match="names no provenance record"):
        check_content(version, lambda: bucket)


class Registry:
    def get_paginator(self, _name: str) -> Any:
        return self

    def paginate(self, **_asked: str) -> list[dict[str, Any]]:
        return [{"ModelPackageSummaryList": [{"ModelPackageVersion": 3, "ModelPackageArn": ARN}]}]


def test_a_version_is_named_by_its_number_or_its_arn() -> None:
    assert arn_of(Registry(), "g", "3") == arn_of(Registry(), "g", ARN) == ARN
    with pytest.raises(VersionError, match="g has no version '4'; versions are 3"):
        arn_of(Registry(), "g", "4")
