"""The training pipeline of flight_delay as a user of the SageMaker SDK v3 would write it.

Everything here is the SDK's own classes; the only words in common with ours are the names.
"""

from __future__ import annotations

import json
import os
from typing import Any

from pipeline_code.card import card
from pipeline_code.graph import Graph
from pipeline_code.models import load_model
from pipeline_code.steps import steps
from pipeline_code.surroundings import JobResources, Surroundings

REGION = "eu-west-1"
ROLE = "arn:aws:iam::111111111111:role/"
IMAGE = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/job:0123abcd"
SERVE_IMAGE = f"{IMAGE}-serve"
KEY = "arn:aws:kms:eu-west-1:111111111111:key/0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0"
STEPS = ("prepare", "train", "evaluate", "package", "record")

AROUND = Surroundings(
    image_uri=IMAGE,
    serve_image_uri=SERVE_IMAGE,
    commit="0123abcd",
    jobs={
        name: JobResources(f"{ROLE}{name}", "ml.m5.large", 30, 3600, 7200 if name == "train" else None)
        for name in STEPS
    },
    inputs={"periods": "s3://data/periods/", "listing": "s3://data/listings/", "champion": "s3://runs/champion/"},
    runs_uri="s3://runs/runs",
    temporary_uri="s3://runs/temporary",
    provenance_uri="s3://provenance",
    kms_key_id=KEY,
    subnet_ids=["subnet-0a1b2c3d"],
    security_group_ids=["sg-0a1b2c3d"],
    model_package_group="group",
)
"""The same surroundings for both definitions."""

HYPERPARAMETERS = load_model("flight_delay").hyperparameters
FLOATS = {"eta", "min_child_weight", "subsample", "colsample_bytree", "lambda", "alpha", "gamma"}


def quiet() -> None:
    """What the SDK needs to build a definition without an account; each has its reason in the SDK's own code."""
    os.environ["AWS_DEFAULT_REGION"] = REGION  # it makes boto3 clients when it is imported
    os.environ["AWS_EC2_METADATA_DISABLED"] = "true"  # and they look for credentials
    os.environ["SAGEMAKER_VALIDATE_ROLE"] = "false"  # or it asks IAM to simulate the role


def session() -> Any:
    """A session that asks nobody: no bucket look-up, no telemetry."""
    import boto3
    from sagemaker.core.workflow.pipeline_context import PipelineSession

    class Session(PipelineSession):  # type: ignore[misc]
        def default_bucket(self) -> str:
            return "unused"

    no_telemetry = {"SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}}, "SchemaVersion": "1.0"}
    return Session(
        boto_session=boto3.Session(region_name=REGION),
        sagemaker_client=boto3.client("sagemaker", region_name=REGION),
        sagemaker_config=no_telemetry,
    )


def build() -> dict[str, Any]:
    """The SDK's definition."""
    quiet()
    from sagemaker.mlops.workflow.pipeline import Pipeline

    parts = _Parts()
    pipeline = Pipeline(
        name="flight-delay",
        parameters=list(parts.parameters.values()),
        steps=[parts.prepare(), parts.train(), parts.evaluate(), parts.gate()],
        sagemaker_session=parts.session,
        pipeline_experiment_config=None,
    )
    found: dict[str, Any] = json.loads(pipeline.definition())
    return found


class _Parts:
    """The steps, in the order they are built: later ones refer to earlier ones."""

    def __init__(self) -> None:
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.parameters import ParameterFloat, ParameterInteger, ParameterString

        self.session = session()
        self.execution = ExecutionVariables.PIPELINE_EXECUTION_ID
        reasons = ["manual", "schedule", "arrival", "code", "drift"]
        self.parameters: dict[str, Any] = {
            "Period": ParameterString("Period"),
            "Listing": ParameterString("Listing"),
            "ServeImageDigest": ParameterString("ServeImageDigest"),
            "Reason": ParameterString("Reason", default_value="manual", enum_values=reasons),
            "StartedBy": ParameterString("StartedBy", default_value="unknown"),
            "Author": ParameterString("Author"),
        }
        for name in (*_BOOSTER, "num_boost_round", "early_stopping_rounds"):
            kind, parse = (ParameterFloat, float) if name in FLOATS else (ParameterInteger, int)
            self.parameters[name] = kind(name, default_value=parse(HYPERPARAMETERS[name]))
        self.files: dict[str, Any] = {}
        self.steps: dict[str, Any] = {}

    def prepare(self) -> Any:
        from sagemaker.core.workflow.functions import Join

        listing = Join(on="", values=["s3://data/listings/", self.parameters["Listing"], "/"])
        inputs = [self._input("periods", "s3://data/periods/"), self._input("listing", listing)]
        outputs = [
            self._output("dataset", "s3://runs/temporary"),
            self._output("snapshot"),
            self._output("quarantine"),
        ]
        return self._processing("prepare", inputs, outputs, property_file="snapshot", cached=True)

    def train(self) -> Any:
        from sagemaker.core.shapes import CheckpointConfig
        from sagemaker.core.training.configs import (
            Compute,
            InputData,
            Networking,
            OutputDataConfig,
            StoppingCondition,
        )
        from sagemaker.core.workflow.functions import Join
        from sagemaker.mlops.workflow.steps import TrainingStep
        from sagemaker.train.model_trainer import ModelTrainer

        checkpoints = Join(on="/", values=["s3://runs/temporary", "checkpoints", "train", self.parameters["Listing"]])
        trainer = ModelTrainer(
            sagemaker_session=self.session,
            role=f"{ROLE}train",
            base_job_name="train",
            training_image=IMAGE,
            compute=Compute(
                instance_type="ml.m5.large",
                instance_count=1,
                volume_size_in_gb=30,
                volume_kms_key_id=KEY,
                enable_managed_spot_training=True,
            ),
            networking=Networking(
                subnets=["subnet-0a1b2c3d"],
                security_group_ids=["sg-0a1b2c3d"],
                enable_network_isolation=True,
                enable_inter_container_traffic_encryption=True,
            ),
            stopping_condition=StoppingCondition(max_runtime_in_seconds=3600, max_wait_time_in_seconds=10_800),
            output_data_config=OutputDataConfig(s3_output_path=self._place("model"), kms_key_id=KEY),
            checkpoint_config=CheckpointConfig(s3_uri=checkpoints, local_path="/opt/ml/checkpoints"),
            environment={"SLIPWAY_MODEL": "flight_delay", "SLIPWAY_PERIOD": self.parameters["Period"]},
            hyperparameters={name: self.parameters[name].to_string() for name in HYPERPARAMETERS},
            input_data_config=[InputData(channel_name="dataset", data_source=self._made("prepare", "dataset"))],
        )
        self.steps["train"] = TrainingStep(
            name="Train", step_args=trainer.train(), cache_config=self._cache(), retry_policies=self._retries()
        )
        return self.steps["train"]

    def evaluate(self) -> Any:
        inputs = [
            self._input("dataset", self._made("prepare", "dataset")),
            self._input("snapshot", self._made("prepare", "snapshot")),
            self._input("model", self._model()),
            self._input("champion", "s3://runs/champion/"),
        ]
        outputs = [self._output("evaluation"), self._output("report")]
        return self._processing("evaluate", inputs, outputs, property_file="evaluation")

    def gate(self) -> Any:
        from sagemaker.core.workflow.conditions import ConditionEquals
        from sagemaker.core.workflow.functions import Join
        from sagemaker.mlops.workflow.condition_step import ConditionStep
        from sagemaker.mlops.workflow.fail_step import FailStep

        passed = ConditionEquals(left=self._value("evaluate", "evaluation", "gates.passed"), right=True)
        refused = FailStep(
            name="Refused",
            error_message=Join(on="", values=[self._value("evaluate", "evaluation", "gates.message")]),
        )
        gated = [self.package(), self.record(), self.register()]
        return ConditionStep(name="Gate", conditions=[passed], if_steps=gated, else_steps=[refused])

    def package(self) -> Any:
        inputs = [self._input("dataset", self._made("prepare", "dataset")), self._input("model", self._model())]
        return self._processing("package", inputs, [self._output("package")], property_file="package")

    def record(self) -> Any:
        from sagemaker.core.workflow.functions import Join

        inputs = [
            self._input("package", self._made("package", "package")),
            self._input("snapshot", self._made("prepare", "snapshot")),
            self._input("evaluation", self._made("evaluate", "evaluation")),
        ]
        place = Join(on="/", values=["s3://provenance", self.execution])
        told = {
            "SLIPWAY_EXECUTION": self.execution,
            "SLIPWAY_IMAGE_URI": IMAGE,
            "SLIPWAY_SERVE_IMAGE_URI": SERVE_IMAGE,
            "SLIPWAY_SERVE_IMAGE_DIGEST": self.parameters["ServeImageDigest"],
            "SLIPWAY_COMMIT": "0123abcd",
            "SLIPWAY_REASON": self.parameters["Reason"],
            "SLIPWAY_STARTED_BY": self.parameters["StartedBy"],
            "SLIPWAY_AUTHOR": self.parameters["Author"],
        }
        outputs = [self._output("provenance", place=place)]
        return self._processing("record", inputs, outputs, property_file="provenance", told=told)

    def register(self) -> Any:
        from sagemaker.core.metadata_properties import MetadataProperties
        from sagemaker.core.model_life_cycle import ModelLifeCycle
        from sagemaker.core.model_metrics import MetricsSource, ModelMetrics
        from sagemaker.core.shapes import ModelPackageModelCard
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join
        from sagemaker.mlops.workflow.model_step import ModelStep
        from sagemaker.serve.model_builder import ModelBuilder

        statistics = MetricsSource(
            content_type="application/json",
            s3_uri=Join(on="/", values=[self._made("evaluate", "evaluation"), "evaluation.json"]),
        )
        builder = ModelBuilder(
            s3_model_data_url=Join(on="/", values=[self._made("package", "package"), "model.tar.gz"]),
            image_uri=SERVE_IMAGE,
            sagemaker_session=self.session,
            role_arn=f"{ROLE}register",
        )
        types = ["text/csv", "application/json", "application/jsonlines"]
        arguments = builder.register(
            model_package_group_name="group",
            content_types=types,
            response_types=types,
            approval_status="PendingManualApproval",
            description=Join(on="", values=["flight_delay, trained for ", self.parameters["Period"]]),
            model_metrics=ModelMetrics(model_statistics=statistics),
            model_life_cycle=ModelLifeCycle(stage="Development", stage_status="Passed"),
            model_card=ModelPackageModelCard(model_card_status="Draft", model_card_content=self._card()),
            metadata_properties=MetadataProperties(generated_by=ExecutionVariables.PIPELINE_EXECUTION_ARN),
            customer_metadata_properties=self._metadata(),
        )
        return ModelStep(name="Register", step_args=arguments, retry_policies=[self._calls()])

    def _card(self) -> Any:
        """The card's text is ours; every value in it that the run fills in is the SDK's own variable."""
        from sagemaker.core.workflow.functions import Join

        text = card(Graph(steps()), load_model("flight_delay"), AROUND)
        return Join(on="", values=[self._variable(piece) for piece in text["Std:Join"]["Values"]])

    def _variable(self, piece: Any) -> Any:
        if isinstance(piece, str):
            return piece
        if "Std:JsonGet" in piece:
            _, step, _, file = piece["Std:JsonGet"]["PropertyFile"]["Get"].split(".")
            return self._value(step.lower(), file, piece["Std:JsonGet"]["Path"])
        kind, name, *rest = piece["Get"].split(".")
        if kind == "Parameters":
            return self.parameters[name]
        if name == "Train":
            return self._model()
        return self._made(name.lower(), rest[1].split("'")[1])

    def _metadata(self) -> dict[str, Any]:
        from sagemaker.core.workflow.execution_variables import ExecutionVariables
        from sagemaker.core.workflow.functions import Join

        rows = [f"rows_{part}" for part in ("train", "validation", "test", "excluded", "quarantined")]
        snapshot = ["data_sha256", "train_from", "train_to", *rows]
        evaluation = ("auc", "pr_auc", "log_loss", "brier", "calibration_error", "champion_version", "champion_auc")
        return {
            "model": "flight_delay",
            "period": self.parameters["Period"],
            "listing": self.parameters["Listing"],
            "reason": self.parameters["Reason"],
            "started_by": self.parameters["StartedBy"],
            "author": self.parameters["Author"],
            "commit": "0123abcd",
            "image_uri": IMAGE,
            "execution": ExecutionVariables.PIPELINE_EXECUTION_ARN,
            "report": Join(on="/", values=[self._made("evaluate", "report"), "report.html"]),
            "provenance": Join(on="/", values=[self._made("record", "provenance"), "provenance.json"]),
            **{name: self._value("prepare", "snapshot", f"properties.{name}") for name in snapshot},
            **{name: self._value("evaluate", "evaluation", f"properties.{name}") for name in evaluation},
            **{
                name: self._value("package", "package", f"properties.{name}")
                for name in ("serving_difference", "serving_p50_ms")
            },
            "model_sha256": self._value("record", "provenance", "properties.model_sha256"),
        }

    def _processing(
        self,
        name: str,
        inputs: list[Any],
        outputs: list[Any],
        *,
        property_file: str,
        cached: bool = False,
        told: dict[str, Any] | None = None,
    ) -> Any:
        from sagemaker.core.network import NetworkConfig
        from sagemaker.core.processing import Processor
        from sagemaker.core.workflow.properties import PropertyFile
        from sagemaker.mlops.workflow.steps import ProcessingStep

        processor = Processor(
            role=f"{ROLE}{name}",
            image_uri=IMAGE,
            entrypoint=["python", "-m", "pipeline_code"],
            instance_count=1,
            instance_type="ml.m5.large",
            volume_size_in_gb=30,
            volume_kms_key=KEY,
            output_kms_key=KEY,
            max_runtime_in_seconds=3600,
            sagemaker_session=self.session,
            env={"SLIPWAY_MODEL": "flight_delay", "SLIPWAY_PERIOD": self.parameters["Period"], **(told or {})},
            network_config=NetworkConfig(
                enable_network_isolation=True,
                encrypt_inter_container_traffic=True,
                subnets=["subnet-0a1b2c3d"],
                security_group_ids=["sg-0a1b2c3d"],
            ),
        )
        file = PropertyFile(name=property_file, output_name=property_file, path=f"{property_file}.json")
        self.files[property_file] = file
        self.steps[name] = ProcessingStep(
            name=name.capitalize(),
            step_args=processor.run(inputs=inputs, outputs=outputs, arguments=[name]),
            property_files=[file],
            cache_config=self._cache() if cached else None,
            retry_policies=self._retries(),
        )
        return self.steps[name]

    def _input(self, name: str, source: Any) -> Any:
        from sagemaker.core.shapes import ProcessingInput, ProcessingS3Input

        return ProcessingInput(
            input_name=name,
            s3_input=ProcessingS3Input(
                s3_uri=source,
                local_path=f"/opt/ml/processing/input/{name}",
                s3_data_type="S3Prefix",
                s3_input_mode="File",
                s3_data_distribution_type="FullyReplicated",
            ),
        )

    def _output(self, name: str, prefix: str = "s3://runs/runs", place: Any = None) -> Any:
        from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output

        return ProcessingOutput(
            output_name=name,
            s3_output=ProcessingS3Output(
                s3_uri=place or self._place(name, prefix),
                local_path=f"/opt/ml/processing/output/{name}",
                s3_upload_mode="EndOfJob",
            ),
        )

    def _place(self, name: str, prefix: str = "s3://runs/runs") -> Any:
        from sagemaker.core.workflow.functions import Join

        return Join(on="/", values=[prefix, self.execution, name])

    def _made(self, step: str, output: str) -> Any:
        return self.steps[step].properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri

    def _model(self) -> Any:
        return self.steps["train"].properties.ModelArtifacts.S3ModelArtifacts

    def _value(self, step: str, file: str, path: str) -> Any:
        from sagemaker.core.workflow.functions import JsonGet

        return JsonGet(step_name=step.capitalize(), property_file=self.files[file], json_path=path)

    @staticmethod
    def _cache() -> Any:
        from sagemaker.mlops.workflow.steps import CacheConfig

        return CacheConfig(enable_caching=True, expire_after="P30D")

    def _retries(self) -> list[Any]:
        from sagemaker.mlops.workflow.retry import SageMakerJobExceptionTypeEnum, SageMakerJobStepRetryPolicy

        kinds = SageMakerJobExceptionTypeEnum
        return [
            SageMakerJobStepRetryPolicy(
                exception_types=[kinds.CAPACITY_ERROR, kinds.RESOURCE_LIMIT],
                interval_seconds=60,
                backoff_rate=2.0,
                expire_after_mins=240,
            ),
            SageMakerJobStepRetryPolicy(
                exception_types=[kinds.INTERNAL_ERROR], interval_seconds=30, backoff_rate=2.0, max_attempts=3
            ),
            self._calls(),
        ]

    @staticmethod
    def _calls() -> Any:
        from sagemaker.mlops.workflow.retry import StepExceptionTypeEnum, StepRetryPolicy

        return StepRetryPolicy(
            exception_types=[StepExceptionTypeEnum.SERVICE_FAULT, StepExceptionTypeEnum.THROTTLING],
            interval_seconds=5,
            backoff_rate=2.0,
            max_attempts=3,
        )


_BOOSTER = (
    "eta",
    "max_depth",
    "min_child_weight",
    "subsample",
    "colsample_bytree",
    "lambda",
    "alpha",
    "gamma",
    "max_bin",
    "nthread",
    "seed",
)
