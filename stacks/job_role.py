"""Roles that SageMaker takes on for the platform: one for each job, one for the pipeline that starts them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.lifecycle import VERSIONS, register_pending
from stacks.permissions import accept_inline_policy, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_kms as kms


@dataclass(frozen=True)
class Place:
    """A prefix of a bucket; with `artifact`, only that artifact's folder of every execution below the prefix."""

    bucket: str
    prefix: str
    artifact: str | None = None

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def bucket_arn(self) -> str:
        return f"arn:aws:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        below = f"/*/{self.artifact}" if self.artifact else ""
        return f"{self.bucket_arn}/{self.prefix}{below}/*"


def job_role(
    scope: cdk.Stack,
    id: str,
    *,
    name: str,
    kind: str,
    reads: Sequence[Place],
    writes: Sequence[Place],
    key: kms.IKey,
) -> iam.Role:
    """What SageMaker does in a job's name: move its artifacts, write its logs, put it into the network.

    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html
    """
    role = _sagemaker_role(scope, id, name)
    _read(role, reads)
    allow(
        role,
        "WriteArtifacts",
        ["s3:PutObject", "s3:AbortMultipartUpload"],
        [place.objects_arn for place in writes],
        because="Each execution writes below a folder of its own, named when it starts.",
    )
    allow(role, "EncryptArtifacts", ["kms:Decrypt", "kms:GenerateDataKey"], [key.key_arn])
    allow(
        role,
        "Logs",
        ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
        [f"arn:aws:logs:{scope.region}:{scope.account}:log-group:/aws/sagemaker/{kind}Jobs*"],
        because="SageMaker makes one stream a job in this one group; a stream's ARN ends in the job's name.",
    )
    allow(
        role,
        "Metrics",
        ["cloudwatch:PutMetricData"],
        ["*"],
        because="The action knows no resources; the namespace is its limit.",
        conditions={"StringEquals": {"cloudwatch:namespace": f"/aws/sagemaker/{kind}Jobs"}},
    )
    join_network(role, scope)
    return role


def pipeline_role(
    scope: cdk.Stack,
    *,
    group_name: str,
    job_roles: Sequence[iam.IRole],
    readable: Sequence[Place],
    key: kms.IKey,
) -> iam.Role:
    """What SageMaker Pipelines does: start the jobs, read their property files, register a pending version."""
    role = _sagemaker_role(scope, "PipelineRole", None)
    arn = f"arn:aws:sagemaker:{scope.region}:{scope.account}"
    _start_jobs(role, arn, job_roles)
    _register_pending(role, [f"{arn}:model-package-group/{group_name}", f"{arn}:model-package/{group_name}/*"])
    allow(role, "Volumes", ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey"], [key.key_arn])
    allow(
        role,
        "VolumeGrants",
        ["kms:CreateGrant"],
        [key.key_arn],
        conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
    )
    _read(role, readable)
    return role


def _start_jobs(role: iam.Role, arn: str, job_roles: Sequence[iam.IRole]) -> None:
    allow(
        role,
        "Jobs",
        [
            "sagemaker:AddTags",
            *(
                f"sagemaker:{verb}{kind}Job"
                for kind in ("Processing", "Training")
                for verb in ("Create", "Describe", "Stop")
            ),
        ],
        [f"{arn}:{kind}-job/pipelines-*" for kind in ("processing", "training")],
        because="SageMaker Pipelines names each job pipelines-<execution>-<step>-<random>.",
    )
    allow(
        role,
        "JobRoles",
        ["iam:PassRole"],
        [job.role_arn for job in job_roles],
        conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
    )


def _register_pending(role: iam.Role, packages: Sequence[str]) -> None:
    """A pipeline that could register an Approved version would release by itself."""
    register_pending(role, packages)
    allow(
        role,
        "ReadVersions",
        ["sagemaker:DescribeModelPackage", "sagemaker:DescribeModelPackageGroup"],
        packages,
        because=VERSIONS,
    )


def _sagemaker_role(scope: cdk.Stack, id: str, name: str | None) -> iam.Role:
    role = iam.Role(
        scope,
        id,
        role_name=name,
        assumed_by=service("sagemaker.amazonaws.com", scope.account),
    )
    accept_inline_policy(role)
    return role


def _read(role: iam.Role, places: Sequence[Place]) -> None:
    allow(
        role,
        "ReadArtifacts",
        ["s3:GetObject"],
        [place.objects_arn for place in places],
        because="Objects below this step's inputs only; an execution's folder is named when it starts.",
    )
    allow(
        role,
        "ListArtifacts",
        ["s3:ListBucket"],
        sorted({place.bucket_arn for place in places}),
        conditions={"StringLike": {"s3:prefix": sorted({f"{place.prefix}*" for place in places})}},
    )


def join_network(role: iam.Role, stack: cdk.Stack) -> None:
    """A job or an endpoint in a VPC gets network interfaces there.

    https://docs.aws.amazon.com/sagemaker/latest/dg/train-vpc.html
    https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html#sagemaker-roles-createmodel-perms
    """
    ec2 = f"arn:aws:ec2:{stack.region}:{stack.account}"
    allow(
        role,
        "NetworkInterfaces",
        [
            "ec2:CreateNetworkInterface",
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterface",
            "ec2:DeleteNetworkInterfacePermission",
        ],
        [f"{ec2}:{kind}/*" for kind in ("network-interface", "security-group", "subnet")],
        because="SageMaker makes and removes the network interfaces, whose ids are not known before.",
    )
    allow(
        role,
        "DescribeNetwork",
        [
            "ec2:DescribeDhcpOptions",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcs",
        ],
        ["*"],
        because="EC2's describe actions know no resources.",
    )
