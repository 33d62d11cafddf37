"""The images jobs and endpoints run in: repository, build, and URIs, known at synth: a tag is the content's hash."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3_assets as assets

from stacks import source
from stacks.config import ROOT
from stacks.content import IMAGE_SOURCES, image_uris
from stacks.network import RETENTION
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.readers import Readers
    from stacks.settings import ImageSettings

PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
CHECK_ACTIONS = ("ecr:DescribeImageScanFindings", "ecr:DescribeImages")
PUSH_ACTIONS = (
    *PULL_ACTIONS,
    "ecr:CompleteLayerUpload",
    "ecr:DescribeImages",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
)


def image_repository(scope: cdk.Stack, names: Names, key: kms.IKey, removal: cdk.RemovalPolicy) -> ecr.Repository:
    """Where an environment's images lie, built there or copied there."""
    repository = ecr.Repository(
        scope,
        "Repository",
        repository_name=names.repository,
        image_tag_mutability=ecr.TagMutability.IMMUTABLE,
        image_scan_on_push=True,
        encryption_key=key,
        removal_policy=removal,
        empty_on_delete=removal == cdk.RemovalPolicy.DESTROY,  # else one with images in it could not be deleted
    )
    repository.add_lifecycle_rule(tag_status=ecr.TagStatus.UNTAGGED, max_image_age=cdk.Duration.days(7))
    return repository


class Image(cdk.Stack):
    """Owns repository and build of the two images, or takes ready ones: `uri` for jobs, `serve_uri` for endpoints."""

    uri: str
    serve_uri: str
    repository: ecr.IRepository | None = None

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: ImageSettings,
        names: Names,
        readers: Readers,
        key: kms.IKey,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description="Repository and build of the images")
        self.uri, self.serve_uri = image_uris(config, names)
        if config.image_uri and config.serve_image_uri:
            return
        self._project_name = names.image_build
        self.repository = image_repository(self, names, key, removal)
        if readers.environments:
            self._open(self.repository, readers)
        packed = self._source(self.uri.rpartition(":")[2])
        log_group = logs.LogGroup(
            self,
            "BuildLogs",
            encryption_key=key,
            retention=RETENTION[config.build_log_retention_days],
            removal_policy=removal,
        )
        role = self._build_role(packed, self.repository, log_group, key)
        self._build_after_deployment(self._project(config, packed, role, log_group, key))

    def grant_pull(self, role: iam.Role) -> None:
        """Let SageMaker pull the image in this role's name; a ready image's repository is its owner's to open."""
        allow(role, "ImageLogin", ["ecr:GetAuthorizationToken"], ["*"], because="The action knows no resources.")
        if self.repository:
            allow(role, "PullImage", PULL_ACTIONS, [self.repository.repository_arn])

    @property
    def serve_repository_arn(self) -> str:
        """Where the server's image lies, whoever owns it."""
        registry, _, rest = self.serve_uri.partition("/")
        account, _, _, region, *_ = registry.split(".")
        name = rest.split("@")[0].split(":")[0]
        return f"arn:aws:ecr:{region}:{account}:repository/{name}"

    @staticmethod
    def _open(repository: ecr.Repository, readers: Readers) -> None:
        """Serving accounts pull, or copy, the very image that was tested, instead of building their own."""
        repository.add_to_resource_policy(readers.let("Pull", readers.pullers, PULL_ACTIONS, []))
        repository.add_to_resource_policy(readers.let("CheckImages", readers.releasers, CHECK_ACTIONS, []))

    def _source(self, tag: str) -> assets.Asset:
        return assets.Asset(
            self,
            "Source",
            path=str(ROOT),
            **source.asset_options(IMAGE_SOURCES, tag),
        )

    def _build_role(
        self, packed: assets.Asset, repository: ecr.Repository, log_group: logs.LogGroup, key: kms.IKey
    ) -> iam.Role:
        role = iam.Role(self, "BuildRole", assumed_by=service("codebuild.amazonaws.com", self.account))
        accept_inline_policy(role)
        source_arn = f"arn:aws:s3:::{packed.s3_bucket_name}/{packed.s3_object_key}"
        allow(role, "Source", ["s3:GetObject", "s3:GetObjectVersion"], [source_arn])
        allow(role, "Logs", ["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        allow(role, "Encrypt", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
        allow(role, "PushImage", PUSH_ACTIONS, [repository.repository_arn])
        allow(role, "Login", ["ecr:GetAuthorizationToken"], ["*"], because="The action knows no resources.")
        return role

    def _project(
        self,
        config: ImageSettings,
        packed: assets.Asset,
        role: iam.Role,
        log_group: logs.LogGroup,
        key: kms.IKey,
    ) -> codebuild.Project:
        return codebuild.Project(
            self,
            "Build",
            project_name=self._project_name,
            description="Builds and pushes each image unless its tag exists",
            role=role.without_policy_updates(),
            source=codebuild.Source.s3(bucket=packed.bucket, path=packed.s3_object_key),
            build_spec=codebuild.BuildSpec.from_object(
                {"version": 0.2, "phases": {"build": {"commands": ["sh pipeline_code/build_image.sh"]}}}
            ),
            environment=codebuild.BuildEnvironment(
                build_image=codebuild.LinuxBuildImage.STANDARD_7_0,
                privileged=True,  # the Docker daemon inside the build needs it
            ),
            environment_variables={
                "IMAGE_URI": codebuild.BuildEnvironmentVariable(value=self.uri),
                "SERVE_IMAGE_URI": codebuild.BuildEnvironmentVariable(value=self.serve_uri),
                "BASE_IMAGE": codebuild.BuildEnvironmentVariable(value=config.base_image),
            },
            encryption_key=key,
            grant_report_group_permissions=False,
            logging=codebuild.LoggingOptions(cloud_watch=codebuild.CloudWatchLoggingOptions(log_group=log_group)),
            timeout=cdk.Duration.minutes(30),
        )

    def _build_after_deployment(self, project: codebuild.Project) -> None:
        """Start the build when this very stack has been deployed; the build itself sees whether its tag exists.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/eventbridge.html
        """
        events.Rule(
            self,
            "Deployed",
            description="A deployment that changes the image's content builds it",
            event_pattern=events.EventPattern(
                source=["aws.cloudformation"],
                detail_type=["CloudFormation Stack Status Change"],
                detail={
                    "stack-id": [self.stack_id],
                    "status-details": {"status": ["CREATE_COMPLETE", "UPDATE_COMPLETE"]},
                },
            ),
            targets=[targets.CodeBuildProject(project, event_role=self._starter(project))],
        )

    def _starter(self, project: codebuild.Project) -> iam.Role:
        role = iam.Role(self, "StarterRole", assumed_by=service("events.amazonaws.com", self.account))
        accept_inline_policy(role)
        allow(role, "StartBuild", ["codebuild:StartBuild"], [project.project_arn])
        return role
