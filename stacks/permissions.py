"""Grants that explain themselves: a wildcard without its reason beside it does not synthesize."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks import validated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from constructs import IConstruct

INLINE = "The policy belongs to this one role, is written beside it and goes with it; the boundary limits both."


def acknowledge(construct: IConstruct, reasons: Mapping[str, str]) -> None:
    """Accept findings of the rule packs, by full id, each with its reason."""
    if not validated():
        return  # nobody asks
    cdk.Validations.of(construct).acknowledge(
        *(cdk.Acknowledgment(id=finding, reason=reason) for finding, reason in reasons.items())
    )


def allow(
    role: iam.Role,
    sid: str,
    actions: Sequence[str],
    resources: Sequence[str],
    *,
    because: str | None = None,
    conditions: Mapping[str, Any] | None = None,
) -> None:
    """Let a role do the actions on the resources; `because` says why a `*` among them is needed."""
    wildcards = [f"Action::{a}" for a in actions if "*" in a] + [f"Resource::{r}" for r in resources if "*" in r]
    if wildcards and not because:
        raise ValueError(
            f"{role.node.path} {sid}: {', '.join(wildcards)} needs a reason; give `because`, or no wildcard"
        )
    role.add_to_policy(
        iam.PolicyStatement(sid=sid, actions=list(actions), resources=list(resources), conditions=conditions)
    )
    if wildcards:
        acknowledge(role, {wildcard_finding(wildcard): str(because) for wildcard in wildcards})


def service(name: str, account: str) -> iam.ServicePrincipal:
    """A service that takes a role on, when it comes on behalf of this account only.

    Lambda is not among those that name whom they come for; IAM passes no role to another account's function anyway.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention
    """
    return iam.ServicePrincipal(name, conditions={"StringEquals": {"aws:SourceAccount": account}})


def accept_inline_policy(construct: IConstruct) -> None:
    """CDK writes a role's grants as its inline policy; NIST's rule pack wants to hear why that is right."""
    acknowledge(construct, {"NIST.800.53.R5::NIST.800.53.R5-IAMNoInlinePolicy": INLINE})


def wildcard_finding(wildcard: str) -> str:
    """The full id of AwsSolutions' finding for "Action::..." or "Resource::...", variables spelled as it does."""
    return f"AwsSolutions::AwsSolutions-IAM5[{wildcard.replace('${', '<').replace('}', '>')}]"
