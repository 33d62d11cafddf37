"""Steps -> order -> SageMaker pipeline definition: a pure function.

The format: https://aws-sagemaker-mlops.github.io/sagemaker-model-building-pipeline-definition-JSON-schema/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline_code.contract import PROVENANCE, TEMPORARY, JobEnvironment, Step
from pipeline_code.graph import Graph, Json, join, output, title

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

EXECUTION_ID: Json = {"Get": "Execution.PipelineExecutionId"}
PERIOD: Json = {"Get": "Parameters.Period"}

CONTENT_TYPES = ["text/csv", "application/json"]


@dataclass(frozen=True)
class JobResources:
    """What one step's job runs on and may do."""

    role_arn: str
    instance_type: str
    volume_gb: int
    timeout_seconds: int


@dataclass(frozen=True)
class Surroundings:
    """Everything of the cloud that a definition names. Strings may be CDK tokens: they are never parsed here.

    `inputs` holds the URI of each external artifact; `runs_uri`, `temporary_uri` and `provenance_uri` are prefixes
    below which each execution gets a folder of its own.
    """

    image_uri: str
    commit: str
    jobs: Mapping[str, JobResources]
    inputs: Mapping[str, str]
    runs_uri: str
    temporary_uri: str
    provenance_uri: str
    kms_key_id: str
    subnet_ids: Sequence[str]
    security_group_ids: Sequence[str]
    model_package_group: str


def render(model: str, hyperparameters: Mapping[str, str], steps: Sequence[Step], around: Surroundings) -> Json:
    """The definition of one model's training pipeline, ready for CreatePipeline.

    Ungated steps come first; a condition on the gates of evaluation.json then leads to the gated steps and the
    registration, or to a Fail step that says which gate refused and by how much.
    """
    graph = Graph(steps)
    jobs = {step.name: _Job(step, graph, model, hyperparameters, around).render() for step in graph.ordered}
    gated = [jobs[step.name] for step in graph.ordered if step.gated]
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [{"Name": "Period", "Type": "String"}],
        "Steps": [
            *(jobs[step.name] for step in graph.ordered if not step.gated),
            {
                "Name": "Gate",
                "Type": "Condition",
                "Arguments": {
                    "Conditions": [
                        {"Type": "Equals", "LeftValue": graph.value("evaluation", "gates.passed"), "RightValue": True}
                    ],
                    "IfSteps": [*gated, _register(graph, model, around)],
                    "ElseSteps": [
                        {
                            "Name": "Refused",
                            "Type": "Fail",
                            "Arguments": {"ErrorMessage": join("", graph.value("evaluation", "gates.message"))},
                        }
                    ],
                },
            },
        ],
    }


@dataclass(frozen=True)
class _Job:
    """One step as the request of its job, without the job's name: SageMaker gives it."""

    step: Step
    graph: Graph
    model: str
    hyperparameters: Mapping[str, str]
    around: Surroundings

    def render(self) -> Json:
        arguments = self._processing() if self.step.kind == "Processing" else self._training()
        rendered: Json = {"Name": title(self.step), "Type": self.step.kind, "Arguments": arguments}
        if self.step.property_file:
            artifact, file = self.step.property_file.split("/")
            rendered["PropertyFiles"] = [{"PropertyFileName": artifact, "OutputName": artifact, "FilePath": file}]
        return rendered

    @property
    def _resources(self) -> JobResources:
        return self.around.jobs[self.step.name]

    def _processing(self) -> Json:
        return {
            "ProcessingResources": {"ClusterConfig": self._cluster()},
            "AppSpecification": {"ImageUri": self.around.image_uri, **self._command()},
            "RoleArn": self._resources.role_arn,
            "Environment": self._environment(),
            "NetworkConfig": {**self._isolation(), "VpcConfig": self._vpc()},
            "ProcessingInputs": [self._processing_input(artifact) for artifact in self.step.reads],
            "ProcessingOutputConfig": {
                "KmsKeyId": self.around.kms_key_id,
                "Outputs": [self._processing_output(artifact) for artifact in self.step.writes],
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": self._resources.timeout_seconds},
        }

    def _training(self) -> Json:
        (artifact,) = self.step.writes  # SageMaker packs one folder, the model
        return {
            "AlgorithmSpecification": {
                "TrainingImage": self.around.image_uri,
                "TrainingInputMode": "File",
                **self._command(),
            },
            "RoleArn": self._resources.role_arn,
            "HyperParameters": dict(self.hyperparameters),
            "Environment": self._environment(),
            "InputDataConfig": [self._channel(artifact) for artifact in self.step.reads],
            "OutputDataConfig": {"S3OutputPath": self._uri(artifact), "KmsKeyId": self.around.kms_key_id},
            "ResourceConfig": self._cluster(),
            "VpcConfig": self._vpc(),
            **self._isolation(),
            "StoppingCondition": {"MaxRuntimeInSeconds": self._resources.timeout_seconds},
        }

    def _command(self) -> Json:
        return {
            "ContainerEntrypoint": ["python", "-m", "pipeline_code"],
            "ContainerArguments": [self.step.name],
        }

    def _environment(self) -> Json:
        return JobEnvironment.render(
            model=self.model,
            period=PERIOD,
            execution=EXECUTION_ID,
            image_uri=self.around.image_uri,
            commit=self.around.commit,
        )

    def _cluster(self) -> Json:
        return {
            "InstanceCount": 1,
            "InstanceType": self._resources.instance_type,
            "VolumeSizeInGB": self._resources.volume_gb,
            "VolumeKmsKeyId": self.around.kms_key_id,
        }

    def _vpc(self) -> Json:
        return {"Subnets": list(self.around.subnet_ids), "SecurityGroupIds": list(self.around.security_group_ids)}

    @staticmethod
    def _isolation() -> Json:
        return {"EnableNetworkIsolation": True, "EnableInterContainerTrafficEncryption": True}

    def _processing_input(self, artifact: str) -> Json:
        return {
            "InputName": artifact,
            "S3Input": {
                "S3Uri": self._source(artifact),
                "LocalPath": str(self.step.read_path(artifact)),
                "S3DataType": "S3Prefix",
                "S3InputMode": "File",
                "S3DataDistributionType": "FullyReplicated",
            },
        }

    def _processing_output(self, artifact: str) -> Json:
        return {
            "OutputName": artifact,
            "S3Output": {
                "S3Uri": self._uri(artifact),
                "LocalPath": str(self.step.write_path(artifact)),
                "S3UploadMode": "EndOfJob",
            },
        }

    def _channel(self, artifact: str) -> Json:
        return {
            "ChannelName": artifact,
            "DataSource": {
                "S3DataSource": {
                    "S3DataType": "S3Prefix",
                    "S3Uri": self._source(artifact),
                    "S3DataDistributionType": "FullyReplicated",
                }
            },
        }

    def _source(self, artifact: str) -> Any:
        """Where an artifact comes from; naming the writer's output makes SageMaker wait for it."""
        writer = self.graph.writer(artifact)
        return self.around.inputs[artifact] if writer is None else output(writer, artifact)

    def _uri(self, artifact: str) -> Json:
        """Where this step's artifact goes: a folder of its own for every execution."""
        if artifact == PROVENANCE:
            return join("/", self.around.provenance_uri, EXECUTION_ID)
        prefix = self.around.temporary_uri if artifact in TEMPORARY else self.around.runs_uri
        return join("/", prefix, EXECUTION_ID, artifact)


def _register(graph: Graph, model: str, around: Surroundings) -> Json:
    """CreateModelPackage with what the run proved: metrics, where it came from, where its record lies."""
    evaluation = graph.uri("evaluation")
    return {
        "Name": "Register",
        "Type": "RegisterModel",
        "Arguments": {
            "ModelPackageGroupName": around.model_package_group,
            "ModelPackageDescription": join("", f"{model}, trained for ", PERIOD),
            "ModelApprovalStatus": "PendingManualApproval",
            "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Passed"},
            "InferenceSpecification": {
                "Containers": [{"Image": around.image_uri, "ModelDataUrl": graph.uri("model")}],
                "SupportedContentTypes": CONTENT_TYPES,
                "SupportedResponseMIMETypes": CONTENT_TYPES,
            },
            "ModelMetrics": {
                "ModelQuality": {
                    "Statistics": {
                        "ContentType": "application/json",
                        "S3Uri": join("/", evaluation, "evaluation.json"),
                    }
                }
            },
            "CustomerMetadataProperties": {
                "model": model,
                "period": PERIOD,
                "commit": around.commit,
                "image_uri": around.image_uri,
                "execution": {"Get": "Execution.PipelineExecutionArn"},
                "report": join("/", graph.uri("report"), "report.html"),
                "provenance": join("/", graph.uri(PROVENANCE), "provenance.json"),
                **_registered(graph),
            },
        },
    }


def _registered(graph: Graph) -> Json:
    """The single values that steps declare a version to carry."""
    return {
        name: graph.value(step.property_file.split("/")[0], f"properties.{name}")
        for step in graph.ordered
        if step.property_file
        for name in step.registers
    }
