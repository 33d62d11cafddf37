"""The triggers' room, deployed with two models: changed code trains its own model, when its image has been built."""

from __future__ import annotations

import io
import json
import re
import time
import uuid
import zipfile
from typing import TYPE_CHECKING

import pytest
from second_model import touch
from serving_modes import environment, resources, synthesize

from operations.turns import TurnTable
from stacks.content import IMAGE_SOURCES, content_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from embedded import Client

STACK = "slipway-dev-Triggers"
MODELS = ("flight_delay", "other")
PARAMETERS = ("Period", "Listing", "ServeImageDigest", "Reason", "StartedBy", "Author")


class Room:
    """The real room in an account of its own, beside pipelines that end at once and a build of stand-ins."""

    def __init__(self, client: Client, account: str, repository: Path, folder: Path) -> None:
        self.client, self.repository, self.folder = client, repository, folder
        made = environment("realtime")
        self.settings = made.model_copy(update={"account": account})
        self.base = made.image.base_image if made.image else ""
        self.images = f"{account}.dkr.ecr.eu-west-1.amazonaws.com/slipway-dev-job"
        self.assets = f"cdk-hnb659fds-assets-{account}-eu-west-1"
        self.values = {
            "Key": client("kms").create_key()["KeyMetadata"]["Arn"],
            "Notices": client("sns").create_topic(Name="slipway-dev-notices")["TopicArn"],
        }
        self.role = client("iam").create_role(RoleName="builder", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        client("ecr").create_repository(repositoryName="slipway-dev-job")
        for bucket in (self.assets, *(f"slipway-dev-{kind}-{account}-eu-west-1" for kind in ("data", "runs"))):
            client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        for model in MODELS:
            key = f"periods/{model}/2013-03/_READY.json"
            client("s3").put_object(Bucket=f"slipway-dev-data-{account}-eu-west-1", Key=key, Body=b'{"files": {}}')
            self._pipeline(f"slipway-dev-{model.replace('_', '-')}")

    def _pipeline(self, name: str) -> None:
        steps = [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "this one trains nothing"}}]
        declared = [{"Name": parameter, "Type": "String"} for parameter in PARAMETERS]
        body = json.dumps({"Version": "2020-12-01", "Parameters": declared, "Steps": steps})
        self.client("sagemaker").create_pipeline(
            PipelineName=name, PipelineDefinition=body, RoleArn=self.role, ClientRequestToken=uuid.uuid4().hex
        )

    def deploy(self) -> None:
        """Make the room, or change it to what the repository now holds."""
        folder = self.folder / uuid.uuid4().hex
        template = synthesize(folder, self.settings)["Triggers"]
        code = resources(template, "AWS::Lambda::Function")[0]["Code"]["S3Key"]
        (staged,) = folder.glob(f"**/asset.{code.removesuffix('.zip')}")
        self.client("s3").put_object(Bucket=self.assets, Key=code, Body=_zip(staged))
        template["Parameters"].pop("BootstrapVersion")
        template.pop("Rules", None)
        body = json.dumps(template)
        for word, value in self.values.items():
            body = re.sub(rf'\{{"Fn::ImportValue": "[^"]*{word}[^"]*"\}}', json.dumps(value), body)
        cloudformation = self.client("cloudformation")
        there = any(each["StackName"] == STACK for each in cloudformation.describe_stacks()["Stacks"])
        (cloudformation.update_stack if there else cloudformation.create_stack)(StackName=STACK, TemplateBody=body)
        until(lambda: not self.status.endswith("_IN_PROGRESS"))
        assert self.status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}

    @property
    def status(self) -> str:
        return str(self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])

    def build(self) -> None:
        """The build of the images that the repository now makes, as a deployment of their room begins it."""
        uri = f"{self.images}:{content_hash(IMAGE_SOURCES, self.base)}"
        codebuild, name = self.client("codebuild"), "slipway-dev-images"
        self.client("s3").put_object(Bucket=self.assets, Key="source.zip", Body=_zip(self.repository / "requirements"))
        variables = {"IMAGE_URI": uri, "SERVE_IMAGE_URI": f"{uri}-serve"}
        project = {
            "name": name,
            "source": {"type": "S3", "location": f"{self.assets}/source.zip"},
            "artifacts": {"type": "NO_ARTIFACTS"},
            "serviceRole": self.role,
            "environment": {
                "type": "LINUX_CONTAINER",
                "image": "x",
                "computeType": "BUILD_GENERAL1_SMALL",
                "privilegedMode": True,
                "environmentVariables": [{"name": key, "value": value} for key, value in variables.items()],
            },
        }
        (codebuild.update_project if codebuild.list_projects()["projects"] else codebuild.create_project)(**project)
        build = codebuild.start_build(projectName=name)["build"]["id"]
        until(lambda: codebuild.batch_get_builds(ids=[build])["builds"][0]["buildStatus"] == "SUCCEEDED")

    def waits(self, model: str) -> bool:
        """Whether a request of the model waits for an image."""
        (table,) = self.client("dynamodb").list_tables()["TableNames"]
        return TurnTable(self.client("dynamodb"), table).read(model).waits_for_an_image

    def runs(self, model: str) -> list[str]:
        """Why each run of the model was started."""
        sagemaker, name = self.client("sagemaker"), f"slipway-dev-{model.replace('_', '-')}"
        found = []
        for run in sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]:
            arn = run["PipelineExecutionArn"]
            given = sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=arn)["PipelineParameters"]
            found += [each["Value"] for each in given if each["Name"] == "Reason"]
        return found


def until(come: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not come():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


def _zip(folder: Path) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for file in sorted(each for each in folder.rglob("*") if each.is_file()):
            archive.write(file, file.relative_to(folder))
    return packed.getvalue()


@pytest.fixture
def room(client: Client, account: str, repository: Path, tmp_path: Path) -> Room:
    """Deployed with its images built; nothing has run."""
    made = Room(client, account, repository, tmp_path)
    made.deploy()
    made.build()
    return made


def test_code_that_is_deployed_before_its_image_is_trained_when_that_is_built(room: Room) -> None:
    assert [room.runs(model) for model in MODELS] == [[], []]
    touch(room.repository, "models/other/features.py")

    room.deploy()
    until(lambda: room.waits("other"))
    assert [room.runs(model) for model in MODELS] == [[], []]
    room.build()

    until(lambda: bool(room.runs("other")))
    assert [room.runs(model) for model in MODELS] == [[], ["code"]]


def test_code_whose_image_is_built_before_it_is_deployed_is_trained_at_once(room: Room) -> None:
    touch(room.repository, "boosting.py")
    room.deploy()
    touch(room.repository, "models/flight_delay/features.py")

    room.build()
    room.deploy()

    until(lambda: bool(room.runs("flight_delay")))
    assert [room.runs(model) for model in MODELS] == [["code"], []]
