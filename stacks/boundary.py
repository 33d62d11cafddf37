"""The permissions boundary of the platform's roles, made for an environment and for the account baseline alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam

from stacks.boundary_documents import BOUNDED_ACTIONS, LOOKS, roles_boundary
from stacks.permissions import acknowledge, wildcard_finding

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.boundary_documents import Limits

OUTER = "A permissions boundary grants nothing; it is the outer limit of every role's own policy."


def make_boundary(scope: Construct, name: str, limits: Limits) -> iam.ManagedPolicy:
    """The boundary as a policy of this name."""
    boundary = iam.ManagedPolicy(
        scope,
        "Boundary",
        managed_policy_name=name,
        description="The most any role of the platform may do",
        document=iam.PolicyDocument.from_json(roles_boundary(limits)),
    )
    passed = limits.arn(f"role/{limits.roles}").replace(cdk.Aws.ACCOUNT_ID, "<AWS::AccountId>")  # as findings spell it
    wildcards = [
        "Resource::*",
        f"Resource::{passed}",
        *(f"Action::{action}" for action in [*BOUNDED_ACTIONS, *LOOKS] if "*" in action),
    ]
    acknowledge(boundary, {wildcard_finding(wildcard): OUTER for wildcard in wildcards})
    acknowledge(boundary, {"NIST.800.53.R5::NIST.800.53.R5-IAMPolicyNoStatementsWithFullAccess": OUTER})
    return boundary
