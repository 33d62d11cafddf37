"""The role that releases: it alone writes desired versions and journal; people and the release pipeline become it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks import names as spelling
from stacks.copies import copy_versions
from stacks.endpoint_role import decrypt_versions
from stacks.image import CHECK_ACTIONS
from stacks.permissions import accept_inline_policy, allow

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aws_cdk as cdk
    from aws_cdk import aws_dynamodb as dynamodb
    from aws_cdk import aws_kms as kms

    from stacks.names import Names
    from stacks.route import Route

PROBES = "Slipway/Releases"
"""Namespace of the metric by which a release tells that its probes failed."""


def releaser_role(scope: cdk.Stack, id: str, *, names: Names, route: Route) -> iam.Role:
    """Who may become it: people of this account whom their own policies let, and the builder of the release pipeline.

    A role of another account is named in a condition: as a principal it would have to be there first.
    """
    trains, models = route.trains, route.models
    people = iam.AccountPrincipal(scope.account)
    role = iam.Role(scope, id, role_name=names.releaser, assumed_by=people)
    builder = {"ArnEquals": {"aws:PrincipalArn": trains.role_arn(trains.release_builder)}}
    trust = role.assume_role_policy
    assert trust is not None  # noqa: S101 a role made here has one
    trust.add_statements(
        iam.PolicyStatement(
            sid="ReleasePipeline",
            principals=[iam.AccountPrincipal(trains.account)],
            actions=["sts:AssumeRole"],
            conditions=builder,
        )
    )
    accept_inline_policy(role)
    check_versions(role, trains, models)
    check_images(role, trains)
    decrypt_versions(role, trains, ["kms:Decrypt", "kms:GenerateDataKey"] if route.crowns else ["kms:Decrypt"])
    if route.copies:
        copy_versions(role, route)
        check_versions(role, route.holds, models, of="Copied")
        check_images(role, route.holds, of="Copied")
    _update_stacks(role, names, models)
    _look_at_endpoints(role, names, models)
    if route.crowns:
        _make_champions(role, trains, models)
    return role


def grant_journal(
    role: iam.Role, *, names: Names, models: Sequence[str], table: dynamodb.ITable, key: kms.IKey
) -> None:
    """Lease, journal and the desired versions; what is in the shadow is for others to say, and to be checked here."""
    actions = [f"dynamodb:{verb}Item" for verb in ("Delete", "Get", "Put")]
    allow(role, "Journal", [*actions, "dynamodb:Query"], [table.table_arn])
    allow(role, "JournalKey", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
    stem = f"arn:aws:ssm:{names.region}:{names.account}:parameter"
    parameters = [f"{stem}{names.version_parameter(model)}" for model in models]
    allow(role, "DesiredVersion", ["ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"], parameters)
    shadows = [f"{stem}{name}" for model in models if (name := names.shadow_parameter(model))]
    if shadows:
        allow(role, "VersionInShadow", ["ssm:GetParameter", "ssm:GetParameters"], shadows)


def check_versions(role: iam.Role, registry: Names, models: Sequence[str], *, of: str = "") -> None:
    """Look a version up, with artifact and record; `of` tells statements of several registries apart."""
    stem = f"arn:aws:sagemaker:{registry.region}:{registry.account}"
    groups = [f"{stem}:model-package-group/{registry.model_package_group(model)}" for model in models]
    versions = [f"{stem}:model-package/{registry.model_package_group(model)}/*" for model in models]
    allow(
        role,
        f"{of}Versions",
        ["sagemaker:ListModelPackages"],
        [*groups, *versions],
        because="The versions of these groups.",
    )
    allow(role, f"{of}Version", ["sagemaker:DescribeModelPackage"], versions, because="The versions of these groups.")
    artifacts = [f"arn:aws:s3:::{registry.runs_bucket}/{spelling.runs_prefix(model)}/*/package/*" for model in models]
    records = f"arn:aws:s3:::{registry.provenance_bucket}/*"
    named_later = "An execution's folder is named when it starts."
    allow(role, f"{of}ContentAndRecords", ["s3:GetObject"], [*artifacts, records], because=named_later)


def check_images(role: iam.Role, registry: Names, *, of: str = "") -> None:
    """See what an image's tag names, and what scans found in it."""
    repository = f"arn:aws:ecr:{registry.region}:{registry.account}:repository/{registry.repository}"
    allow(role, f"{of}Image", CHECK_ACTIONS, [repository])


def _update_stacks(role: iam.Role, names: Names, models: Sequence[str]) -> None:
    place = f"{names.region}:{names.account}"
    stacks = [f"arn:aws:cloudformation:{place}:stack/{names.serving_stack(model)}/*" for model in models]
    its_id = "A stack's ARN ends with an id that CloudFormation gives it."
    looks = ["cloudformation:DescribeStackResources", "cloudformation:DescribeStacks"]
    allow(role, "LookAtStacks", looks, stacks, because=its_id)
    deployer = names.role_arn(names.serving_deployer)
    allow(
        role,
        "UpdateStacks",
        ["cloudformation:ContinueUpdateRollback", "cloudformation:UpdateStack"],
        stacks,
        because=its_id,
        conditions={"StringEquals": {"cloudformation:RoleArn": deployer}},
    )
    passed = {"StringEquals": {"iam:PassedToService": "cloudformation.amazonaws.com"}}
    allow(role, "PassDeployer", ["iam:PassRole"], [deployer], conditions=passed)


def _look_at_endpoints(role: iam.Role, names: Names, models: Sequence[str]) -> None:
    allow(role, "Tell", ["sns:Publish"], [names.topic_arn])
    arn = f"arn:aws:sagemaker:{names.region}:{names.account}"
    endpoints = [f"{arn}:endpoint/{names.endpoint(model)}" for model in models]
    allow(role, "AskEndpoints", ["sagemaker:DescribeEndpoint", "sagemaker:InvokeEndpoint"], endpoints)
    components = [f"{arn}:inference-component/{names.endpoint(m)}" for m in models if names.form(m) == "component"]
    if components:
        allow(
            role, "LookAtComponents", ["sagemaker:DescribeInferenceComponent", "sagemaker:InvokeEndpoint"], components
        )
    queued = [model for model in models if names.form(model) == "async"]
    if queued:
        _ask_queues(role, names, queued)
    verbs = ("Delete", "Describe")
    allow(
        role,
        "Configurations",
        [f"sagemaker:{verb}{kind}" for kind in ("EndpointConfig", "Model") for verb in verbs],
        [f"{arn}:model/*", f"{arn}:endpoint-config/*"],
        because="Names are given by CloudFormation; the tags of platform and environment are the limit.",
        conditions={
            "StringEquals": {
                "aws:ResourceTag/platform": names.platform,
                "aws:ResourceTag/environment": names.environment,
            }
        },
    )
    allow(
        role,
        "FindLeftovers",
        ["sagemaker:ListEndpointConfigs", "sagemaker:ListModels", "tag:GetResources"],
        ["*"],
        because="These actions know no resources; what is found is deleted by its tags only.",
    )
    allow(
        role,
        "TellProbes",
        ["cloudwatch:PutMetricData"],
        ["*"],
        because="The action knows no resources; the namespace is its limit.",
        conditions={"StringEquals": {"cloudwatch:namespace": PROBES}},
    )


def _ask_queues(role: iam.Role, names: Names, models: Sequence[str]) -> None:
    """Ask asynchronous endpoints as their callers do: a request in the bucket, an answer or a failure beside it."""
    arn = f"arn:aws:sagemaker:{names.region}:{names.account}"
    endpoints = [f"{arn}:endpoint/{names.endpoint(model)}" for model in models]
    allow(role, "AskQueues", ["sagemaker:InvokeEndpointAsync"], endpoints)
    stems = [f"arn:aws:s3:::{names.data_bucket}/{spelling.asynchronous_prefix(model)}" for model in models]
    named = "Requests of releases are named by chance, and SageMaker names the answers."
    allow(role, "LeaveRequests", ["s3:PutObject"], [f"{stem}/requests/release-*" for stem in stems], because=named)
    taken = [f"{stem}/{part}/*" for stem in stems for part in ("answers", "failures")]
    allow(role, "TakeAnswers", ["s3:GetObject"], taken, because=named)
    bucket = [f"arn:aws:s3:::{names.data_bucket}"]
    prefixes = [f"{spelling.asynchronous_prefix(model)}/*" for model in models]
    # Without it S3 says that an answer which is not there yet is forbidden.
    allow(role, "LookForAnswers", ["s3:ListBucket"], bucket, conditions={"StringLike": {"s3:prefix": prefixes}})


def _make_champions(role: iam.Role, registry: Names, models: Sequence[str]) -> None:
    champions = [f"arn:aws:s3:::{registry.runs_bucket}/{spelling.champion_prefix(model)}/*" for model in models]
    allow(
        role, "MakeChampion", ["s3:GetObject", "s3:PutObject"], champions, because="The two objects of each champion."
    )
