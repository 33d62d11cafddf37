"""The role that looks what a deployment would change: it makes change sets, and can carry none out.

Reviews run what was pushed before anybody has agreed to it, so they must not have the rights of deployments.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.delivery_names import QUALIFIER
from stacks.permissions import allow
from stacks.verifier import visitor

if TYPE_CHECKING:
    from collections.abc import Sequence

    import aws_cdk as cdk
    from aws_cdk import aws_iam as iam

    from stacks.names import Names


def reviewer_role(
    scope: cdk.Stack, id: str, *, names: Names, models: Sequence[str], reviewers: Sequence[str]
) -> iam.Role:
    """Who may become it: people of this account whom their own policies let, and the builds that review."""
    role = visitor(scope, id, names.reviewer, reviewers)
    place = f"{names.region}:{names.account}"
    verbs = ("CreateChangeSet", "DeleteChangeSet", "DescribeChangeSet", "DescribeStacks", "GetTemplate")
    allow(
        role,
        "ChangeSets",
        [f"cloudformation:{verb}" for verb in verbs],
        [f"arn:aws:cloudformation:{place}:stack/{names.prefix}-*/*"],
        because="The stacks of the environment; a stack's ARN ends with an id that CloudFormation gives it.",
    )
    # A template that is too long to be handed over lies where deployments find it, too.
    bucket = f"arn:aws:s3:::cdk-{QUALIFIER}-assets-{names.account}-{names.region}"
    allow(role, "Templates", ["s3:GetObject"], [f"{bucket}/*.json"], because="Templates are named by their content.")
    parameters = [names.version_parameter(model) for model in models]
    parameters += [shadow for model in models if (shadow := names.shadow_parameter(model))]
    stem = f"arn:aws:ssm:{place}:parameter"
    allow(role, "WhatStacksRead", ["ssm:GetParameters"], [f"{stem}{parameter}" for parameter in parameters])
    return role
