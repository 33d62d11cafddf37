"""What every resource of the templates promises, whatever IAM decides: privacy of buckets, walls of the network."""

from __future__ import annotations

from collections.abc import Iterator

from iam_deployed import Cloud, Made

OUTSIDE = {"AWS::EC2::EIP", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway"}


def _ours(cloud: Cloud, kind: str) -> list[Made]:
    return [made for made in cloud.of_kind(kind) if not made.stack.startswith("CDKToolkit")]


def buckets(cloud: Cloud) -> Iterator[str]:
    """Buckets that are not private, versioned and encrypted."""
    for bucket in _ours(cloud, "AWS::S3::Bucket"):
        told = bucket.properties
        closed = told.get("PublicAccessBlockConfiguration", {})
        if len(closed) != 4 or not all(closed.values()):
            yield f"{bucket.name} is not closed to the public"
        if told.get("VersioningConfiguration") != {"Status": "Enabled"}:
            yield f"{bucket.name} keeps no versions"
        if not told.get("BucketEncryption"):
            yield f"{bucket.name} is not encrypted"


def network(cloud: Cloud) -> Iterator[str]:
    """Ways out of the VPC, and ways to buckets that are none of ours."""
    yield from (f"{made.stack} has a way out: {made.kind}" for made in cloud.made if made.kind in OUTSIDE)
    for endpoint in cloud.of_kind("AWS::EC2::VPCEndpoint"):
        for statement in endpoint.properties.get("PolicyDocument", {"Statement": [{}]})["Statement"]:
            if not statement.get("Condition", {}).get("StringEquals", {}).get("aws:ResourceAccount"):
                yield f"{endpoint.stack} lets through to any account"
    for group in cloud.of_kind("AWS::EC2::SecurityGroup"):
        if group.properties.get("SecurityGroupIngress"):
            yield f"{group.id} lets somebody in"


def serving(cloud: Cloud) -> Iterator[str]:
    """Models whose code reaches the network."""
    for model in cloud.of_kind("AWS::SageMaker::Model"):
        if not model.properties.get("EnableNetworkIsolation"):
            yield f"a model of {model.stack} reaches the network"


def logs(cloud: Cloud) -> Iterator[str]:
    """Logs that are kept for ever, or in the clear."""
    for group in cloud.of_kind("AWS::Logs::LogGroup"):
        if "RetentionInDays" not in group.properties:
            yield f"{group.name} is kept for ever"
        if "KmsKeyId" not in group.properties:
            yield f"{group.name} has no key"
