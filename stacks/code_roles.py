"""The roles of the delivery, those that CDK Pipelines makes included: limited, for this account, and explained."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.boundary import make_delivering_boundary
from stacks.boundary_documents import Limits
from stacks.permissions import INLINE, acknowledge, wildcard_finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stacks.delivery_names import DeliveryNames

SERVICES = ("codebuild.", "events.")
"""Services that say on whose behalf they come; Lambda does not."""

STARTS = "codebuild:StartBuild"
REASONS = {
    r"Action::(kms:(GenerateDataKey|ReEncrypt)|s3:(Abort|DeleteObject|GetBucket|GetObject|List))\*": (
        "CDK's own lists of what it is to read, or to write, with one key and one bucket."
    ),
    r"Resource::<\w*Bucket\w+\.Arn>/\*": "CodePipeline names artifacts by chance, CodeBuild what it caches.",
    r"Resource::.*:report-group/.*": "Reports of the role's own build, which nothing writes yet.",
    r"Resource::.*:log-group:/aws/codebuild/.*": "CodeBuild names a stream after each build.",
    r"Resource::arn:\*:iam::\d+:role/\*": "Of these roles those with the tag of the CDK's bootstrap: the condition.",
    r"Resource::\*": "To list stacks, as `cdk deploy` does, the actions know no resources.",
}
"""Wildcards in what CDK grants, and why they are right."""


def limit_roles(scope: cdk.Stack, names: DeliveryNames) -> None:
    """Every role of the stack has the boundary, and serves no other account."""
    limits = Limits(names.account, f"{names.pipeline}-*", (names.region,))
    boundary = make_delivering_boundary(scope, names.boundary, limits)
    ours = {"StringEquals": {"aws:SourceAccount": names.account}}
    for child in scope.node.find_all():
        if isinstance(child, iam.CfnRole):
            child.permissions_boundary = boundary.managed_policy_arn
            if _of_a_service(scope.resolve(child.assume_role_policy_document)):
                child.add_property_override("AssumeRolePolicyDocument.Statement.0.Condition", ours)
        elif isinstance(child, iam.CfnPolicy):
            _narrow(scope, child, f"arn:aws:codebuild:{names.region}:{names.account}:project/")
            _explain(scope, child)


def _of_a_service(trust: Any) -> bool:
    (first, *_) = trust["Statement"]
    return str(first["Principal"].get("Service", "")).startswith(SERVICES)


def _narrow(scope: cdk.Stack, policy: iam.CfnPolicy, projects: str) -> None:
    """CDK lets the build of assets start every project of the account; it starts none."""
    for number, statement in enumerate(scope.resolve(policy.policy_document)["Statement"]):
        if STARTS in statement["Action"] and statement["Resource"] == "*":
            policy.add_property_override(f"PolicyDocument.Statement.{number}.Resource", f"{projects}none")


def _explain(scope: cdk.Stack, policy: iam.CfnPolicy) -> None:
    found = {"NIST.800.53.R5::NIST.800.53.R5-IAMNoInlinePolicy": INLINE}
    for wildcard in _wildcards(scope.resolve(policy.policy_document)):
        for pattern, reason in REASONS.items():
            if re.fullmatch(pattern, wildcard):
                found[wildcard_finding(wildcard)] = reason
    acknowledge(policy, found)


def _wildcards(document: Any) -> Iterator[str]:
    for statement in document["Statement"]:
        for kind in ("Action", "Resource"):
            listed = statement[kind] if isinstance(statement[kind], list) else [statement[kind]]
            yield from (f"{kind}::{told}" for told in map(_told, listed) if "*" in told)


def _told(value: Any) -> str:
    """A part of a statement as the rule packs spell it: references in angle brackets."""
    if isinstance(value, str):
        return value
    if "Ref" in value:
        return f"<{value['Ref']}>"
    if "Fn::GetAtt" in value:
        return f"<{'.'.join(value['Fn::GetAtt'])}>"
    if "Fn::Sub" in value:
        return re.sub(r"\$\{([^}]*)\}", r"<\1>", value["Fn::Sub"])
    separator, parts = value["Fn::Join"]
    return str(separator.join(map(_told, parts)))
