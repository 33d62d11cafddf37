"""Where versions are copied: an approval brings them to the account that serves, which then needs no other account."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError
from promotion_world import MODEL, Promoted, promoted
from real_jobs import Real

from operations.journal import SUCCEEDED

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Promoted]:
    """Three accounts, two of which serve copies."""
    folder = tmp_path_factory.mktemp("copy")
    with promoted(folder, {"promote": "copy"}, {"dev": {}, "staging": {}, "prod": {}}) as made:
        yield made


@pytest.fixture(scope="module")
def versions(copied: Promoted, real: Real) -> list[str]:
    """Two versions that were approved where they were trained, and released to staging and production by that."""
    made = []
    for number in (1, 2):
        version = copied.register("dev", real.package / "model.tar.gz")
        for stage, who in (("Staging", "staging"), ("Production", "prod")):
            copied.approve("dev", version, stage)
            entry = copied.released(who, number)
            assert (entry.copy_of, entry.outcome, entry.cause) == (version, SUCCEEDED, "event"), entry.because
            assert entry.version.split(":")[4] == copied.names[who].account
        made.append(version)
    return made


def copies(copied: Promoted) -> list[dict[str, Any]]:
    sagemaker = copied.client("prod", "sagemaker")
    found = sagemaker.list_model_packages(ModelPackageGroupName=copied.names["prod"].model_package_group(MODEL))
    return [
        sagemaker.describe_model_package(ModelPackageName=one["ModelPackageArn"])
        for one in found["ModelPackageSummaryList"]
    ]


def test_a_copy_is_the_version_in_the_account_that_serves(copied: Promoted, versions: list[str]) -> None:
    dev, prod = copied.names["dev"], copied.names["prod"]
    source = copied.client("dev", "sagemaker").describe_model_package(ModelPackageName=versions[0])

    first, second = sorted(copies(copied), key=lambda one: int(one["ModelPackageVersion"]))

    same = ("ModelApprovalStatus", "ModelLifeCycle", "ModelPackageDescription", "MetadataProperties")
    assert {name: first[name] for name in same} == {name: source[name] for name in same}
    assert [one["CustomerMetadataProperties"]["copy_of"] for one in (first, second)] == versions
    told = json.dumps(first["InferenceSpecification"])
    assert prod.account in told
    assert dev.account not in told
    record = json.loads(_read(copied, "prod", first["CustomerMetadataProperties"]["provenance"]))
    original = json.loads(_read(copied, "dev", source["CustomerMetadataProperties"]["provenance"]))
    assert record["copy_of"] == versions[0]
    for name in ("serve_image_digest", "execution"):
        assert record[name] == original[name]
    assert record["artifact"]["sha256"] == original["artifact"]["sha256"]
    (image,) = copied.client("prod", "ecr").describe_images(repositoryName=prod.repository)["imageDetails"]
    assert image["imageDigest"] == original["serve_image_digest"]


def _read(copied: Promoted, who: str, uri: str) -> bytes:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    body: bytes = copied.client(who, "s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return body


def test_the_champion_is_what_production_serves_by_its_own_name(copied: Promoted, versions: list[str]) -> None:
    assert copied.champion("dev")["version"] == versions[-1]


@pytest.mark.usefixtures("versions")
def test_nobody_but_the_releaser_writes_where_copies_lie(copied: Promoted) -> None:
    prod = copied.names["prod"]
    for bucket in (prod.runs_bucket, prod.provenance_bucket):
        s3 = copied.client("prod", "s3")
        key = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["Key"]
        assert _refused(s3.put_object, Bucket=bucket, Key=key, Body=b"another")
        assert _refused(s3.delete_object, Bucket=bucket, Key=key)


def _refused(call: Callable[..., Any], **request: Any) -> bool:
    with pytest.raises(ClientError, match="AccessDenied"):
        call(**request)
    return True


@pytest.mark.usefixtures("versions")
def test_without_the_account_that_trained_production_goes_back_verifies_and_is_deployed(copied: Promoted) -> None:
    first, second = sorted(copies(copied), key=lambda one: int(one["ModelPackageVersion"]))
    _lose(copied)

    back = copied.slipway("prod", "rollback", "prod", MODEL)
    assert back.returncode == 0, back.stderr
    assert f"{first['ModelPackageArn']} is live again in prod" in back.stdout
    assert f"the champion of {copied.names['dev'].runs_bucket} stays what it was" in back.stdout

    status = copied.slipway("prod", "status", "prod", MODEL).stdout
    assert f"desired  {first['ModelPackageArn']}\nlive     {first['ModelPackageArn']}" in status
    assert "version 1 as 1" in status

    verified = copied.slipway("prod", "verify", "prod")
    assert (verified.returncode, "prod works" in verified.stdout) == (0, True), verified.stderr

    copied.deploy("prod")
    assert f"live     {first['ModelPackageArn']}" in copied.slipway("prod", "status", "prod", MODEL).stdout

    forward = copied.slipway("prod", "rollback", "prod", MODEL, "2")
    assert f"{second['ModelPackageArn']} is live again in prod" in forward.stdout, forward.stderr

    lost = copied.slipway("prod", "release", "prod", MODEL, "1")
    assert "to release what was copied already, name the copy's ARN" in lost.stderr
    named = copied.slipway("prod", "release", "prod", MODEL, first["ModelPackageArn"])
    assert f"{first['ModelPackageArn']} is live in prod" in named.stdout, named.stderr


def _lose(copied: Promoted) -> None:
    """The account that trained lets nobody in any more, and its images are gone."""
    dev, client = copied.names["dev"], partial(copied.client, "dev")
    for bucket in (dev.runs_bucket, dev.provenance_bucket):
        client("s3").delete_bucket_policy(Bucket=bucket)
    key = client("kms").describe_key(KeyId=dev.key_alias)["KeyMetadata"]["KeyId"]
    root = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{dev.account}:root"}, "Action": "kms:*"}
    closed = {"Version": "2012-10-17", "Statement": [{**root, "Resource": "*"}]}
    client("kms").put_key_policy(KeyId=key, PolicyName="default", Policy=json.dumps(closed))
    client("sagemaker").delete_model_package_group_policy(ModelPackageGroupName=dev.model_package_group(MODEL))
    client("ecr").delete_repository(repositoryName=dev.repository, force=True)
