"""Key and permissions boundary: what every other room stands on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms

from stacks.grants import LOOKS
from stacks.permissions import acknowledge, wildcard_finding

if TYPE_CHECKING:
    from constructs import Construct

    from stacks.names import Names
    from stacks.readers import Readers
    from stacks.settings import GovernanceSettings

# What roles of the platform may do at most. A boundary grants nothing by itself: each role's own policy does,
# for the resources it names, so a service's wildcard here opens no door.
BOUNDED_ACTIONS = (
    "application-autoscaling:*",
    "cloudwatch:DeleteAlarms",
    "cloudwatch:DescribeAlarms",
    "cloudwatch:GetDashboard",
    "cloudwatch:GetMetricData",
    "cloudwatch:List*",
    "cloudwatch:PutMetricAlarm",
    "cloudwatch:PutMetricData",
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
    "sagemaker:CreatePresigned*",
)


class Governance(cdk.Stack):
    """Owns the customer managed key and the permissions boundary of an environment."""

    key: kms.IKey

    def __init__(
        self, scope: Construct, id: str, *, config: GovernanceSettings, names: Names, removal: cdk.RemovalPolicy
    ) -> None:
        super().__init__(scope, id, description="Key and permissions boundary of the platform")
        if config.key_arn:
            self.key = kms.Key.from_key_arn(self, "Key", config.key_arn)
            return
        self.key = self._key(config, names, removal)
        self._boundary(names)

    def _key(self, config: GovernanceSettings, names: Names, removal: cdk.RemovalPolicy) -> kms.Key:
        key = kms.Key(
            self,
            "Key",
            alias=names.key_alias,
            description=f"Data, models, volumes and logs of {names.prefix}",
            enable_key_rotation=True,
            rotation_period=cdk.Duration.days(config.key_rotation_days),
            removal_policy=removal,
        )
        # CloudWatch Logs encrypts with the caller's key only if the key's own policy names the service:
        # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/encrypt-log-data-kms.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal(f"logs.{names.region}.amazonaws.com")],
                actions=["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:Describe*"],
                resources=["*"],  # in a key policy, "*" is this key
                conditions={
                    "ArnLike": {
                        "kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:{names.region}:{names.account}:log-group:*"
                    }
                },
            )
        )
        # The same goes for alarms that tell an encrypted topic:
        # https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                resources=["*"],  # in a key policy, "*" is this key
                conditions={"StringEquals": {"aws:SourceAccount": names.account}},
            )
        )
        # And for events that a rule could not deliver, which go to an encrypted queue:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-encryption-event-bus-dlq-cmkey.html
        key.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("events.amazonaws.com")],
                actions=["kms:Decrypt", "kms:GenerateDataKey"],
                resources=["*"],  # in a key policy, "*" is this key
                conditions={"StringEquals": {"aws:SourceAccount": names.account}},
            )
        )
        return key

    def open_to(self, readers: Readers) -> None:
        """Let other environments' roles read what this key encrypts; a baseline's key is its owner's to open."""
        if not isinstance(self.key, kms.Key) or not readers.environments:
            return
        who = [*readers.releasers, *readers.endpoints()]
        self.key.add_to_resource_policy(readers.let("ReadVersions", who, ["kms:Decrypt"], ["*"]))
        if readers.crowning:
            self.key.add_to_resource_policy(
                readers.let("MakeChampion", readers.crowners, ["kms:Decrypt", "kms:GenerateDataKey"], ["*"])
            )

    def _boundary(self, names: Names) -> None:
        # Wildcard resources: a boundary names the most a role may ever do; the role's own policy names resources.
        boundary = iam.ManagedPolicy(
            self,
            "Boundary",
            managed_policy_name=names.boundary,
            description="The most any role of the platform may do",
            statements=[
                iam.PolicyStatement(sid="Bounded", actions=[*BOUNDED_ACTIONS, *LOOKS], resources=["*"]),
                iam.PolicyStatement(
                    sid="PassRoles",
                    actions=["iam:PassRole"],
                    resources=[f"arn:aws:iam::{names.account}:role/{names.prefix}-*"],
                    conditions={
                        "StringEquals": {
                            "iam:PassedToService": ["cloudformation.amazonaws.com", "sagemaker.amazonaws.com"]
                        }
                    },
                ),
                iam.PolicyStatement(
                    sid="Forbidden", effect=iam.Effect.DENY, actions=list(FORBIDDEN_ACTIONS), resources=["*"]
                ),
                iam.PolicyStatement(
                    sid="OtherRegions",
                    effect=iam.Effect.DENY,
                    not_actions=["iam:*", "s3:*", "sts:*"],  # global services answer from one region
                    resources=["*"],
                    conditions={"StringNotEquals": {"aws:RequestedRegion": names.region}},
                ),
            ],
        )
        outer = "A permissions boundary grants nothing; it is the outer limit of every role's own policy."
        wildcards = [
            "Resource::*",
            f"Resource::arn:aws:iam::{names.account}:role/{names.prefix}-*",
            *(f"Action::{action}" for action in BOUNDED_ACTIONS if "*" in action),
        ]
        acknowledge(boundary, {wildcard_finding(wildcard): outer for wildcard in wildcards})
        acknowledge(boundary, {"NIST.800.53.R5::NIST.800.53.R5-IAMPolicyNoStatementsWithFullAccess": outer})
