"""Of the service control policies those about IAM: who changes roles, what limits them, and what limits deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stacks.denials import CDK, STACK_SETS, Denial, unless

if TYPE_CHECKING:
    from stacks.denials import Perimeter

POLICY_WRITES = (
    "iam:CreatePolicy",  # a boundary of one's own making, by a name that passes for ours
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
)


def identities(about: Perimeter) -> list[Denial]:
    """No role without its boundary, no change of either past deployments, none of the baseline past the roll-out."""
    return [*_boundary(about), *_limits(about), *_baseline(about)]


def _boundary(about: Perimeter) -> list[Denial]:
    ours, boundary = f"arn:aws:iam::*:role/{about.platform}-*", f"arn:aws:iam::*:policy/{about.platform}-*-boundary"
    without = {"ArnNotLike": {"iam:PermissionsBoundary": boundary}}
    return [
        Denial(
            "OurRolesOnlyWithTheBoundary",
            "Whatever bears the platform's name is limited as the platform is, whoever makes it.",
            ["iam:CreateRole", "iam:PutRolePermissionsBoundary"],
            without,
            [ours],
        ),
        Denial(
            "DeploymentsOnlyWithTheBoundary",
            "A role that the platform or a deployment makes without it could do more than either.",
            ["iam:CreateRole", "iam:CreateUser", "iam:PutRolePermissionsBoundary", "iam:PutUserPermissionsBoundary"],
            {"ArnLike": {"aws:PrincipalArn": [ours, CDK]}, **without},
        ),
        Denial(
            "NobodyTakesTheBoundaryAway",
            "Nothing that the platform does needs it; a role that needs no boundary is another role.",
            ["iam:DeleteRolePermissionsBoundary"],
            resources=[ours],
        ),
    ]


def _limits(about: Perimeter) -> list[Denial]:
    ours, boundary = f"arn:aws:iam::*:role/{about.platform}-*", f"arn:aws:iam::*:policy/{about.platform}-*-boundary"
    return [
        Denial(
            "OnlyDeploymentsChangeTheBoundary",
            "Who may write the boundary, or another that goes by such a name, may do anything.",
            POLICY_WRITES,
            unless(*about.deployers),
            [boundary],
        ),
        Denial(
            "OnlyDeploymentsChangeRoles",
            "What the platform's roles may do, and who may take them on, is decided by code that was reviewed.",
            [
                "iam:AttachRolePolicy",
                "iam:DeleteRole",
                "iam:DeleteRolePolicy",
                "iam:DetachRolePolicy",
                "iam:PutRolePolicy",
                "iam:TagRole",  # a role in Studio says by its tag whose it is
                "iam:UntagRole",
                "iam:UpdateAssumeRolePolicy",
                "iam:UpdateRole",
            ],
            unless(*about.deployers),
            [ours],
        ),
    ]


def _baseline(about: Perimeter) -> list[Denial]:
    """What limits deployments themselves. StackSets makes its role by a service-linked one, which no SCP binds.

    https://docs.aws.amazon.com/aws-managed-policy/latest/reference/CloudFormationStackSetsOrgMemberServiceRolePolicy.html
    """
    return [
        Denial(
            "OnlyTheRolloutChangesTheBaseline",
            "Not even a deployment may, nor the organization's own roles: the baseline is the limit of deployments.",
            POLICY_WRITES,
            unless(STACK_SETS),
            [f"arn:aws:iam::*:policy/{about.platform}-baseline-*"],
        ),
        Denial(
            "NobodyPosesAsTheRollout",
            "A role by the name of StackSets' own would be let past what is left to StackSets.",
            ["iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"],
            resources=[STACK_SETS],
        ),
        Denial(
            "OnlyTheRolloutChangesItsStacks",
            "A stack is deleted with the role that made it, and with the stack of the baseline the baseline.",
            ["cloudformation:DeleteStack", "cloudformation:ExecuteChangeSet", "cloudformation:UpdateStack"],
            unless(STACK_SETS),
            [f"arn:aws:cloudformation:*:*:stack/StackSet-{about.platform}-*"],
        ),
    ]
