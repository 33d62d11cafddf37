"""`make acceptance`: the story with nothing but credentials and public endpoints, and an account as it was before."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from embedded import REGION

from rehearsal.cleaning import clean
from rehearsal.embedded import EmbeddedAws
from rehearsal.target import RealAccount, TargetError
from stacks.config import ROOT

pytestmark = pytest.mark.long


def acceptance(aws: EmbeddedAws, account: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cli", "acceptance", *arguments],
        cwd=ROOT,
        env=aws.environment(account, REGION),
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def test_the_story_is_played_and_everything_is_taken_away(tmp_path: Path) -> None:
    with EmbeddedAws(tmp_path / "aws", ROOT / ".venv-job/bin/python") as aws:
        account = "200000000001"

        ran = acceptance(aws, account, "--yes")

        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert "staging works" in ran.stdout
        assert f"accepted: account {account}" in ran.stdout

        def client(service: str) -> Any:
            return aws.client(service, account, REGION)

        stacks = [stack["StackName"] for stack in client("cloudformation").describe_stacks()["Stacks"]]
        assert stacks == ["CDKToolkit"]
        assert [b["Name"] for b in client("s3").list_buckets()["Buckets"] if b["Name"].startswith("accept-")] == []
        assert client("sagemaker").list_endpoints()["Endpoints"] == []
        assert client("ssm").get_parameters_by_path(Path="/accept/", Recursive=True)["Parameters"] == []


def test_nothing_is_made_by_whoever_does_not_say_yes(aws: EmbeddedAws, account: str) -> None:
    ran = acceptance(aws, account)

    assert ran.returncode != 0
    assert aws.client("cloudformation", account, REGION).describe_stacks()["Stacks"] == []


def test_what_bears_another_name_is_not_touched(aws: EmbeddedAws, account: str) -> None:
    s3 = aws.client("s3", account, REGION)
    for name in ("accept-dev-data", "acceptance-of-others"):
        s3.create_bucket(Bucket=f"{name}-{account}", CreateBucketConfiguration={"LocationConstraint": REGION})
        s3.put_object(Bucket=f"{name}-{account}", Key="kept", Body=b"x")

    clean(lambda service: aws.client(service, account, REGION), ["accept-dev"], "accept", lambda: None)

    assert "Contents" not in s3.list_objects_v2(Bucket=f"accept-dev-data-{account}")
    assert s3.list_objects_v2(Bucket=f"acceptance-of-others-{account}")["KeyCount"] == 1


def test_a_real_account_is_told_nothing_that_only_the_embedded_one_can() -> None:
    target = RealAccount("200000000001")

    for order in (
        lambda: target.skip(60, "a wait"),
        lambda: target.order_fault("Train", "SpotInterruption"),
        lambda: target.order_load("endpoint", 5),
        lambda: target.client("s3", "300000000001", REGION),
    ):
        with pytest.raises(TargetError):
            order()
