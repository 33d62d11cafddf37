"""A small account for pipelines whose steps are tiny scripts."""

import io
import json
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest
from embedded import Client

from operations.executions import Outcome, follow_execution
from stacks.config import ROOT

URI = "200000000000.dkr.ecr.eu-west-1.amazonaws.com/job:1"

JOB = """
import json, os, pathlib, signal, sys, time
root = pathlib.Path(os.environ["SLIPWAY_ML_ROOT"])
out = root / "processing/output/made"
what = sys.argv[1]
print("doing", what, flush=True)
if what == "make": (out / "facts.json").write_text(json.dumps({"n": 3, "word": "yes", "list": [1]}))
if what == "draw": (out / "facts.json").write_text(json.dumps({"drawn": os.urandom(8).hex()}))
if what == "copy":
    got = (root / "processing/input/made/facts.json").read_text()
    (out / "copy.json").write_text(got)
if what == "crash": raise RuntimeError("the data is wrong")
if what == "explain":
    (root / "output").mkdir(exist_ok=True); (root / "output/message").write_text("row 7 is bad"); sys.exit(3)
if what == "killed": os.kill(os.getpid(), signal.SIGKILL)
if what == "sleep": time.sleep(60)
if what == "environment": (out / "facts.json").write_text(json.dumps(dict(os.environ)))
if what == "fit":
    parameters = json.loads((root / "input/config/hyperparameters.json").read_text())
    (root / "model/model.json").write_text(parameters["depth"] + (root / "input/data/made/facts.json").read_text())
if what == "count":
    saved = root / "checkpoints"
    begin = max([int(file.name) for file in saved.glob("*")], default=0) if saved.is_dir() else 0
    print("counting from", begin, flush=True)
    for number in range(begin + 1, 6):
        (saved / str(number)).write_text(str(number)); time.sleep(0.1)
    (root / "model/model.json").write_text(json.dumps({"began": begin, "counted": number}))
if what == "misfit":
    (root / "output").mkdir(exist_ok=True); (root / "output/failure").write_text("it diverged"); sys.exit(1)
"""


@dataclass(frozen=True)
class World:
    """An account with a bucket and an image whose source is the script above."""

    client: Client

    def run(self, *steps: dict[str, Any], **parameters: str) -> Outcome:
        return self.follow(self.start(*steps, **parameters))

    def follow(self, arn: str) -> Outcome:
        *_, outcome = follow_execution(self.client("sagemaker"), arn, every_seconds=0.05)
        assert isinstance(outcome, Outcome)
        return outcome

    def start(self, *steps: dict[str, Any], **parameters: str) -> str:
        declared = [{"Name": name, "Type": "String"} for name in parameters]
        self.define(*steps, parameters=declared)
        return self.again([{"Name": name, "Value": value} for name, value in parameters.items()])

    def define(self, *steps: dict[str, Any], parameters: list[dict[str, Any]] | None = None) -> None:
        """Create the pipeline, or update it if it is there."""
        sagemaker = self.client("sagemaker")
        definition = json.dumps({"Version": "2020-12-01", "Parameters": parameters or [], "Steps": list(steps)})
        if sagemaker.list_pipelines()["PipelineSummaries"]:
            sagemaker.update_pipeline(PipelineName="p", PipelineDefinition=definition)
        else:
            sagemaker.create_pipeline(
                PipelineName="p", PipelineDefinition=definition, RoleArn=self.role, ClientRequestToken="0" * 32
            )

    def again(self, given: list[dict[str, str]] | None = None, **request: Any) -> str:
        """Start the pipeline as it is."""
        token = {"ClientRequestToken": uuid.uuid4().hex, "PipelineParameters": given or []}
        started = self.client("sagemaker").start_pipeline_execution(**{"PipelineName": "p", **token, **request})
        return str(started["PipelineExecutionArn"])

    def read(self, key: str) -> bytes:
        body: bytes = self.client("s3").get_object(Bucket=self.bucket, Key=key)["Body"].read()
        return body

    @property
    def account(self) -> str:
        return str(self.client("sts").get_caller_identity()["Account"])

    @property
    def bucket(self) -> str:
        return f"work-{self.account}"

    @property
    def role(self) -> str:
        return f"arn:aws:iam::{self.account}:role/job"


@pytest.fixture
def world(client: Client) -> World:
    made = World(client)
    client("s3").create_bucket(Bucket=made.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("job.py", JOB)
        archive.writestr("requirements/job.txt", (ROOT / "requirements/job.txt").read_text())
    client("s3").put_object(Bucket=made.bucket, Key="source.zip", Body=packed.getvalue())
    client("codebuild").create_project(
        name="build",
        source={"type": "S3", "location": f"{made.bucket}/source.zip"},
        artifacts={"type": "NO_ARTIFACTS"},
        serviceRole=f"arn:aws:iam::{made.account}:role/build",
        environment={
            "type": "LINUX_CONTAINER",
            "image": "x",
            "computeType": "BUILD_GENERAL1_SMALL",
            "environmentVariables": [{"name": "IMAGE_URI", "value": URI}],
        },
    )
    return made


def step(world: World, name: str, what: str, *, after: str = "", uri: str = URI, seconds: int = 60) -> dict[str, Any]:
    source = {"Get": f"Steps.{after}.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"}
    local = "/opt/ml/processing/input/made"
    given = [{"InputName": "made", "S3Input": {"S3Uri": source, "LocalPath": local, "S3DataType": "S3Prefix"}}]
    output = {"S3Uri": f"s3://{world.bucket}/{name}", "LocalPath": "/opt/ml/processing/output/made"}
    return {
        "Name": name,
        "Type": "Processing",
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1}
            },
            "AppSpecification": {
                "ImageUri": uri,
                "ContainerEntrypoint": ["python", "job.py"],
                "ContainerArguments": [what],
            },
            "RoleArn": world.role,
            "ProcessingInputs": given if after else [],
            "ProcessingOutputConfig": {
                "Outputs": [{"OutputName": "made", "S3Output": {**output, "S3UploadMode": "EndOfJob"}}]
            },
            "StoppingCondition": {"MaxRuntimeInSeconds": seconds},
        },
        "PropertyFiles": [{"PropertyFileName": "facts", "OutputName": "made", "FilePath": "facts.json"}],
    }


def training(world: World, what: str) -> dict[str, Any]:
    source = {"Get": "Steps.Make.ProcessingOutputConfig.Outputs['made'].S3Output.S3Uri"}
    return {
        "Name": "Fit",
        "Type": "Training",
        "Arguments": {
            "AlgorithmSpecification": {
                "TrainingImage": URI,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": ["python", "job.py"],
                "ContainerArguments": [what],
            },
            "RoleArn": world.role,
            "HyperParameters": {"depth": "6"},
            "InputDataConfig": [
                {
                    "ChannelName": "made",
                    "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}},
                }
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{world.bucket}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        },
    }


def fact(path: str) -> dict[str, Any]:
    return {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Make.PropertyFiles.facts"}, "Path": path}}


def condition(*conditions: dict[str, Any], then: list[Any] | None = None, otherwise: list[Any] | None = None) -> Any:
    arguments = {"Conditions": list(conditions), "IfSteps": then or [], "ElseSteps": otherwise or []}
    return {"Name": "Ask", "Type": "Condition", "Arguments": arguments}


def fail(message: Any) -> dict[str, Any]:
    return {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def states(outcome: Outcome) -> dict[str, str]:
    return {step.name: step.status for step in outcome.steps}
