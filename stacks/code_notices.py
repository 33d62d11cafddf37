"""Who is told of deliveries, and what takes back a deployment that does not work."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_chatbot as chatbot
from aws_cdk import aws_codestarnotifications as notifications
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from stacks.function import Shared, function, function_role
from stacks.permissions import allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stacks.delivery_names import DeliveryNames
    from stacks.delivery_settings import ChatSettings, DeliverySettings

TOLD = (
    "codepipeline-pipeline-pipeline-execution-failed",
    "codepipeline-pipeline-pipeline-execution-succeeded",
    "codepipeline-pipeline-pipeline-execution-superseded",
)
"""https://docs.aws.amazon.com/dtconsole/latest/userguide/concepts.html; approvals are told with what would change."""


class CodeNotices(Construct):
    """The topic of the delivery, and the function that takes back."""

    def __init__(
        self,
        scope: cdk.Stack,
        id: str,
        *,
        names: DeliveryNames,
        settings: DeliverySettings,
        key: kms.IKey,
        stages: Sequence[str],
    ) -> None:
        super().__init__(scope, id)
        self._scope, self._names, self._settings, self._key = scope, names, settings, key
        self._topic = self._told()
        self._take_back(stages)

    def _told(self) -> sns.Topic:
        topic = sns.Topic(self, "Topic", topic_name=self._names.notices, master_key=self._key, enforce_ssl=True)
        teller = iam.ServicePrincipal("codestar-notifications.amazonaws.com")
        ours = {"StringEquals": {"aws:SourceAccount": self._scope.account}}
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="DeliveriesTell",
                principals=[teller],
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions=ours,
            )
        )
        if isinstance(self._key, kms.Key):
            self._key.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[teller],
                    actions=["kms:Decrypt", "kms:GenerateDataKey*"],
                    resources=["*"],
                    conditions=ours,
                )
            )
        for email in self._settings.emails:
            topic.add_subscription(subscriptions.EmailSubscription(email))
        rule = notifications.CfnNotificationRule(
            self,
            "Rule",
            name=self._names.notices,
            detail_type="FULL",
            event_type_ids=list(TOLD),
            resource=self._names.pipeline_arn,
            targets=[
                notifications.CfnNotificationRule.TargetProperty(target_type="SNS", target_address=topic.topic_arn)
            ],
        )
        rule.node.add_dependency(self._scope.node.find_child("Pipeline"))
        if self._settings.chat:
            self._chat(self._settings.chat, topic)
        return topic

    def _chat(self, chat: ChatSettings, topic: sns.Topic) -> None:
        """It tells, and takes no commands: its role may do nothing."""
        role = iam.Role(self, "ChatRole", assumed_by=service("chatbot.amazonaws.com", self._scope.account))
        chatbot.CfnSlackChannelConfiguration(
            self,
            "Chat",
            configuration_name=self._names.notices,
            iam_role_arn=role.role_arn,
            slack_workspace_id=chat.workspace_id,
            slack_channel_id=chat.channel_id,
            sns_topic_arns=[topic.topic_arn],
            guardrail_policies=["arn:aws:iam::aws:policy/AWSDenyAll"],
        )

    def _take_back(self, stages: Sequence[str]) -> None:
        """CodePipeline goes back only to what ran under the pipeline's present structure; this goes on from there.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-rollback.html
        """
        names, scope = self._names, self._scope
        role = function_role(scope, "TakeBackRole", key=self._key)
        allow(
            role,
            "LookAndStart",
            [
                "codepipeline:GetPipelineExecution",
                "codepipeline:ListPipelineExecutions",
                "codepipeline:StartPipelineExecution",
            ],
            [names.pipeline_arn],
        )
        allow(role, "RollBack", ["codepipeline:RollbackStage"], [f"{names.pipeline_arn}/{stage}" for stage in stages])
        allow(role, "Tell", ["sns:Publish"], [self._topic.topic_arn])
        settings = json.dumps({"pipeline": names.pipeline, "topic": self._topic.topic_arn})
        shared = Shared(self._key, self._topic, settings, self._settings.log_retention_days, cdk.RemovalPolicy.RETAIN)
        made = function(
            scope,
            "TakeBack",
            name=names.take_back,
            does="Takes back what was deployed to an environment and does not work there",
            handler="operations.handlers.take_back",
            role=role,
            shared=shared,
        )
        events.Rule(
            scope,
            "Failed",
            description="A deployment to an environment failed, or does not work",
            event_pattern=events.EventPattern(
                source=["aws.codepipeline"],
                detail_type=["CodePipeline Stage Execution State Change"],
                detail={"pipeline": [names.pipeline], "stage": list(stages), "state": ["FAILED"]},
            ),
            targets=[targets.LambdaFunction(made)],
        )
