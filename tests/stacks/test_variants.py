"""What an environment may bring itself: key and boundary, a network, a ready image; and whom it lets read."""

import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from stacks.config import ROOT, load
from stacks.settings import Environment, Platform
from stacks.stage import EnvironmentStage

KEY = "arn:aws:kms:eu-west-1:222222222222:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
IMAGE = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1.4.2"


def synthesize(folder: Path, section: str, platform: dict[str, Any] | None = None, **change: Any) -> str:
    """All templates of the staging environment with one section changed, as one text."""
    config = load()
    table = config.environment("staging").model_dump()
    table[section] = {**table[section], **change}
    app = cdk.App(
        outdir=str(folder),
        context=json.loads((ROOT / "cdk.json").read_text())["context"],
        builtin_cloud_formation_validation=False,
    )
    shared = Platform.model_validate({**config.platform.model_dump(), **(platform or {})})
    EnvironmentStage(app, platform=shared, environment=Environment.model_validate(table), commit="abc")
    app.synth()
    return "".join(file.read_text() for file in sorted(folder.rglob("*.template.json")))


def test_the_baselines_key_and_boundary_are_used_and_none_is_made(tmp_path: Path) -> None:
    templates = synthesize(tmp_path, "governance", owner="baseline", key_arn=KEY)

    assert "AWS::KMS::Key" not in templates
    assert "AWS::IAM::ManagedPolicy" not in templates
    assert KEY in templates
    assert ":policy/slipway-staging-boundary" in templates


def test_an_existing_network_is_joined_and_none_is_made(tmp_path: Path) -> None:
    subnets = ("subnet-0a1b2c3d", "subnet-1a2b3c4d")

    templates = synthesize(tmp_path, "network", cidr=None, vpc_id="vpc-0a1b2c3d", subnet_ids=subnets)

    assert "AWS::EC2::VPC" not in templates.replace("AWS::EC2::VPCEndpoint", "")
    assert templates.count("AWS::EC2::SecurityGroup") == 1
    for subnet in subnets:
        assert subnet in templates


def test_a_ready_image_is_taken_and_none_is_built(tmp_path: Path) -> None:
    templates = synthesize(tmp_path, "image", image_uri=IMAGE, serve_image_uri=f"{IMAGE}-serve")

    assert "AWS::CodeBuild::Project" not in templates
    assert "AWS::ECR::Repository" not in templates
    assert f"{IMAGE}-serve" in templates
    assert IMAGE in templates.replace(f"{IMAGE}-serve", "")


def test_an_organizations_accounts_may_pull_the_image(tmp_path: Path) -> None:
    templates = synthesize(tmp_path, "image", {"organization_id": "o-a1b2c3d4e5"})

    assert '"aws:PrincipalOrgID": "o-a1b2c3d4e5"' in templates


@pytest.mark.parametrize("account", ["444444444444"])
def test_reader_accounts_reach_versions_artifacts_and_key(tmp_path: Path, account: str) -> None:
    templates = synthesize(tmp_path, "registry", reader_accounts=(account,))

    assert "sagemaker:DescribeModelPackage" in templates
    assert templates.count(f":iam::{account}:root") >= 4  # group, runs bucket, provenance bucket, key
