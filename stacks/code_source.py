"""Where pushes come from: a repository through a connection, CodeCommit, or a zip file in a bucket of the delivery."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aws_cdk import aws_codecommit as codecommit
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_codepipeline_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import pipelines

from stacks.code_buckets import delivery_bucket
from stacks.delivery_names import OBJECT_KEY
from stacks.permissions import allow

if TYPE_CHECKING:
    import aws_cdk as cdk
    from aws_cdk import aws_kms as kms

    from stacks.delivery_names import DeliveryNames
    from stacks.delivery_settings import SourceSettings

ACTION = "Source"


def code_source(
    scope: cdk.Stack, config: SourceSettings, names: DeliveryNames, key: kms.IKey
) -> pipelines.CodePipelineSource:
    """What the pipeline begins with; nothing polls, the host or an event says that there is a push."""
    if config.is_connected:
        return pipelines.CodePipelineSource.connection(
            str(config.repository),
            config.branch,
            connection_arn=str(config.connection_arn),
            action_name=ACTION,
            trigger_on_push=False,  # the pipeline's own triggers say which pushes count
        )
    if config.provider == "codecommit":
        repository = codecommit.Repository.from_repository_name(scope, "Repository", str(config.repository))
        return pipelines.CodePipelineSource.code_commit(repository, config.branch, action_name=ACTION)
    return pipelines.CodePipelineSource.s3(
        _source_bucket(scope, names, key), OBJECT_KEY, action_name=ACTION, trigger=actions.S3Trigger.NONE
    )


def revision(config: SourceSettings) -> str:
    """The variable of the source's action that names what was pushed."""
    return "VersionId" if config.provider == "s3" else "CommitId"


def triggers(config: SourceSettings) -> list[dict[str, Any]]:
    """Which pushes start the pipeline.

    https://docs.aws.amazon.com/codepipeline/latest/userguide/pipelines-filter.html
    """
    if not config.is_connected:
        return []
    paths = {"FilePaths": {"Includes": list(config.paths)}} if config.paths else {}
    push = {"Branches": {"Includes": [config.branch]}, **paths}
    return [
        {
            "ProviderType": "CodeStarSourceConnection",
            "GitConfiguration": {"SourceActionName": ACTION, "Push": [push]},
        }
    ]


def start_on_push(
    scope: cdk.Stack, config: SourceSettings, names: DeliveryNames, pipeline: codepipeline.IPipeline
) -> None:
    """A new zip file starts the pipeline, by the bucket's event; of CodeCommit CDK itself has made such a rule."""
    if config.provider == "s3":
        _start_on_upload(scope, names, pipeline)
    for rule in scope.node.find_all():
        pattern = scope.resolve(rule.event_pattern) if isinstance(rule, events.CfnRule) else {}
        if isinstance(rule, events.CfnRule) and pattern.get("source") in (["aws.s3"], ["aws.codecommit"]):
            rule.add_metadata("is_a_push", value=True)  # rules.guard asks for it


def _start_on_upload(scope: cdk.Stack, names: DeliveryNames, pipeline: codepipeline.IPipeline) -> None:
    role = iam.Role(scope, "PushRole", assumed_by=iam.ServicePrincipal("events.amazonaws.com"))
    allow(role, "Start", ["codepipeline:StartPipelineExecution"], [pipeline.pipeline_arn])
    events.Rule(
        scope,
        "Push",
        description="A push of the platform's code",
        event_pattern=events.EventPattern(
            source=["aws.s3"],
            detail_type=["Object Created"],
            detail={"bucket": {"name": [names.source_bucket]}, "object": {"key": [OBJECT_KEY]}},
        ),
        targets=[targets.CodePipeline(pipeline, event_role=role.without_policy_updates())],
    )


def _source_bucket(scope: cdk.Stack, names: DeliveryNames, key: kms.IKey) -> s3.Bucket:
    bucket = delivery_bucket(scope, "SourceBucket", names.source_bucket, key)
    plain = bucket.node.default_child
    assert isinstance(plain, s3.CfnBucket)  # noqa: S101 what an s3.Bucket is made of
    # CDK's own switch would bring a Lambda function for it.
    plain.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", value=True)
    return bucket
