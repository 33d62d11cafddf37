"""Who is told: the topic that failed runs, refused releases and raised alarms go to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions

if TYPE_CHECKING:
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from stacks.names import Names
    from stacks.run_settings import NoticesSettings

COSTS = ("budgets.amazonaws.com", "costalerts.amazonaws.com")
"""Budgets, and the watch for unusual costs."""


class Notices(cdk.Stack):
    """Owns the topic; other rooms publish to it, people subscribe."""

    def __init__(self, scope: Construct, id: str, *, config: NoticesSettings, names: Names, key: kms.IKey) -> None:
        super().__init__(scope, id, description="Tells people of what needs them")
        self.topic = sns.Topic(self, "Notices", topic_name=names.notices, master_key=key, enforce_ssl=True)
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsTell",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        # https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html
        # https://docs.aws.amazon.com/cost-management/latest/userguide/ad-SNS.html
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="CostsTell",
                principals=[iam.ServicePrincipal(service) for service in COSTS],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": self.account}},
            )
        )
        for email in config.emails:
            self.topic.add_subscription(subscriptions.EmailSubscription(email))
