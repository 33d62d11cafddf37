"""Buckets of the delivery: encrypted, by TLS only, kept; there is code in them and no data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_s3 as s3

from stacks.permissions import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms

UNLOGGED = {
    "AwsSolutions::AwsSolutions-S1": "CloudTrail logs who pushes and who hands on; there is no data in it.",
    "NIST.800.53.R5::NIST.800.53.R5-S3BucketLoggingEnabled": "The same.",
    "NIST.800.53.R5::NIST.800.53.R5-S3BucketReplicationEnabled": "What it holds can be made from the repository again.",
}


def delivery_bucket(scope: cdk.Stack, id: str, name: str, key: kms.IKey, days: int | None = None) -> s3.Bucket:
    """With `days`, what is older goes by itself."""
    kept = cdk.Duration.days(days) if days else None
    old = s3.LifecycleRule(id="HandedOn", expiration=kept, noncurrent_version_expiration=kept)
    bucket = s3.Bucket(
        scope,
        id,
        bucket_name=name,
        versioned=True,
        encryption=s3.BucketEncryption.KMS,
        encryption_key=key,
        bucket_key_enabled=True,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        enforce_ssl=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        lifecycle_rules=[old] if days else None,
    )
    acknowledge(bucket, UNLOGGED)
    return bucket
