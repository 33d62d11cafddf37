"""Buckets: data that arrives and is captured; where models are trained, what runs leave behind and its records."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from stacks.names import TEMPORARY_PREFIX, champion_prefix, runs_prefix
from stacks.permissions import acknowledge

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.readers import Readers
    from stacks.settings import DataSettings

HANDED_ON_DAYS = 30
"""How long the release pipeline's bucket keeps the source it hands from action to action."""

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

    def keep_runs(self, names: Names, readers: Readers) -> None:
        """Where models are trained: buckets for what runs leave, for records, for the release pipeline."""
        runs = self._bucket("Runs", names.runs_bucket)
        days = cdk.Duration.days(self._config.run_retention_days)
        runs.add_lifecycle_rule(id="Temporary", prefix=f"{TEMPORARY_PREFIX}/", expiration=days)
        self._provenance = self._bucket("Provenance", names.provenance_bucket)
        # A version's content can be changed in SageMaker; its provenance record must not change with it.
        record_steps = f"arn:aws:iam::{names.account}:role/{names.job_role('*', 'record')}"
        _only_writes(self._provenance, "OnlyRecordStepsWrite", record_steps)
        self._bucket("Delivery", names.delivery_bucket).add_lifecycle_rule(
            id="HandedOn", expiration=cdk.Duration.days(HANDED_ON_DAYS)
        )
        if not readers.environments:
            return
        packaged = [runs.arn_for_objects(f"{runs_prefix(model)}/*/package/*") for model in readers.models]
        who = [*readers.checkers, *readers.endpoints()]
        runs.add_to_resource_policy(readers.let("ReadVersions", who, ["s3:GetObject"], packaged))
        records = [self._provenance.arn_for_objects("*")]
        self._provenance.add_to_resource_policy(readers.let("ReadRecords", readers.checkers, ["s3:GetObject"], records))
        if readers.crowning:
            champions = [runs.arn_for_objects(f"{champion_prefix(model)}/*") for model in readers.models]
            runs.add_to_resource_policy(
                readers.let("MakeChampion", readers.crowners, ["s3:GetObject", "s3:PutObject"], champions)
            )

    def keep_copies(self, names: Names) -> None:
        """Where versions are copied to: what was served once stays, whatever becomes of where it was trained."""
        for part, name in (("Runs", names.runs_bucket), ("Provenance", names.provenance_bucket)):
            _only_writes(self._bucket(part, name), "OnlyTheReleaserWrites", names.role_arn(names.releaser))

    @staticmethod
    def _announce_arrivals(bucket: s3.Bucket) -> None:
        """Objects that arrive become events; CDK's own switch would bring a Lambda function for it."""
        plain = bucket.node.default_child
        assert isinstance(plain, s3.CfnBucket)  # noqa: S101 what an s3.Bucket is made of
        plain.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", value=True)

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


def _only_writes(bucket: s3.Bucket, sid: str, writer: str) -> None:
    """One role writes into a bucket, and nobody deletes from it."""
    objects = bucket.arn_for_objects("*")
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid=sid,
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:PutObject"],
            resources=[objects],
            conditions={"ArnNotLike": {"aws:PrincipalArn": writer}},
        )
    )
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            sid="NobodyDeletes",
            effect=iam.Effect.DENY,
            principals=[iam.AnyPrincipal()],
            actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
            resources=[objects],
        )
    )
