"""A period's files arrive whole, with their sums, and the manifest last."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from operations import periods
from operations.periods import PeriodError, correct_period, upload_period
from pipeline_code import contract


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        client = boto3.client("s3", region_name="us-east-1")
        client.create_bucket(Bucket="data")
        client.put_bucket_versioning(Bucket="data", VersioningConfiguration={"Status": "Enabled"})
        yield client


def file(folder: Path, name: str, content: bytes) -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def upload(s3: Any, files: list[Path], period: str = "2013-04") -> periods.Upload:
    return upload_period(s3, bucket="data", prefix="periods/model", period=period, files=files)


def test_files_arrive_with_their_sums_and_versions(s3: Any, tmp_path: Path) -> None:
    flights = file(tmp_path, "flights.csv", b"a,b\n1,2\n")

    upload(s3, [flights])

    manifest = json.loads(s3.get_object(Bucket="data", Key="periods/model/2013-04/_READY.json")["Body"].read())
    sent = manifest["files"]["flights.csv"]
    stored = s3.get_object(Bucket="data", Key="periods/model/2013-04/flights.csv", VersionId=sent["version_id"])
    assert stored["Body"].read() == b"a,b\n1,2\n"
    assert sent["sha256"] == hashlib.sha256(b"a,b\n1,2\n").hexdigest()
    assert sent["bytes"] == 8


def test_uploading_again_keeps_the_former_version(s3: Any, tmp_path: Path) -> None:
    first = upload(s3, [file(tmp_path, "flights.csv", b"one")])

    second = upload(s3, [file(tmp_path, "flights.csv", b"two")])

    former = first.files["flights.csv"]["version_id"]
    assert former != second.files["flights.csv"]["version_id"]
    stored = s3.get_object(Bucket="data", Key="periods/model/2013-04/flights.csv", VersionId=former)
    assert stored["Body"].read() == b"one"


def test_all_mistakes_are_named_and_nothing_is_sent(s3: Any, tmp_path: Path) -> None:
    empty, missing = file(tmp_path, "empty.csv", b""), tmp_path / "missing.csv"

    with pytest.raises(PeriodError) as caught:
        upload(s3, [empty, missing, empty], period="2013-13")

    message = str(caught.value)
    assert "period '2013-13': a period is a month such as 2013-04" in message
    assert "empty.csv: empty" in message
    assert "missing.csv: no such file" in message
    assert "empty.csv: named twice" in message
    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 0


def manifest_of(s3: Any) -> dict[str, Any]:
    found = json.loads(s3.get_object(Bucket="data", Key="periods/model/2013-04/_READY.json")["Body"].read())
    assert isinstance(found, dict)
    return found


def test_corrections_lie_beside_the_files_and_in_the_manifest(s3: Any, tmp_path: Path) -> None:
    flights = file(tmp_path, "flights.csv", b"a,b\n1,2\n")
    upload_period(s3, bucket="data", prefix="periods/model", period="2013-04", files=[flights], starts=False)
    before = manifest_of(s3)

    for content in (b"reason,file\n", b"reason,file,row\n"):
        corrected = file(tmp_path, "flights.csv", content)
        correct_period(s3, bucket="data", prefix="periods/model", period="2013-04", files=[corrected])

    after = manifest_of(s3)
    assert after["files"]["flights.csv"] == before["files"]["flights.csv"]
    assert after["files"]["flights.corrections.csv"]["sha256"] == hashlib.sha256(b"reason,file,row\n").hexdigest()
    assert after["starts"] is False  # history that is corrected starts no run either
    versions = s3.list_object_versions(Bucket="data", Prefix="periods/model/2013-04/flights.corrections.csv")
    assert len(versions["Versions"]) == 2


def test_a_period_nobody_uploaded_cannot_be_corrected(s3: Any, tmp_path: Path) -> None:
    corrected = file(tmp_path, "flights.csv", b"reason,file\n")

    with pytest.raises(PeriodError, match=r"period 2013-04: no _READY\.json below .*; upload the period first"):
        correct_period(s3, bucket="data", prefix="periods/model", period="2013-04", files=[corrected])

    assert s3.list_objects_v2(Bucket="data")["KeyCount"] == 0


def test_the_manifest_has_the_name_that_the_prepare_step_looks_for() -> None:
    assert periods.READY_MANIFEST == contract.READY_MANIFEST
