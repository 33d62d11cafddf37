"""Delivery of code: a push is checked, synthesized once, and comes to every environment in turn, each in its account.

CDK Pipelines makes the pipeline, which keeps itself as the source says: https://docs.aws.amazon.com/cdk/v2/guide/cdk-pipeline.html
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_codebuild as codebuild
from aws_cdk import aws_codepipeline as codepipeline
from aws_cdk import aws_iam as iam
from aws_cdk import pipelines

from stacks.code_buckets import delivery_bucket
from stacks.code_builds import Workshop, specification
from stacks.code_notices import CodeNotices
from stacks.code_roles import limit_roles
from stacks.code_source import code_source, revision, start_on_push, triggers
from stacks.code_validation import validate_pull_requests
from stacks.config import ROOT
from stacks.delivery_names import CHANGES_PREFIX, DeliveryNames, deploy_stage, review_stage
from stacks.key import KeyPlace, make_key
from stacks.permissions import accept_inline_policy, service

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_s3 as s3
    from constructs import Construct

    from stacks.config import Config
    from stacks.settings import Environment
    from stacks.stage import EnvironmentStage

Project = codebuild.CfnProject
KEY_ROTATION_DAYS, CACHE_DAYS = 365, 30


class CodeDelivery(cdk.Stack):
    """Owns the pipeline, its bucket and key, its roles, and who is told."""

    def __init__(self, scope: Construct, id: str, *, config: Config, stages: Mapping[str, EnvironmentStage]) -> None:
        settings, names = config.platform.delivery, DeliveryNames.of(config.platform)
        assert settings is not None  # noqa: S101 whoever makes it has looked
        assert names is not None  # noqa: S101
        self._config, self._settings, self._names = config, settings, names
        super().__init__(
            scope,
            id,
            description="Delivers code to every environment",
            env=cdk.Environment(account=names.account, region=names.region),
        )
        for tag, value in {**config.platform.tags, "platform": config.platform.name}.items():
            cdk.Tags.of(self).add(tag, value)
        place = KeyPlace(names.key_alias, names.account, names.region, names.pipeline)
        key = make_key(self, place, rotation_days=KEY_ROTATION_DAYS, removal=cdk.RemovalPolicy.RETAIN)
        bucket = delivery_bucket(self, "Bucket", names.bucket, key, settings.artifact_retention_days)
        cache = delivery_bucket(self, "CacheBucket", names.cache_bucket, key, CACHE_DAYS)
        pipeline = self._pipeline(bucket)
        source = code_source(self, settings.source, names, key)
        workshop = Workshop(self, config, settings, names, source, cache)
        self._deliver(pipeline, workshop, stages)
        start_on_push(self, settings.source, names, pipeline)
        validate_pull_requests(self, settings, names, key)
        CodeNotices(self, "Notices", names=names, settings=settings, key=key, stages=self._deployed)
        limit_roles(self, names)

    @property
    def _deployed(self) -> list[str]:
        return [deploy_stage(self._names.platform, _named(together)) for together in self._config.in_turn]

    def _pipeline(self, bucket: s3.Bucket) -> codepipeline.Pipeline:
        """A newer push overtakes an older one that waits for a stage; what is in a stage is let out first."""
        role = iam.Role(self, "PipelineRole", assumed_by=service("codepipeline.amazonaws.com", self.account))
        accept_inline_policy(role)
        pipeline = codepipeline.Pipeline(
            self,
            "Pipeline",
            pipeline_name=self._names.pipeline,
            pipeline_type=codepipeline.PipelineType.V2,
            execution_mode=codepipeline.ExecutionMode.SUPERSEDED,
            artifact_bucket=bucket,
            role=role,
            restart_execution_on_update=True,
            use_pipeline_role_for_actions=True,
        )
        plain = pipeline.node.default_child
        assert isinstance(plain, codepipeline.CfnPipeline)  # noqa: S101 what a Pipeline is made of
        started = triggers(self._settings.source)
        if started:
            plain.add_property_override("Triggers", started)
        return pipeline

    def _deliver(
        self, pipeline: codepipeline.Pipeline, workshop: Workshop, stages: Mapping[str, EnvironmentStage]
    ) -> None:
        checks = [workshop.check(command) for command in self._settings.checks]
        synth = workshop.synth(revision(self._settings.source), checks)
        made = pipelines.CodePipeline(
            self,
            "Delivery",
            code_pipeline=pipeline,
            synth=synth,
            code_build_defaults=workshop.options(),
            publish_assets_in_parallel=False,  # one build for all of them starts once
            use_change_sets=False,  # what they would say, the review has said; half the steps
            cli_version=_installed("aws-cdk"),
        )
        reviewer, verifier = workshop.reviewer(), workshop.verifier()
        for together in self._config.in_turn:
            reviewed = [e for e in together if e.approval != "never"]
            if reviewed:
                steps = [step for e in reviewed for step in self._review(workshop, e, synth, reviewer)]
                made.add_wave(review_stage(_named(together)), pre=steps)
            wave = made.add_wave(deploy_stage(self._names.platform, _named(together)))
            for environment in together:
                wave.add_stage(stages[environment.name], post=[workshop.verify(environment, verifier)])
        made.build_pipeline()
        self._publish_templates_too(made)

    def _publish_templates_too(self, made: pipelines.CodePipeline) -> None:
        """By the CLI that deploys: the one CDK Pipelines installs for it reads no assembly of today's library.

        It publishes templates as well, which reviews hand to CloudFormation by their place.
        """
        (project,) = (each for each in made.node.find_child("Assets").node.find_all() if isinstance(each, Project))
        stages = " ".join(f"'{self._names.platform}-{e.name}/*'" for e in self._config.environments)
        commands = {
            "install": {"commands": [f"npm install -g aws-cdk@{_installed('aws-cdk')}"]},
            "build": {"commands": [f"cdk publish-assets --app . {stages} --unstable=publish-assets"]},
        }
        spec = specification(self._settings.packages, commands)
        project.add_property_override("Source.BuildSpec", json.dumps(spec))

    def _review(
        self, workshop: Workshop, environment: Environment, synth: pipelines.CodeBuildStep, reviewer: iam.Role
    ) -> list[pipelines.Step]:
        """The page is made while its approval waits, so after whatever waited before; once agreed to, it must hold."""
        names, execution = self._names, "#{codepipeline.PipelineExecutionId}"
        page = f"{CHANGES_PREFIX}/{execution}/{environment.name}.html"
        console = f"https://{names.region}.console.aws.amazon.com/s3/object/{names.bucket}"
        agree = pipelines.ManualApprovalStep(
            f"Agree-{environment.name}",
            comment=f"What would change in {environment.name} stands in {page}; it is mailed, too",
            review_url=f"{console}?region={names.region}&prefix={page}",
        )
        changes = workshop.review(environment, synth, reviewer)
        hold = workshop.hold(environment, synth, reviewer)
        for step in (agree, changes):
            hold.add_step_dependency(step)
        return [changes, agree, hold]


def _named(environments: Sequence[Environment]) -> list[str]:
    return [environment.name for environment in environments]


def _installed(package: str) -> str:
    """The version that package.json pins: the pipeline deploys with what people deploy with."""
    pinned: str = json.loads((ROOT / "package.json").read_text())["devDependencies"][package]
    return pinned
