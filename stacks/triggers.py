"""What starts runs and tells of failed ones: one starter for all models, schedules, arrivals."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as functions
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_ssm as ssm

from pipeline_code.hyperparameters import RANGES
from pipeline_code.models import load_model
from stacks import event_patterns as patterns
from stacks import names as spelling
from stacks.content import content_hash
from stacks.function import Shared, function, function_role
from stacks.permissions import accept_inline_policy, acknowledge, allow, service

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_kms as kms
    from aws_cdk import aws_sns as sns
    from constructs import Construct

    from stacks.image import Image
    from stacks.names import Names
    from stacks.run_settings import TriggersSettings

NAMED_LATER = "Executions and their jobs are named when they start; the prefix is this environment's."


class Triggers(cdk.Stack):
    """Owns the starter, people's way to it, its table of turns, and the notifier."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: TriggersSettings,
        names: Names,
        models: Sequence[str],
        askers: Sequence[str],
        in_studio: Sequence[str],
        image: Image,
        key: kms.IKey,
        notices: sns.ITopic,
        removal: cdk.RemovalPolicy,
    ) -> None:
        super().__init__(scope, id, description="What starts runs and tells of failed ones")
        self._config, self._names, self._models, self._key, self._removal = config, names, models, key, removal
        self._topic, self._image = notices, image
        self._sources = {model: names.source_parameter(model) for model in models} if config.code else {}
        self._table = self._turns()
        settings = json.dumps(self._known(), sort_keys=True, separators=(",", ":"))
        self._shared = Shared(key, self._topic, settings, config.log_retention_days, removal)
        self._notifier()
        starter = self._starter()
        self._requests(starter, askers, in_studio)
        if config.arrival:
            self._on_arrival(starter)
        self._on_end(starter)
        if image.repository:
            self._on_build(starter)
        if config.schedule:
            self._schedules(starter)
        if config.code:
            self._on_change(starter)
            self._say_sources()

    def _known(self) -> dict[str, Any]:
        """What the functions must know of their environment."""
        names = self._names
        return {
            "table": self._table.table_name,
            "topic": self._topic.topic_arn,
            "data_bucket": names.data_bucket,
            "runs_bucket": names.runs_bucket,
            "models": {
                model: {
                    "pipeline": names.pipeline(model),
                    "periods": spelling.periods_prefix(model),
                    "listings": spelling.listings_prefix(model),
                    "champion": spelling.champion_prefix(model),
                    "owner": load_model(model).owner,
                    "source": self._sources.get(model, ""),
                }
                for model in self._models
            },
            "serve_image": self._image.serve_uri,
            "image_build": self._names.image_build if self._image.repository else "",
            "ranges": {name: [allowed.minimum, allowed.maximum] for name, allowed in RANGES.items()},
        }

    def _turns(self) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            "Turns",
            partition_key=dynamodb.Attribute(name="model", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            removal_policy=self._removal,
        )
        acknowledge(
            table,
            {
                "NIST.800.53.R5::NIST.800.53.R5-DynamoDBInBackupPlan": (
                    "Whose turn it is means nothing once the run is over; point-in-time recovery covers the rest."
                )
            },
        )
        return table

    def _starter(self) -> functions.Function:
        role = function_role(self, "StarterRole", key=self._key)
        pipelines = f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{self._names.prefix}-*"
        allow(
            role,
            "Runs",
            [
                "sagemaker:DescribePipelineExecution",
                "sagemaker:ListPipelineExecutions",
                "sagemaker:StartPipelineExecution",
            ],
            [pipelines],
            because=NAMED_LATER,
        )
        whose = ["sagemaker:ListPipelineParametersForExecution"]
        allow(role, "WhoseRun", whose, [f"{pipelines}/execution/*"], because=NAMED_LATER)
        data, runs = (f"arn:aws:s3:::{bucket}" for bucket in (self._names.data_bucket, self._names.runs_bucket))
        one_kind = "One kind of object of each model; a period's or listing's name is given later."
        champion = f"{runs}/{spelling.CHAMPION_PREFIX}/*/champion.json"
        manifests = f"{data}/{spelling.PERIODS_PREFIX}/*/_READY.json"
        listings = f"{data}/{spelling.LISTINGS_PREFIX}/*/listing.json"
        allow(role, "Read", ["s3:GetObject"], [manifests, champion], because=one_kind)
        allow(role, "Write", ["s3:PutObject"], [listings, champion], because=one_kind)
        allow(
            role,
            "List",
            ["s3:ListBucket"],
            [data, runs],
            conditions={"StringLike": {"s3:prefix": [f"{spelling.PERIODS_PREFIX}/*", f"{spelling.CHAMPION_PREFIX}/*"]}},
        )
        allow(role, "LookAtImage", ["ecr:DescribeImages"], [self._image.serve_repository_arn])
        if self._sources:
            parameters = f"arn:aws:ssm:{self.region}:{self.account}:parameter"
            allow(role, "Sources", ["ssm:GetParameter"], [f"{parameters}{name}" for name in self._sources.values()])
        allow(role, "Turns", ["dynamodb:GetItem", "dynamodb:PutItem"], [self._table.table_arn])
        allow(role, "Tell", ["sns:Publish"], [self._topic.topic_arn])
        return function(
            self,
            "Starter",
            name=self._names.starter,
            does="Starts training: one run a model at a time, the latest request waits",
            handler="operations.handlers.start",
            role=role,
            shared=self._shared,
        )

    def _requests(self, starter: functions.Function, askers: Sequence[str], in_studio: Sequence[str]) -> None:
        """People's way to the starter. It says who asks, and believes nobody: only STS, and only of people's roles."""
        role = function_role(self, "RequestsRole", key=self._key)
        allow(role, "HandOn", ["lambda:InvokeFunction"], [starter.function_arn])
        allow(role, "Tell", ["sns:Publish"], [self._topic.topic_arn])
        roles = f"arn:aws:sts::{self.account}:assumed-role"
        known = {
            "starter": self._names.starter,
            "askers": [f"{roles}/{asker}" for asker in askers],
            "studio": f"{roles}/{self._names.studio}.",
            "in_studio": list(in_studio),
        }
        function(
            self,
            "Requests",
            name=self._names.requests,
            does="Finds out which person asks for a run, and hands the request on to the starter",
            handler="operations.handlers.hear_request",
            role=role,
            shared=replace(self._shared, settings=json.dumps(known, separators=(",", ":"))),
        )

    def _notifier(self) -> None:
        role = function_role(self, "NotifierRole", key=self._key)
        pipelines = f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{self._names.prefix}-*"
        actions = ["sagemaker:DescribePipelineExecution", "sagemaker:ListPipelineExecutionSteps"]
        allow(role, "ReadRuns", actions, [pipelines], because=NAMED_LATER)
        groups = f"arn:aws:logs:{self.region}:{self.account}:log-group:/aws/sagemaker"
        allow(
            role,
            "ReadLogs",
            ["logs:DescribeLogStreams", "logs:GetLogEvents"],
            [f"{groups}/ProcessingJobs:*", f"{groups}/TrainingJobs:*"],
            because="SageMaker makes one stream a job in these groups.",
        )
        allow(role, "Tell", ["sns:Publish"], [self._topic.topic_arn])
        notifier = function(
            self,
            "Notifier",
            name=f"{self._names.prefix}-notifier",
            does="Tells people which step of a run failed, why, and what its log says",
            handler="operations.handlers.tell",
            role=role,
            shared=self._shared,
        )
        self._rule("Failed", "A run failed: tell people", notifier, self._run_became("Failed"))

    def _on_end(self, starter: functions.Function) -> None:
        pattern = self._run_became("Succeeded", "Failed", "Stopped")
        self._rule("Ended", "A run ended: what waits for its turn begins", starter, pattern)

    def _on_arrival(self, starter: functions.Function) -> None:
        pattern = patterns.manifest_arrived(self._names.data_bucket)
        self._rule("Arrived", "A period is complete: train on it", starter, pattern)

    def _on_build(self, starter: functions.Function) -> None:
        pattern = patterns.build_ended(self._names.image_build)
        self._rule("Built", "The images' build ended: what waits for them begins", starter, pattern)

    def _on_change(self, starter: functions.Function) -> None:
        pattern = patterns.parameter_changed(list(self._sources.values()))
        self._rule("Changed", "A model's code was deployed: train it anew", starter, pattern)

    def _run_became(self, *states: str) -> events.EventPattern:
        pipelines = f"arn:aws:sagemaker:{self.region}:{self.account}:pipeline/{self._names.prefix}-"
        return patterns.run_became(pipelines, *states)

    def _say_sources(self) -> None:
        """What each model's folder holds: last of all, when pipelines, rule and starter are those of this content."""
        before = list(self.node.children)
        for model, name in self._sources.items():
            ssm.StringParameter(
                self,
                f"Source{spelling.title(model)}",
                parameter_name=name,
                description=f"The content of {model}'s folder as deployed; its change starts a run",
                string_value=content_hash([f"pipeline_code/models/{model}"]),
            ).node.add_dependency(*before)

    def _rule(self, id: str, description: str, target: functions.Function, pattern: events.EventPattern) -> None:
        events.Rule(self, id, description=description, event_pattern=pattern, targets=[targets.LambdaFunction(target)])

    def _schedules(self, starter: functions.Function) -> None:
        schedules = {model: load_model(model).schedule for model in self._models}
        due = {model: expression for model, expression in schedules.items() if expression}
        if not due:
            return
        role = iam.Role(
            self,
            "SchedulerRole",
            assumed_by=service("scheduler.amazonaws.com", self.account),
        )
        accept_inline_policy(role)
        allow(role, "Start", ["lambda:InvokeFunction"], [starter.function_arn])
        allow(role, "ReadSchedule", ["kms:Decrypt"], [self._key.key_arn])
        for model, expression in due.items():
            when = "<aws.scheduler.scheduled-time>"  # the service fills it in: the same for an event that comes twice
            asked = {"model": model, "reason": "schedule", "started_by": "scheduler", "token": when}
            scheduler.CfnSchedule(
                self,
                f"Schedule{spelling.title(model)}",
                name=self._names.pipeline(model),
                description=f"Trains {model} on what has arrived",
                schedule_expression=expression,
                schedule_expression_timezone="UTC",
                flexible_time_window=scheduler.CfnSchedule.FlexibleTimeWindowProperty(mode="OFF"),
                kms_key_arn=self._key.key_arn,
                target=scheduler.CfnSchedule.TargetProperty(
                    arn=starter.function_arn, role_arn=role.role_arn, input=json.dumps({"ask": asked})
                ),
            ).node.add_dependency(role.node.find_child("DefaultPolicy"))
