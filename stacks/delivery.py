"""Delivery of versions: an approval in the registry starts a pipeline that releases the version where it belongs.

The pipeline stands where models are trained and becomes the releaser of the environment it releases to; executions run
side by side, and the lease of each model and environment puts them in order.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets
from aws_cdk import aws_sqs as sqs

from stacks import source
from stacks.config import ROOT
from stacks.content import content_hash
from stacks.function import function, function_role
from stacks.network import RETENTION
from stacks.permissions import accept_inline_policy, acknowledge, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_lambda as functions
    from constructs import Construct

    from stacks.function import Shared
    from stacks.names import Names

SOURCES = ("cli.py", "commands", "environments", "operations", "pipeline_code", "requirements/release.txt", "stacks")
"""What `slipway release` is made of."""

VARIABLES = {
    "version": "ARN of the version to release",
    "environment": "where it is released to",
    "model": "the model it is a version of",
    "approval": "number of the approval, which puts releases in order",
}
BUILD_SPEC = {
    "version": 0.2,
    "phases": {
        "install": {
            "runtime-versions": {"python": "3.13"},
            "commands": ["python -m pip install -q --no-deps --require-hashes -r requirements/release.txt"],
        },
        "build": {
            "commands": ['python cli.py release "$ENVIRONMENT" "$MODEL" "$VERSION" --approval "$APPROVAL" --wait 60']
        },
    },
}
LOOK_AT_BUCKET = ("s3:GetBucketAcl", "s3:GetBucketLocation")
"""What CodePipeline and CodeBuild ask of a bucket before they use it."""

HANDED_ON = "CodePipeline names each artifact by chance; the bucket holds nothing else."
BUILD_MINUTES = 300
"""A release bakes twice, an hour at most each time, and may have waited an hour for another one."""


class Delivery(cdk.Stack):
    """Owns the release pipeline, the function that hears approvals, and the queue of what it could not hear."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        names: Names,
        targets: Sequence[tuple[Names, str]],
        models: Sequence[str],
        table: dynamodb.ITable,
        shared: Shared,
    ) -> None:
        super().__init__(scope, id, description="What approvals start")
        self._names, self._targets, self._models = names, targets, models
        self._table, self._shared = table, shared
        self._source = assets.Asset(
            self, "Source", path=str(ROOT), **source.asset_options(SOURCES, content_hash(SOURCES))
        )
        self._log_group = logs.LogGroup(
            self,
            "BuildLogs",
            log_group_name=f"/aws/codebuild/{names.release_pipeline}",
            encryption_key=shared.key,
            retention=RETENTION[shared.log_days],
            removal_policy=shared.removal,
        )
        project = self._project(self._builder())
        self._pipeline(project, self._pipeline_role(project))
        self._hear()

    def _builder(self) -> iam.Role:
        """What the build may: read its source, and become the releaser of each environment it releases to."""
        role = iam.Role(
            self,
            "Builder",
            role_name=self._names.release_builder,
            assumed_by=service("codebuild.amazonaws.com", self.account),
        )
        accept_inline_policy(role)
        allow(role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [self._log_group.log_group_arn])
        allow(role, "Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [self._shared.key.key_arn])
        allow(role, "Bucket", LOOK_AT_BUCKET, [f"arn:aws:s3:::{self._names.delivery_bucket}"])
        allow(role, "Source", ["s3:GetObject", "s3:GetObjectVersion"], [self._handed_on], because=HANDED_ON)
        releasers = [names.role_arn(names.releaser) for names, _ in self._targets]
        allow(role, "BecomeReleaser", ["sts:AssumeRole"], releasers)
        return role

    def _pipeline_role(self, project: codebuild.PipelineProject) -> iam.Role:
        role = iam.Role(
            self,
            "PipelineRole",
            role_name=self._names.release_pipeline_role,
            assumed_by=service("codepipeline.amazonaws.com", self.account),
        )
        accept_inline_policy(role)
        packed = self._source
        bucket = f"arn:aws:s3:::{packed.s3_bucket_name}"
        allow(role, "Bucket", [*LOOK_AT_BUCKET, "s3:GetBucketVersioning"], [bucket])
        allow(role, "Source", ["s3:GetObject", "s3:GetObjectVersion"], [f"{bucket}/{packed.s3_object_key}"])
        allow(role, "HandOn", ["s3:GetObject", "s3:PutObject"], [self._handed_on], because=HANDED_ON)
        allow(role, "Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [self._shared.key.key_arn])
        allow(role, "Build", ["codebuild:BatchGetBuilds", "codebuild:StartBuild"], [project.project_arn])
        return role

    def _project(self, role: iam.Role) -> codebuild.PipelineProject:
        return codebuild.PipelineProject(
            self,
            "Build",
            project_name=self._names.release_pipeline,
            description="Releases one version to one environment",
            role=role.without_policy_updates(),
            build_spec=codebuild.BuildSpec.from_object(BUILD_SPEC),
            environment=codebuild.BuildEnvironment(build_image=codebuild.LinuxBuildImage.STANDARD_7_0),
            encryption_key=self._shared.key,
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=self._log_group)),
            timeout=cdk.Duration.minutes(BUILD_MINUTES),
        )

    def _pipeline(self, project: codebuild.PipelineProject, role: iam.Role) -> None:
        """https://docs.aws.amazon.com/codepipeline/latest/userguide/pipeline-types.html, executions in parallel."""
        pipeline = codepipeline.CfnPipeline
        store = pipeline.ArtifactStoreProperty(
            type="S3",
            location=self._names.delivery_bucket,
            encryption_key=pipeline.EncryptionKeyProperty(id=self._shared.key.key_arn, type="KMS"),
        )
        made = pipeline(
            self,
            "Release",
            name=self._names.release_pipeline,
            pipeline_type="V2",
            execution_mode="PARALLEL",
            role_arn=role.role_arn,
            artifact_store=store,
            variables=[
                pipeline.VariableDeclarationProperty(name=name, description=about, default_value="none")
                for name, about in VARIABLES.items()
            ],
            stages=[
                pipeline.StageDeclarationProperty(name="Source", actions=[self._source_action()]),
                pipeline.StageDeclarationProperty(name="Release", actions=[self._build_action(project)]),
            ],
        )
        made.node.add_dependency(role.node.find_child("DefaultPolicy"))

    def _source_action(self) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        """The source this very stack was deployed with; what starts an execution is an approval, not a new source."""
        pipeline, packed = codepipeline.CfnPipeline, self._source
        return pipeline.ActionDeclarationProperty(
            name="Source",
            action_type_id=pipeline.ActionTypeIdProperty(category="Source", owner="AWS", provider="S3", version="1"),
            configuration={
                "S3Bucket": packed.s3_bucket_name,
                "S3ObjectKey": packed.s3_object_key,
                "PollForSourceChanges": "false",
            },
            output_artifacts=[pipeline.OutputArtifactProperty(name="Source")],
        )

    def _build_action(self, project: codebuild.PipelineProject) -> codepipeline.CfnPipeline.ActionDeclarationProperty:
        pipeline = codepipeline.CfnPipeline
        variables = [
            {"name": name.upper(), "type": "PLAINTEXT", "value": f"#{{variables.{name}}}"} for name in VARIABLES
        ]
        return pipeline.ActionDeclarationProperty(
            name="Release",
            action_type_id=pipeline.ActionTypeIdProperty(
                category="Build", owner="AWS", provider="CodeBuild", version="1"
            ),
            configuration={"ProjectName": project.project_name, "EnvironmentVariables": json.dumps(variables)},
            input_artifacts=[pipeline.InputArtifactProperty(name="Source")],
        )

    def _hear(self) -> None:
        queue = self._queue()
        names, key = self._names, self._shared.key
        role = function_role(self, "ApprovalsRole", key=key)
        versions = f"arn:aws:sagemaker:{self.region}:{self.account}:model-package"
        allow(
            role,
            "LookUp",
            ["sagemaker:DescribeModelPackage"],
            [f"{versions}/{names.model_package_group(model)}/*" for model in self._models],
            because="The versions of these groups.",
        )
        allow(role, "Order", ["dynamodb:GetItem", "dynamodb:PutItem"], [self._table.table_arn])
        pipeline = f"arn:aws:codepipeline:{self.region}:{self.account}:{names.release_pipeline}"
        allow(role, "Release", ["codepipeline:StartPipelineExecution"], [pipeline])
        allow(role, "Keep", ["sqs:SendMessage"], [queue.queue_arn])
        hears = function(
            self,
            "Approvals",
            name=names.approvals,
            does="Starts the release of a version that was approved",
            handler="operations.handlers.hear_approval",
            role=role,
            shared=replace(self._shared, failures=queue, settings=self._settings()),
        )
        self._on_change(hears, queue)

    def _settings(self) -> str:
        settings = {
            "table": self._names.releases,
            "pipeline": self._names.release_pipeline,
            "models": {self._names.model_package_group(model): model for model in self._models},
            "targets": [{"environment": names.environment, "stage": stage} for names, stage in self._targets],
        }
        return json.dumps(settings, sort_keys=True, separators=(",", ":"))

    def _on_change(self, hears: functions.Function, queue: sqs.Queue) -> None:
        groups = [self._names.model_package_group(model) for model in self._models]
        events.Rule(
            self,
            "Changed",
            description="Lifecycle or approval of a version changed",
            event_pattern=events.EventPattern(
                source=["aws.sagemaker"],
                detail_type=["SageMaker Model Package State Change"],
                detail={
                    "ModelPackageGroupName": groups,
                    "UpdatedModelPackageFields": ["ModelApprovalStatus", "ModelLifeCycle"],
                },
            ),
            targets=[targets.LambdaFunction(hears, dead_letter_queue=queue)],
        )

    def _queue(self) -> sqs.Queue:
        """Events that could not be heard, until somebody has mended what was wrong and `slipway replay` is run."""
        names, shared = self._names, self._shared
        queue = sqs.Queue(
            self,
            "Unheard",
            queue_name=names.approvals,
            encryption=sqs.QueueEncryption.KMS,
            encryption_master_key=shared.key,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
            visibility_timeout=cdk.Duration.minutes(2),
            removal_policy=shared.removal,
        )
        acknowledge(queue, {"AwsSolutions::AwsSolutions-SQS3": "This is the dead-letter queue itself."})
        cloudwatch.CfnAlarm(
            self,
            "UnheardAlarm",
            alarm_name=f"{names.approvals}-unheard",
            alarm_description="An approval started no release; mend the cause, then run `slipway replay`",
            namespace="AWS/SQS",
            metric_name="ApproximateNumberOfMessagesVisible",
            dimensions=[cloudwatch.CfnAlarm.DimensionProperty(name="QueueName", value=queue.queue_name)],
            statistic="Maximum",
            threshold=0,
            comparison_operator="GreaterThanThreshold",
            period=300,
            evaluation_periods=1,
            treat_missing_data="notBreaching",
            alarm_actions=[names.topic_arn],
        )
        return queue

    @property
    def _handed_on(self) -> str:
        return f"arn:aws:s3:::{self._names.delivery_bucket}/*"
