"""An account with a serve image, versions to serve, and a serving stack as the room makes it, without other rooms."""

from __future__ import annotations

import hashlib
import io
import json
import time
import uuid
import zipfile
from dataclasses import dataclass
from typing import Any

import pytest
from engine_world import World
from real_jobs import Real

from operations import desired, probes
from operations.champion import ChampionPlace
from operations.journal import Journal
from operations.place import Place
from stacks.config import ROOT

ENDPOINT, GROUP = "live", "versions"
TAGGED = {"platform": "slipway", "environment": "dev", "model": "m"}
TAGS = [{"Key": key, "Value": value} for key, value in TAGGED.items()]


@dataclass(frozen=True)
class Version:
    """A registered version and rows whose answers are known."""

    arn: str
    uri: str
    rows: list[str]
    probabilities: list[float]


class Serving:
    """What tests of endpoints and of releases stand on."""

    def __init__(self, world: World, real: Real) -> None:
        self.world, self.real = world, real
        self.repository = f"serve-{world.account}"  # faults are ordered by name, for all accounts
        self.uri = f"{world.account}.dkr.ecr.eu-west-1.amazonaws.com/{self.repository}:1"
        self.sagemaker, self.runtime, self.s3 = (world.client(s) for s in ("sagemaker", "sagemaker-runtime", "s3"))
        self._image()
        self._role()
        self.put("model.tar.gz", (real.package / "model.tar.gz").read_bytes())
        self.put("unpackaged.tar.gz", real.archive.read_bytes())

    def put(self, key: str, body: bytes) -> str:
        self.s3.put_object(Bucket=self.world.bucket, Key=key, Body=body)
        return f"s3://{self.world.bucket}/{key}"

    def _image(self) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            for file in [*(ROOT / "pipeline_code").rglob("*.py"), ROOT / "requirements/serve.txt"]:
                archive.write(file, file.relative_to(ROOT))
        self.put("serve.zip", packed.getvalue())
        codebuild = self.world.client("codebuild")
        codebuild.create_project(
            name="serve",
            source={"type": "S3", "location": f"{self.world.bucket}/serve.zip"},
            artifacts={"type": "NO_ARTIFACTS"},
            serviceRole=self.world.role,
            environment={
                "type": "LINUX_CONTAINER",
                "image": "x",
                "computeType": "BUILD_GENERAL1_SMALL",
                "privilegedMode": True,
                "environmentVariables": [{"name": "SERVE_IMAGE_URI", "value": self.uri}],
            },
        )
        self.world.client("ecr").create_repository(
            repositoryName=self.repository, imageScanningConfiguration={"scanOnPush": True}
        )

    def _role(self) -> None:
        """The execution role: it may look at the alarms of its updates."""
        iam, name = self.world.client("iam"), self.world.role.rsplit("/", 1)[1]
        iam.create_role(RoleName=name, AssumeRolePolicyDocument="{}")
        self.may(["cloudwatch:DescribeAlarms"])

    def may(self, actions: list[str]) -> None:
        """What the execution role is allowed, on anything."""
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        name = self.world.role.rsplit("/", 1)[1]
        self.world.client("iam").put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)

    def change_source(self) -> None:
        """The source of the image is another."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("pipeline_code/other.py", "")
        self.put("serve.zip", packed.getvalue())

    def build(self) -> list[str]:
        """The image is built as after a deployment; returns what the build said, which comes when it has ended."""
        started = self.world.client("codebuild").start_build(projectName="serve")["build"]
        logs, where = self.world.client("logs"), started["logs"]
        while True:
            try:
                found = logs.get_log_events(logGroupName=where["groupName"], logStreamName=where["streamName"])
            except logs.exceptions.ResourceNotFoundException:
                found = {"events": []}
            if found["events"]:
                return [event["message"] for event in found["events"]]
            time.sleep(0.02)

    @property
    def digest(self) -> str:
        """What the image's tag names; it is built if it is not there."""
        self.build()
        ecr, tag = self.world.client("ecr"), self.uri.rsplit(":", 1)[1]
        (found,) = ecr.describe_images(repositoryName=self.repository, imageIds=[{"imageTag": tag}])["imageDetails"]
        return str(found["imageDigest"])

    # Endpoints without a stack.

    def config(self, key: str = "model.tar.gz") -> str:
        name = f"c-{uuid.uuid4().hex[:8]}"
        container = {"Image": self.uri, "ModelDataUrl": f"s3://{self.world.bucket}/{key}"}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=self.world.role)
        variant = {"VariantName": "main", "ModelName": name, "InitialInstanceCount": 2, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
        return name

    def create(self, config: str) -> dict[str, Any]:
        self.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)
        return self.settled()

    def settled(self) -> dict[str, Any]:
        while True:
            found: dict[str, Any] = self.sagemaker.describe_endpoint(EndpointName=ENDPOINT)
            if found["EndpointStatus"] in {"InService", "Failed"}:
                return found
            time.sleep(0.02)

    def ask(self, body: str, media: str = "text/csv") -> Any:
        answer = self.runtime.invoke_endpoint(
            EndpointName=ENDPOINT, Body=body.encode(), ContentType=media, Accept="application/json"
        )
        return json.loads(answer["Body"].read())["predictions"]

    # Versions, and the stack that serves them.

    @property
    def place(self) -> Place:
        return Place(
            model="m",
            environment="dev",
            stage="Development",
            group=GROUP,
            stack="serving",
            endpoint=ENDPOINT,
            parameter="/slipway/dev/m/version",
            table="releases",
            deployer=self.world.role,
            champion=ChampionPlace(self.world.bucket, "champion/m"),
            notices=f"arn:aws:sns:eu-west-1:{self.world.account}:notices",
            records=self.world.bucket,
        )

    def deploy(self) -> None:
        self.build()
        self.sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
        desired.make(self.world.client("ssm"), self.place.parameter)
        self.tables()
        template = json.dumps(_template(self.place.parameter, self.world.role))
        self.world.client("cloudformation").create_stack(StackName=self.place.stack, TemplateBody=template)

    def tables(self) -> None:
        """Leases and journal, and the topic of people who hear of releases."""
        self.world.client("sns").create_topic(Name="notices")
        keys = [("model", "HASH"), ("entry", "RANGE")]
        self.world.client("dynamodb").create_table(
            TableName=self.place.table,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )

    def register(self, key: str = "model.tar.gz") -> Version:
        """A version as the pipeline registers it: with a record of what it is."""
        body = self.s3.get_object(Bucket=self.world.bucket, Key=key)["Body"].read()
        uri = self.put(f"{uuid.uuid4().hex}/model.tar.gz", body)
        artifact = {"uri": uri, "sha256": hashlib.sha256(body).hexdigest()}
        execution = uuid.uuid4().hex[:12]
        image = {"serve_image_uri": self.uri, "serve_image_digest": self.digest}
        told = {"artifact": artifact, **image, "execution": execution}
        record = self.put(f"{execution}/provenance.json", json.dumps(told).encode())
        made = self.sagemaker.create_model_package(
            ModelPackageGroupName=GROUP,
            ModelApprovalStatus="PendingManualApproval",
            ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
            InferenceSpecification={
                "Containers": [{"Image": self.uri, "ModelDataUrl": uri}],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
            MetadataProperties={"GeneratedBy": f"arn:aws:sagemaker:x:1:pipeline/m/execution/{execution}"},
            CustomerMetadataProperties={"provenance": record, "model_sha256": artifact["sha256"]},
        )
        test = json.loads(_member(self.real, "serving.json"))["test"]
        return Version(made["ModelPackageArn"], uri, test["rows"], test["probabilities"])

    def arn(self, number: str) -> str:
        found: str = self.sagemaker.describe_model_package(ModelPackageName=f"{GROUP}/{number}")["ModelPackageArn"]
        return found

    def replace_artifact(self, version: Version) -> None:
        key = version.uri.removeprefix(f"s3://{self.world.bucket}/")
        self.put(key, self.real.archive.read_bytes())

    @staticmethod
    def let_lease_run_out(journal: Journal, seconds: int) -> None:
        """As if a holder had not been heard of for so long."""
        key = {"model": {"S": journal.model}, "entry": {"S": "lease"}}
        found = journal.dynamodb.get_item(TableName=journal.table, Key=key).get("Item")
        if found:
            until = str(float(found["held_until"]["N"]) - seconds)
            journal.dynamodb.put_item(TableName=journal.table, Item={**found, "held_until": {"N": until}})


def _member(real: Real, name: str) -> bytes:
    import tarfile

    with tarfile.open(real.package / "model.tar.gz") as packed:
        content = packed.extractfile(name)
        assert content is not None
        return content.read()


def _template(parameter: str, role: str) -> dict[str, Any]:
    alarms = _alarms()
    canary = {"Type": "CAPACITY_PERCENT", "Value": 50}
    routing = {"Type": "CANARY", "CanarySize": canary, "WaitIntervalInSeconds": 300}
    variant = {
        "VariantName": "main",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InitialInstanceCount": 2,
        "InstanceType": "ml.m5.large",
    }
    resources: dict[str, Any] = {
        **alarms,
        "Model": {
            "Type": "AWS::SageMaker::Model",
            "UpdateReplacePolicy": "Retain",
            "Properties": {
                "ExecutionRoleArn": role,
                "PrimaryContainer": {"ModelPackageName": {"Ref": "Version"}},
                "Tags": TAGS,
            },
        },
        "Config": {
            "Type": "AWS::SageMaker::EndpointConfig",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"ProductionVariants": [variant], "Tags": TAGS},
        },
        "Endpoint": {
            "Type": "AWS::SageMaker::Endpoint",
            "Properties": {
                "EndpointName": ENDPOINT,
                "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
                "DeploymentConfig": {
                    "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
                    "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": {"Ref": name}} for name in alarms]},
                },
            },
        },
    }
    return {
        "Parameters": {"Version": {"Type": "AWS::SSM::Parameter::Value<String>", "Default": parameter}},
        "Conditions": {"Live": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Version"}, "none"]}]}},
        "Resources": {
            **{name: {**resource, "Condition": "Live"} for name, resource in resources.items()},
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": {"Ref": "Version"}}},
        },
    }


def _alarms() -> dict[str, Any]:
    """On the new fleet alone, by name, too: a changed alarm would keep the state that the old fleet gave it."""
    config = {"Fn::GetAtt": ["Config", "EndpointConfigName"]}
    probed = [{"Name": "EndpointName", "Value": ENDPOINT}, {"Name": "EndpointConfigName", "Value": config}]
    fleet = {"Namespace": "AWS/SageMaker", "Dimensions": [*probed, {"Name": "VariantName", "Value": "main"}]}
    rule = {"ComparisonOperator": "GreaterThanThreshold", "Period": 60, "EvaluationPeriods": 1}
    watched = {
        "Errors": {**fleet, "MetricName": "Invocation5XXErrors", "Statistic": "Sum", "Threshold": 0},
        "Slow": {**fleet, "MetricName": "ModelLatency", "ExtendedStatistic": "p95", "Threshold": 900_000},
        "Probes": {
            "Namespace": probes.NAMESPACE,
            "Dimensions": probed,
            "MetricName": probes.METRIC,
            "Statistic": "Sum",
            "Threshold": 0,
        },
    }
    return {
        name: {
            "Type": "AWS::CloudWatch::Alarm",
            "Properties": {"AlarmName": {"Fn::Join": ["-", [name, config]]}, **rule, **watch},
        }
        for name, watch in watched.items()
    }


@pytest.fixture
def serving(world: World, real: Real) -> Serving:
    return Serving(world, real)
