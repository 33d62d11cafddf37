"""Permissions boundaries as documents: the most that roles, and deployments, may do.

A boundary grants nothing by itself: each role's own policy does, for the resources it names, so a service's wildcard
here opens no door.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]

POLICY_CHARACTERS = 6144
"""Of a managed policy, white space not counted:
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
"""

# What roles of the platform may do at most.
BOUNDED_ACTIONS = (
    "application-autoscaling:*",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:List*",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:PutMetricData",
    "cloudwatch:TagResource",
    "cloudformation:*ChangeSet",
    "cloudformation:ContinueUpdateRollback",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:UpdateStack",
    "codebuild:BatchGetBuilds",
    "codebuild:StartBuild",
    "codepipeline:StartPipelineExecution",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "ec2:*NetworkInterface*",
    "ec2:Describe*",
    "ecr:*",
    "kms:*",
    "lambda:InvokeFunction",
    "logs:*",
    "s3:*",
    "sagemaker:*",
    "sns:Publish",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
    "sqs:SendMessage",
    "ssm:GetParameter",
    "ssm:GetParameters",
    "ssm:PutParameter",
    "sts:AssumeRole",
    "tag:GetResources",
)

LOOKS = (
    "access-analyzer:ListFindings",
    "budgets:ViewBudget",
    "cloudformation:DescribeStackEvents",
    "cloudformation:DescribeStackResources",
    "cloudformation:DescribeStacks",
    "cloudformation:GetTemplate",
    "cloudformation:ListStacks",
    "cloudtrail:LookupEvents",
    "codebuild:BatchGetBuilds",
    "codebuild:BatchGetProjects",
    "codebuild:ListBuilds",
    "codepipeline:GetPipeline",
    "codepipeline:GetPipelineState",
    "codepipeline:ListPipelineExecutions",
    "ec2:DescribeFlowLogs",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcEndpoints",
    "ec2:DescribeVpcs",
    "ecr:DescribeImageScanFindings",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "events:ListRules",
    "iam:GetAccountSummary",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:ListRoles",
    "kms:DescribeKey",
    "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus",
    "kms:ListAliases",
    "lambda:GetFunctionConfiguration",
    "lambda:ListFunctions",
    "logs:DescribeLogGroups",
    "s3:GetBucketPolicy",
    "s3:GetBucketPublicAccessBlock",
    "s3:GetEncryptionConfiguration",
    "s3:ListAllMyBuckets",
    "sagemaker:ListEndpoints",
    "sagemaker:ListModelPackageGroups",
    "sagemaker:ListModels",
    "sagemaker:ListPipelines",
    "ssm:DescribeParameters",
)
"""How things are, never what is in them."""

# What roles that deliver code may do at most: they change accounts in the name of the bootstrap's roles only.
DELIVERING_ACTIONS = (
    "cloudformation:DescribeStacks",
    "codeartifact:Get*",
    "codeartifact:ReadFromRepository",
    "codebuild:*Report*",
    "codebuild:BatchGetBuilds",
    "codebuild:StartBuild",
    "codecommit:*Archive*",
    "codecommit:Get*",
    "codeconnections:UseConnection",
    "codepipeline:Get*",
    "codepipeline:List*",
    "codepipeline:PutApprovalResult",
    "codepipeline:RollbackStage",
    "codepipeline:StartPipelineExecution",
    "codestar-connections:UseConnection",
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey*",
    "kms:ReEncrypt*",
    "logs:CreateLogGroup",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "s3:*Object*",
    "s3:Get*",
    "s3:List*",
    "sns:Publish",
    "ssm:GetParameter",
    "sts:AssumeRole",
    "sts:GetServiceBearerToken",
)

# What no role of the platform may do, whatever its own policy says.
FORBIDDEN_ACTIONS = (
    "ecr:PutReplicationConfiguration",
    "ecr:SetRepositoryPolicy",
    "kms:DisableKey*",
    "kms:PutKeyPolicy",
    "kms:ScheduleKeyDeletion",
    "s3:DeleteBucket*",
    "s3:PutBucketPolicy",
    "s3:PutEncryptionConfiguration",
    "s3:PutObjectLegalHold",
    "s3:BypassGovernanceRetention",
    "sagemaker:PutModelPackageGroupPolicy",
    "sagemaker:CreatePresignedMlflow*",
    "sagemaker:CreatePresignedNotebookInstanceUrl",
)

# Who opens a profile of Studio, from outside and from within; which one is for their own policies to say.
STUDIO_ROLES = ("*-approver", "*-approver.*", "*-data-scientist", "*-ml-engineer", "*-studio.*")

# What deployments may not do to roles that lack the boundary, and what would take it from those that have it.
ROLE_WRITES = ("iam:AttachRolePolicy", "iam:CreateRole", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy")
POLICY_WRITES = (
    "iam:CreatePolicyVersion",
    "iam:DeletePolicy",
    "iam:DeletePolicyVersion",
    "iam:SetDefaultPolicyVersion",
)
WRITES = ("Attach", "Delete", "Detach", "Put", "Tag", "Untag", "Update")
KEY_WRITES = ("kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion")

SCALING_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"

# Who made the account's roles before us: what they may do is not for our deployments to change.
OTHERS_ROLES = ("cdk-*", "stacksets-exec-*", "AWSControlTowerExecution", "OrganizationAccountAccessRole")


@dataclass(frozen=True)
class Limits:
    """Where a boundary holds: the account, the pattern of its roles' names, the regions they may work in."""

    account: str
    roles: str
    regions: Sequence[str]

    def arn(self, resource: str) -> str:
        return f"arn:aws:iam::{self.account}:{resource}"

    def elsewhere(self, *global_services: str) -> Json:
        """The denial of other regions; global services answer from one of their own."""
        allowed = self.regions[0] if len(self.regions) == 1 else list(self.regions)
        return {
            "Sid": "OtherRegions",
            "Effect": "Deny",
            "NotAction": list(global_services),
            "Resource": "*",
            "Condition": {"StringNotEquals": {"aws:RequestedRegion": allowed}},
        }


def scaling_role(account: str) -> str:
    """The role by which Application Auto Scaling scales endpoints; whoever registers the first makes it for AWS.

    https://docs.aws.amazon.com/autoscaling/application/userguide/services-that-can-integrate-sagemaker.html
    """
    role = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
    return f"arn:aws:iam::{account}:role/aws-service-role/{SCALING_SERVICE}/{role}"


def roles_boundary(limits: Limits) -> Json:
    """The most that any role of the platform may do."""
    strangers = {"ArnNotLike": {"aws:PrincipalArn": [limits.arn(f"role/{roles}") for roles in STUDIO_ROLES]}}
    passed_to = {"iam:PassedToService": ["cloudformation.amazonaws.com", "sagemaker.amazonaws.com"]}
    return _document(
        {"Sid": "Bounded", "Effect": "Allow", "Action": [*BOUNDED_ACTIONS, *LOOKS], "Resource": "*"},
        {
            "Sid": "PassRoles",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": limits.arn(f"role/{limits.roles}"),
            "Condition": {"StringEquals": passed_to},
        },
        {
            "Sid": "RoleOfScaling",
            "Effect": "Allow",
            "Action": "iam:CreateServiceLinkedRole",
            "Resource": scaling_role(limits.account),
            "Condition": {"StringEquals": {"iam:AWSServiceName": SCALING_SERVICE}},
        },
        {"Sid": "Forbidden", "Effect": "Deny", "Action": list(FORBIDDEN_ACTIONS), "Resource": "*"},
        _deny("StudioIsOfItsPeople", ("sagemaker:CreatePresignedDomainUrl",), condition=strangers),
        limits.elsewhere("iam:*", "s3:*", "sts:*"),
    )


def delivering_boundary(limits: Limits) -> Json:
    """The most that roles may do that deliver code; none of it is theirs to change policies, keys or people with."""
    return _document(
        {"Sid": "Bounded", "Effect": "Allow", "Action": list(DELIVERING_ACTIONS), "Resource": "*"},
        limits.elsewhere("s3:*", "sts:*"),
    )


def deployments_boundary(limits: Limits, *, boundary: str, baseline: str, key_alias: str) -> Json:
    """The most that the roles of the CDK bootstrap may do: all that deployments need, and no way out.

    They make roles with the boundary only, hand on no others, become nobody, and change neither the baseline's
    policies, key and stacks nor roles that others made. After the example of the CDK's own bootstrap template.
    https://docs.aws.amazon.com/cdk/v2/guide/customize-permissions-boundaries.html
    """
    without = {"StringNotEquals": {"iam:PermissionsBoundary": limits.arn(f"policy/{boundary}")}}
    others = [limits.arn(f"role/{pattern}") for pattern in (*OTHERS_ROLES, baseline)]
    ours = ("role/cdk-*-cfn-exec-role-*", f"role/{limits.roles}", "role/aws-service-role/*")
    handed_on = [limits.arn(resource) for resource in ours]
    baseline_key = {"ForAnyValue:StringEquals": {"kms:ResourceAliases": key_alias}}
    alias = f"arn:aws:kms:*:{limits.account}:{key_alias}"
    baseline_stacks = f"arn:aws:cloudformation:*:{limits.account}:stack/StackSet-*/*"
    return _document(
        {"Sid": "Deploy", "Effect": "Allow", "Action": "*", "Resource": "*"},
        _deny("RolesOnlyWithTheBoundary", ROLE_WRITES, condition=without),
        _deny("NobodyTakesItAway", ("iam:DeleteRolePermissionsBoundary",)),
        _deny("NobodyWritesIt", POLICY_WRITES, [limits.arn(f"policy/{baseline}")]),
        _deny("OthersRoles", tuple(f"iam:{verb}*" for verb in WRITES), others),
        {"Sid": "HandOnOurs", "Effect": "Deny", "Action": "iam:PassRole", "NotResource": handed_on},
        _deny("NoPeople", ("iam:*AccessKey*", "iam:*Group*", "iam:*LoginProfile*", "iam:*User*")),
        _deny("BecomeNobody", ("account:*", "organizations:*", "sts:AssumeRole*")),
        _deny("TheBaselinesKey", KEY_WRITES, condition=baseline_key),
        _deny("TheKeysName", ("kms:DeleteAlias", "kms:UpdateAlias"), [alias]),
        _deny("TheBaselinesStacks", ("cloudformation:*",), [baseline_stacks]),
        limits.elsewhere("iam:*", "s3:*", "sts:*", "budgets:*", "ce:*", "organizations:*"),
    )


def characters(document: Json) -> int:
    """How long IAM finds a policy: white space does not count."""
    return len("".join(json.dumps(document, separators=(",", ":")).split()))


def _deny(sid: str, actions: Sequence[str], resources: Sequence[str] = ("*",), condition: Json | None = None) -> Json:
    made = {"Sid": sid, "Effect": "Deny", "Action": list(actions), "Resource": list(resources)}
    return {**made, "Condition": condition} if condition else made


def _document(*statements: Json) -> Json:
    return {"Version": "2012-10-17", "Statement": list(statements)}
