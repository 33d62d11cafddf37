"""What an environment may bring itself: key and boundary, a network, a ready image; and what it shares."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from stacks.config import ROOT, Config, load
from stacks.settings import Environment, Platform
from stacks.stage import EnvironmentStage

KEY = "arn:aws:kms:eu-west-1:222222222222:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
IMAGE = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/ml/job:1.4.2"


def synthesize(
    folder: Path, section: str, platform: dict[str, Any] | None = None, of: str = "dev", **change: Any
) -> str:
    """All templates of an environment with one section changed, as one text."""
    config = load()
    table = config.environment(of).model_dump()
    table[section] = {**table[section], **change}
    changed = Environment.model_validate(table)
    others = tuple(changed if each.name == of else each for each in config.environments)
    shared = Platform.model_validate({**config.platform.model_dump(), **(platform or {})})
    app = cdk.App(
        outdir=str(folder),
        context=json.loads((ROOT / "cdk.json").read_text())["context"],
        builtin_cloud_formation_validation=False,
    )
    EnvironmentStage(app, config=Config(platform=shared, environments=others), environment=changed, commit="abc")
    app.synth()
    return "".join(file.read_text() for file in sorted(folder.rglob("*.template.json")))


def test_the_baselines_key_and_boundary_are_used_and_none_is_made(tmp_path: Path) -> None:
    templates = synthesize(tmp_path, "governance", owner="baseline", key_arn=KEY)

    assert "AWS::KMS::Key" not in templates
    assert "AWS::IAM::ManagedPolicy" not in templates
    assert KEY in templates
    assert ":policy/slipway-baseline-boundary" in templates


def test_an_existing_network_is_joined_and_none_is_made(tmp_path: Path) -> None:
    subnets = ("subnet-0a1b2c3d", "subnet-1a2b3c4d")

    templates = synthesize(tmp_path, "network", cidr=None, vpc_id="vpc-0a1b2c3d", subnet_ids=subnets)

    assert "AWS::EC2::VPC" not in templates.replace("AWS::EC2::VPCEndpoint", "")
    assert templates.count("AWS::EC2::SecurityGroup") == 1
    for subnet in subnets:
        assert subnet in templates


def test_a_ready_image_is_taken_and_none_is_built(tmp_path: Path) -> None:
    templates = synthesize(tmp_path, "image", image_uri=IMAGE, serve_image_uri=f"{IMAGE}-serve")

    assert "slipway-dev-job:" not in templates
    assert "AWS::ECR::Repository" not in templates
    assert f"{IMAGE}-serve" in templates
    assert IMAGE in templates.replace(f"{IMAGE}-serve", "")


def test_what_is_shared_is_shared_within_the_organization(tmp_path: Path) -> None:
    synthesize(tmp_path, "data", {"organization_id": "o-a1b2c3d4e5"})
    found = [s for file in tmp_path.rglob("*.template.json") for s in statements(json.loads(file.read_text()))]
    roles = [s for s in found if "aws:PrincipalArn" in s.get("Condition", {}).get("ArnEquals", {})]
    shared = [s for s in roles if s["Action"] != "sts:AssumeRole"]

    assert len(shared) >= 9  # of group, runs and provenance buckets, key, repository
    for statement in shared:
        assert statement["Condition"]["StringEquals"] == {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}, statement


def statements(tree: Any) -> Iterator[dict[str, Any]]:
    """Every statement of every policy in a template."""
    if isinstance(tree, dict):
        if "Effect" in tree:
            yield tree
        for inner in tree.values():
            yield from statements(inner)
    if isinstance(tree, list):
        for inner in tree:
            yield from statements(inner)


def test_a_disposable_environment_takes_its_data_along(tmp_path: Path) -> None:
    """Of one that stands alone; a registry of others must be kept."""
    config = load()
    table = {**config.environment("dev").model_dump(), "disposable": True}
    context = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(outdir=str(tmp_path), context=context, builtin_cloud_formation_validation=False)
    changed, platform = Environment.model_validate(table), Platform.model_validate({"name": "slipway"})
    EnvironmentStage(app, config=Config(platform=platform, environments=(changed,)), environment=changed, commit="abc")
    app.synth()

    for file in tmp_path.rglob("*.template.json"):
        for resource in json.loads(file.read_text())["Resources"].values():
            if resource["Type"] in {"AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SageMaker::ModelPackageGroup"}:
                assert resource["DeletionPolicy"] == "Delete"


def test_an_environment_that_is_alone_shares_nothing(tmp_path: Path) -> None:
    """Without a registry of all, each trains for itself, and nobody reads anybody's versions."""
    templates = synthesize(tmp_path, "data", {"registry": None})

    assert '"ModelPackageGroupPolicy"' not in templates
    assert ":iam::222222222222:" not in templates
    assert "slipway-dev-release" in templates  # its approvals still release, to itself
