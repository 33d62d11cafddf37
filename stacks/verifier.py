"""The role that looks whether an environment works after a deployment: it reads and asks, and changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import aws_iam as iam

from stacks.endpoint_role import decrypt_versions
from stacks.permissions import accept_inline_policy, allow
from stacks.releaser import check_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aws_cdk as cdk

    from stacks.names import Names


def verifier_role(
    scope: cdk.Stack, id: str, *, names: Names, registry: Names, models: Sequence[str], deliverers: Sequence[str]
) -> iam.Role:
    """People of this account whom their own policies let may become it, and the roles that deliver code."""
    role = visitor(scope, id, names.verifier, deliverers)
    check_versions(role, registry, models)
    decrypt_versions(role, registry, ["kms:Decrypt"])
    _look(role, names, models)
    return role


def visitor(scope: cdk.Stack, id: str, name: str, deliverers: Sequence[str]) -> iam.Role:
    """A role that people of this account and those who deliver, wherever they are, may take on."""
    role = iam.Role(scope, id, role_name=name, assumed_by=iam.AccountPrincipal(scope.account))
    trust = role.assume_role_policy
    assert trust is not None  # noqa: S101 a role made here has one
    for deliverer in deliverers:
        # Another account's role is named in a condition: as a principal it would have to be there first.
        trust.add_statements(
            iam.PolicyStatement(
                principals=[iam.AccountPrincipal(deliverer.split(":")[4])],
                actions=["sts:AssumeRole"],
                conditions={"ArnEquals": {"aws:PrincipalArn": deliverer}},
            )
        )
    accept_inline_policy(role)
    return role


def _look(role: iam.Role, names: Names, models: Sequence[str]) -> None:
    place = f"{names.region}:{names.account}"
    stacks = f"arn:aws:cloudformation:{place}:stack/{names.prefix}-*/*"
    its_own = "The stacks of the platform; a stack's ARN ends with an id that CloudFormation gives it."
    allow(role, "Stacks", ["cloudformation:DescribeStackResources"], [stacks], because=its_own)
    allow(
        role,
        "AllStacks",
        ["cloudformation:DescribeStacks"],
        ["*"],
        because="To list stacks, as one does who does not know them, the action knows no resources.",
    )
    parameters = [f"arn:aws:ssm:{place}:parameter{names.version_parameter(model)}" for model in models]
    allow(role, "DesiredVersions", ["ssm:GetParameter"], parameters)
    stem = f"arn:aws:sagemaker:{place}"
    endpoints = [f"{stem}:{kind}/{names.endpoint(m)}" for m in models for kind in ("endpoint", "inference-component")]
    allow(
        role,
        "Endpoints",
        ["sagemaker:DescribeEndpoint", "sagemaker:DescribeInferenceComponent", "sagemaker:InvokeEndpoint"],
        endpoints,
    )
    allow(
        role,
        "Behind",
        ["sagemaker:DescribeEndpointConfig", "sagemaker:DescribeModel"],
        [f"{stem}:endpoint-config/*", f"{stem}:model/*"],
        because="Names are given by CloudFormation; the tags of platform and environment are the limit.",
        conditions={
            "StringEquals": {
                "aws:ResourceTag/platform": names.platform,
                "aws:ResourceTag/environment": names.environment,
            }
        },
    )
    allow(
        role, "Alarms", ["cloudwatch:DescribeAlarms"], ["*"], because="Composite alarms apart, it knows no resources."
    )
