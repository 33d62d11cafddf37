"""A model's training pipeline and the roles of its jobs: each may touch what its step reads and writes, no more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker

from pipeline_code import contract, pipeline
from pipeline_code.models import load_model
from pipeline_code.steps import steps
from pipeline_code.surroundings import JobResources, Patience, Surroundings
from stacks import names as spelling
from stacks.job_role import Place, job_role, pipeline_role

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk import aws_iam as iam
    from aws_cdk import aws_kms as kms
    from constructs import Construct

    from pipeline_code.contract import Step
    from stacks.image import Image
    from stacks.names import Names
    from stacks.network import Network
    from stacks.registry import Registry
    from stacks.settings import TrainingSettings


@dataclass(frozen=True)
class Neighbours:
    """The rooms a training room stands on, and the tags that its jobs bear."""

    key: kms.IKey
    network: Network
    image: Image
    registry: Registry
    tags: Mapping[str, str] = field(default_factory=dict)


class Training(cdk.Stack):
    """Owns one model's SageMaker pipeline, its execution role and one role per step."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        model: str,
        config: TrainingSettings,
        names: Names,
        commit: str,
        rooms: Neighbours,
    ) -> None:
        super().__init__(scope, id, description=f"Training pipeline of {model}")
        self._model, self._config, self._names, self._rooms = model, config, names, rooms
        roles = {step.name: self._job_role(step) for step in steps()}
        definition = pipeline.render(load_model(model), steps(), self._surroundings(roles, commit))
        execution_role = pipeline_role(
            self,
            group_name=rooms.registry.group_name,
            job_roles=list(roles.values()),
            readable=[self._place("evaluation"), self._place("champion")],
            key=rooms.key,
        )
        rooms.image.grant_pull(execution_role)
        sagemaker.CfnPipeline(
            self,
            "Pipeline",
            pipeline_name=names.pipeline(model),
            pipeline_display_name=names.pipeline(model),
            pipeline_description=f"Prepares data, trains, evaluates and registers {model}",
            pipeline_definition={"PipelineDefinitionBody": self.to_json_string(definition)},
            role_arn=execution_role.role_arn,
        ).node.add_dependency(execution_role.node.find_child("DefaultPolicy"))

    def _job_role(self, step: Step) -> iam.Role:
        checkpoints = self._checkpoints(step)
        role = job_role(
            self,
            f"{step.name.capitalize()}Role",
            name=self._names.job_role(self._model, step.name),
            kind=step.kind,
            reads=[*(self._place(artifact) for artifact in step.reads), *checkpoints],
            writes=[*(self._place(artifact) for artifact in step.writes), *checkpoints],
            key=self._rooms.key,
        )
        self._rooms.image.grant_pull(role)
        return role

    def _checkpoints(self, step: Step) -> list[Place]:
        if self._config.job(step.name).spot_wait_minutes is None:
            return []
        prefix = f"{spelling.temporary_prefix(self._model)}/checkpoints/{step.name}"
        return [Place(self._names.runs_bucket, prefix)]

    def _place(self, artifact: str) -> Place:
        """In which bucket and below which prefix an artifact lies, whatever the execution."""
        names, model = self._names, self._model
        places = {
            contract.PERIODS: Place(names.data_bucket, spelling.periods_prefix(model)),
            contract.LISTING: Place(names.data_bucket, spelling.listings_prefix(model)),
            contract.CHAMPION: Place(names.runs_bucket, spelling.champion_prefix(model)),
            contract.PROVENANCE: Place(names.provenance_bucket, spelling.provenance_prefix(model)),
        }
        prefix = spelling.temporary_prefix if artifact in contract.TEMPORARY else spelling.runs_prefix
        return places.get(artifact, Place(names.runs_bucket, prefix(model), artifact))

    def _surroundings(self, roles: dict[str, iam.Role], commit: str) -> Surroundings:
        runs, network = self._names.runs_bucket, self._rooms.network
        return Surroundings(
            image_uri=self._rooms.image.uri,
            serve_image_uri=self._rooms.image.serve_uri,
            commit=commit,
            jobs={name: self._job_resources(name, role) for name, role in roles.items()},
            # With the slash, or the prefix would take in a model whose name begins alike.
            inputs={artifact: f"{self._place(artifact).uri}/" for artifact in contract.EXTERNAL},
            runs_uri=Place(runs, spelling.runs_prefix(self._model)).uri,
            temporary_uri=Place(runs, spelling.temporary_prefix(self._model)).uri,
            provenance_uri=self._place(contract.PROVENANCE).uri,
            kms_key_id=self._rooms.key.key_arn,
            subnet_ids=network.subnet_ids,
            security_group_ids=network.security_group_ids,
            model_package_group=self._rooms.registry.group_name,
            tags=self._rooms.tags,
            patience=Patience(
                capacity_minutes=self._config.capacity_retry_minutes,
                fault_attempts=self._config.fault_retries,
                cache_days=self._config.cache_days,
            ),
        )

    def _job_resources(self, step: str, role: iam.Role) -> JobResources:
        job = self._config.job(step)
        wait = job.spot_wait_minutes
        return JobResources(
            role.role_arn, job.instance_type, job.volume_gb, job.timeout_minutes * 60, wait * 60 if wait else None
        )
