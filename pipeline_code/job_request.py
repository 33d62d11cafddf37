"""One step as the request of its job, without the job's name: SageMaker gives it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline_code import parameters
from pipeline_code.contract import CHECKPOINTS, LISTING, PROVENANCE, TEMPORARY, JobEnvironment, Step
from pipeline_code.graph import Graph, Json, join, output, title

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline_code.surroundings import JobResources, Patience, Surroundings

EXECUTION_ID: Json = {"Get": "Execution.PipelineExecutionId"}


@dataclass(frozen=True)
class JobStep:
    """One step's entry in the definition."""

    step: Step
    graph: Graph
    model: str
    hyperparameters: Mapping[str, str]
    around: Surroundings

    def render(self) -> Json:
        arguments = self._processing() if self.step.kind == "Processing" else self._training()
        patience = self.around.patience
        rendered: Json = {
            "Name": title(self.step),
            "Type": self.step.kind,
            "Arguments": {**arguments, **self._tags()},
            "RetryPolicies": [*job_retries(patience), call_retries(patience)],
        }
        if self.step.property_file:
            artifact, file = self.step.property_file.split("/")
            rendered["PropertyFiles"] = [{"PropertyFileName": artifact, "OutputName": artifact, "FilePath": file}]
        if self.step.cached and patience.cache_days:
            rendered["CacheConfig"] = {"Enabled": True, "ExpireAfter": f"P{patience.cache_days}D"}
        return rendered

    def _tags(self) -> Json:
        tags = [{"Key": key, "Value": value} for key, value in sorted(self.around.tags.items())]
        return {"Tags": tags} if tags else {}

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
            "HyperParameters": parameters.passed(self.hyperparameters),
            "Environment": self._environment(),
            "InputDataConfig": [self._channel(artifact) for artifact in self.step.reads],
            "OutputDataConfig": {"S3OutputPath": self._uri(artifact), "KmsKeyId": self.around.kms_key_id},
            "ResourceConfig": self._cluster(),
            "VpcConfig": self._vpc(),
            **self._isolation(),
            "StoppingCondition": {"MaxRuntimeInSeconds": self._resources.timeout_seconds},
            **self._spot(),
        }

    def _spot(self) -> Json:
        """Spot capacity may be taken away; what the job saved by then waits in S3 for the next machine.

        The folder is the listing's, not the execution's: a run of the same data may go on from it, and its URI keeps
        the step cacheable. Whether a checkpoint fits the run is for the step to find out.
        https://docs.aws.amazon.com/sagemaker/latest/dg/model-managed-spot-training.html
        """
        resources = self._resources
        if resources.spot_wait_seconds is None:
            return {}
        place = join("/", self.around.temporary_uri, "checkpoints", self.step.name, parameters.LISTING)
        most = resources.timeout_seconds + resources.spot_wait_seconds
        return {
            "EnableManagedSpotTraining": True,
            "CheckpointConfig": {"S3Uri": place, "LocalPath": str(CHECKPOINTS)},
            "StoppingCondition": {"MaxRuntimeInSeconds": resources.timeout_seconds, "MaxWaitTimeInSeconds": most},
        }

    def _command(self) -> Json:
        return {
            "ContainerEntrypoint": ["python", "-m", "pipeline_code"],
            "ContainerArguments": [self.step.name],
        }

    def _environment(self) -> Json:
        known = {
            "model": self.model,
            "period": parameters.PERIOD,
            "execution": EXECUTION_ID,
            "image_uri": self.around.image_uri,
            "serve_image_uri": self.around.serve_image_uri,
            "serve_image_digest": parameters.SERVE_IMAGE_DIGEST,
            "commit": self.around.commit,
            "reason": parameters.REASON,
            "started_by": parameters.STARTED_BY,
            "author": parameters.AUTHOR,
        }
        return JobEnvironment.render(self.step, known)

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
        if writer:
            return output(writer, artifact)
        prefix = self.around.inputs[artifact]
        return join("", prefix, parameters.LISTING, "/") if artifact == LISTING else prefix

    def _uri(self, artifact: str) -> Json:
        """Where this step's artifact goes: a folder of its own for every execution."""
        if artifact == PROVENANCE:
            return join("/", self.around.provenance_uri, EXECUTION_ID)
        prefix = self.around.temporary_uri if artifact in TEMPORARY else self.around.runs_uri
        return join("/", prefix, EXECUTION_ID, artifact)


def job_retries(patience: Patience) -> list[Json]:
    """Another machine may be had later, and AWS's own faults pass; a fault of our code would only come again.

    https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-retry-policy.html
    """
    scarce = ["SageMaker.CAPACITY_ERROR", "SageMaker.RESOURCE_LIMIT"]
    return [
        {
            "ExceptionType": scarce,
            "IntervalSeconds": 60,
            "BackoffRate": 2.0,
            "ExpireAfterMin": patience.capacity_minutes,
        },
        _attempts(["SageMaker.JOB_INTERNAL_ERROR"], 30, patience),
    ]


def call_retries(patience: Patience) -> Json:
    """The call that starts a job or registers a version was refused for the moment."""
    return _attempts(["Step.SERVICE_FAULT", "Step.THROTTLING"], 5, patience)


def _attempts(exceptions: list[str], seconds: int, patience: Patience) -> Json:
    return {
        "ExceptionType": exceptions,
        "IntervalSeconds": seconds,
        "BackoffRate": 2.0,
        "MaxAttempts": patience.fault_attempts,
    }
