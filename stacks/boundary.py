"""The permissions boundary of the platform's roles, made for an environment and for the account baseline alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.boundary_documents import (
    BOUNDED_ACTIONS,
    DELIVERING_ACTIONS,
    LOOKS,
    delivering_boundary,
    roles_boundary,
)
from stacks.permissions import acknowledge, wildcard_finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from constructs import Construct

    from stacks.boundary_documents import Json, Limits

OUTER = "A permissions boundary grants nothing; it is the outer limit of every role's own policy."


def make_boundary(scope: Construct, name: str, limits: Limits) -> iam.ManagedPolicy:
    """The boundary as a policy of this name."""
    boundary = _policy(scope, name, roles_boundary(limits), [*BOUNDED_ACTIONS, *LOOKS])
    passed = limits.arn(f"role/{limits.roles}").replace(cdk.Aws.ACCOUNT_ID, "<AWS::AccountId>")  # as findings spell it
    acknowledge(boundary, {wildcard_finding(f"Resource::{passed}"): OUTER})
    return boundary


def make_delivering_boundary(scope: Construct, name: str, limits: Limits) -> iam.ManagedPolicy:
    """The boundary of the roles that deliver code."""
    return _policy(scope, name, delivering_boundary(limits), DELIVERING_ACTIONS)


def _policy(scope: Construct, name: str, document: Json, actions: Sequence[str]) -> iam.ManagedPolicy:
    boundary = iam.ManagedPolicy(
        scope,
        "Boundary",
        managed_policy_name=name,
        description="The most any role of the platform may do",
        document=iam.PolicyDocument.from_json(document),
    )
    wildcards = ["Resource::*", *(f"Action::{action}" for action in actions if "*" in action)]
    acknowledge(boundary, {wildcard_finding(wildcard): OUTER for wildcard in wildcards})
    acknowledge(boundary, {"NIST.800.53.R5::NIST.800.53.R5-IAMPolicyNoStatementsWithFullAccess": OUTER})
    return boundary
