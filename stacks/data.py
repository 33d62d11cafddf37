"""Buckets: data that arrives, what pipeline runs leave behind, provenance records, access logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks.names import RUNS_PREFIX, TEMPORARY_PREFIX
from stacks.permissions import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.settings import DataSettings

NOT_REPLICATED = "NIST.800.53.R5::NIST.800.53.R5-S3BucketReplicationEnabled"


class Data(cdk.Stack):
    """Owns the buckets. Their names are a contract (names.py): rooms and people reach them by name."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: DataSettings,
        names: Names,
        key: kms.IKey,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description="Buckets of the platform")
        self._config, self._key, self._removal = config, key, removal
        self._access_logs = self._access_log_bucket()
        self._announce_arrivals(self._bucket("Data", names.data_bucket))
        self._runs = self._bucket("Runs", names.runs_bucket)
        self._runs.add_lifecycle_rule(
            id="Temporary", prefix=f"{TEMPORARY_PREFIX}/", expiration=cdk.Duration.days(config.run_retention_days)
        )
        self._provenance = self._bucket("Provenance", names.provenance_bucket)
        self._only_record_steps_write(names)

    def grant_read_versions(self, reader: iam.IGrantable) -> None:
        """Let another account read what runs left behind, a version's artifact among it, and the records."""
        self._runs.grant_read(reader, f"{RUNS_PREFIX}/*")
        self._provenance.grant_read(reader)

    @staticmethod
    def _announce_arrivals(bucket: s3.Bucket) -> None:
        """Objects that arrive become events; CDK's own switch would bring a Lambda function for it."""
        plain = bucket.node.default_child
        assert isinstance(plain, s3.CfnBucket)  # noqa: S101 what an s3.Bucket is made of
        plain.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", value=True)

    def _only_record_steps_write(self, names: Names) -> None:
        """A version's content can be changed in SageMaker; its provenance record must not change with it."""
        writers = f"arn:aws:iam::{names.account}:role/{names.job_role('*', 'record')}"
        objects = self._provenance.arn_for_objects("*")
        self._provenance.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OnlyRecordStepsWrite",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:PutObject"],
                resources=[objects],
                conditions={"ArnNotLike": {"aws:PrincipalArn": writers}},
            )
        )
        self._provenance.add_to_resource_policy(
            iam.PolicyStatement(
                sid="NobodyDeletes",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
                resources=[objects],
            )
        )

    def _bucket(self, id: str, name: str) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            id,
            bucket_name=name,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            encryption=s3.BucketEncryption.KMS,
            encryption_key=self._key,
            bucket_key_enabled=True,
            versioned=True,
            server_access_logs_bucket=self._access_logs,
            server_access_logs_prefix=f"{id.lower()}/",
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Noncurrent",
                    noncurrent_version_expiration=cdk.Duration.days(self._config.noncurrent_retention_days),
                    abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
                )
            ],
            removal_policy=self._removal,
        )
        acknowledge(
            bucket,
            {NOT_REPLICATED: "One region by design: versions protect against mistakes, and data keeps its home."},
        )
        return bucket

    def _access_log_bucket(self) -> s3.Bucket:
        bucket = s3.Bucket(
            self,
            "AccessLogs",
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            enforce_ssl=True,
            minimum_tls_version=1.2,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            # S3 delivers access logs to buckets with S3's own keys only:
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html
            encryption=s3.BucketEncryption.S3_MANAGED,
            versioned=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id="Logs",
                    expiration=cdk.Duration.days(self._config.access_log_retention_days),
                    noncurrent_version_expiration=cdk.Duration.days(1),
                )
            ],
            removal_policy=self._removal,
        )
        acknowledge(
            bucket,
            {
                NOT_REPLICATED: "Access logs serve the region they were written in.",
                "NIST.800.53.R5::NIST.800.53.R5-S3DefaultEncryptionKMS": (
                    "S3 delivers access logs only to buckets encrypted with S3's own keys."
                ),
            },
        )
        return bucket
