"""What releases call, small and fast: a registry, an endpoint and its stack that end as they are told to.

DynamoDB is moto's, for its conditional writes; that the rest behaves as the embedded AWS does is a test of its own.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import json
import tarfile
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import ClientError

from operations import versions
from operations.champion import ChampionPlace
from operations.journal import LEASE_SECONDS, Journal
from operations.place import Place
from operations.release import Releaser

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP_ARN = "arn:aws:sagemaker:eu-west-1:111111111111:model-package-group/g"
HOSTED = "arn:aws:sagemaker:eu-west-1:111111111111"
VERSIONS = GROUP_ARN.replace("-group/", "/")
IMAGE = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/serve:1"
STAGE, PARAMETER, TABLE = "Staging", "/version", "releases"
GOOD, STACK_FAILS, CLAIMS = "good", "stack fails", "claims success"
LOOKS = 2
"""How often a stack is looked at before its update has ended."""

CHAMPION = ChampionPlace("b", "champion/m")
PLACE = Place("m", "staging", STAGE, GROUP_ARN, "s", "e", PARAMETER, TABLE, "role", CHAMPION, "topic", "b", "none")


class KilledError(BaseException):
    """The process is no more."""


def refused(message: str, code: str = "ValidationException") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, "Operation")


@cache
def _dynamodb() -> Any:
    """Making a client takes longer than all that is asked of it."""
    return boto3.client("dynamodb", region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")


@dataclass
class SmallWorld:
    """`ending` is how the next update ends; `went_live` hears of every version that comes to serve.

    `owned` is the configuration that the stack has now, `configs` name a model and `models` a version.
    """

    packages: dict[str, dict[str, Any]] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    models: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=lambda: {PARAMETER: "none"})
    bad: set[str] = field(default_factory=set)
    endpoint: dict[str, str] | None = None
    digest: str = "sha256:1"
    forbidden: frozenset[str] = frozenset()
    ending: str = GOOD
    went_live: Callable[[str], None] = lambda _: None
    before_call: Callable[[], None] = lambda: None
    stack: dict[str, Any] = field(default_factory=lambda: {"StackStatus": "CREATE_COMPLETE"})
    owned: str = ""
    applied: str = "none"
    wanted: str = ""
    looks: int = 0
    names: Any = field(default_factory=lambda: itertools.count(1))
    place: Place = PLACE

    @cached_property
    def dynamodb(self) -> Any:
        made = _dynamodb()
        keys = [("model", "HASH"), ("entry", "RANGE")]
        made.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in keys],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in keys],
            BillingMode="PAY_PER_REQUEST",
        )
        return made

    def client(self, service: str) -> Any:
        """Every call of it is told to `before_call` first."""
        return _Counted(self.dynamodb if service == "dynamodb" else self.services(), self)

    def services(self) -> Services:
        return Services(self)

    def releaser(self) -> Releaser:
        return Releaser(self.client, self.place, poll_seconds=0)

    def let_lease_run_out(self) -> None:
        key = {"model": {"S": "m"}, "entry": {"S": "lease"}}
        item = self.dynamodb.get_item(TableName=TABLE, Key=key).get("Item")
        if item:
            until = {"N": str(float(item["held_until"]["N"]) - LEASE_SECONDS - 1)}
            self.dynamodb.put_item(TableName=TABLE, Item={**item, "held_until": until})

    @property
    def journal(self) -> Journal:
        return Journal(self.dynamodb, TABLE, "m")

    # Versions.

    def register(self, *, bad: bool = False) -> str:
        number = len(self.trained) + 1
        arn, uri, record = f"{VERSIONS}/{number}", f"s3://b/{number}/model.tar.gz", f"s3://b/{number}/record.json"
        body = _archive(number)
        artifact = {"uri": uri, "sha256": hashlib.sha256(body).hexdigest()}
        self.objects[uri] = body
        image = {"serve_image_uri": IMAGE, "serve_image_digest": self.digest}
        told = {"artifact": artifact, **image, "execution": str(number)}
        self.objects[record] = json.dumps(told).encode()
        self.packages[arn] = {
            "ModelPackageArn": arn,
            "ModelPackageGroupName": "g",
            "ModelPackageVersion": number,
            "ModelApprovalStatus": "PendingManualApproval",
            "ModelLifeCycle": {"Stage": "Development", "StageStatus": "Passed"},
            "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": uri}]},
            "MetadataProperties": {"GeneratedBy": f"arn:aws:sagemaker:x:1:pipeline/m/execution/{number}"},
            "CustomerMetadataProperties": {"provenance": record, "model_sha256": artifact["sha256"]},
            "LastModifiedTime": "",
        }
        if bad:
            self.bad.add(arn)
        return arn

    @property
    def trained(self) -> list[str]:
        """The versions that were registered, without what may have been copied of them."""
        return [arn for arn, package in self.packages.items() if package["ModelPackageGroupName"] == "g"]

    def number(self, arn: str) -> int:
        """The number it was registered by."""
        return int(self.packages[arn]["MetadataProperties"]["GeneratedBy"].rsplit("/", 1)[-1])

    def pristine(self, arn: str) -> bool:
        (container,) = self.packages[arn]["InferenceSpecification"]["Containers"]
        as_made = self.as_registered(arn)
        return container == as_made and self.objects[as_made["ModelDataUrl"]] == _archive(self.number(arn))

    def as_registered(self, arn: str) -> dict[str, str]:
        """Its container as it was before anybody changed it."""
        return {"Image": IMAGE, "ModelDataUrl": f"s3://b/{self.number(arn)}/model.tar.gz"}

    def may_be_released(self, arn: str) -> bool:
        """Whether it is approved for the stage, as it stands."""
        try:
            versions.check_stage(self.packages[arn], STAGE, again=False)
        except versions.VersionError:
            return False
        return self.pristine(arn)

    # The endpoint, and the stack that owns it.

    @property
    def live(self) -> str:
        return self.models[self.configs[self.endpoint["EndpointConfigName"]]] if self.endpoint else "none"

    def answer(self) -> float:
        """What the endpoint predicts: each version has an answer of its own."""
        right = _probability(self.number(self.live))
        return right + 0.5 if self.live in self.bad else right

    def update_stack(self) -> None:
        if self.stack["StackStatus"].endswith("_IN_PROGRESS"):
            raise refused(f"Stack:s is in {self.stack['StackStatus']} state and can not be updated.", "ValidationError")
        self.wanted = self.parameters[PARAMETER]
        if self.wanted == self.applied:
            raise refused("No updates are to be performed.", "ValidationError")
        self.stack, self.looks = {**self.stack, "StackStatus": "UPDATE_IN_PROGRESS"}, LOOKS

    def look(self) -> None:
        """Time passes for the stack whenever it is looked at."""
        if self.stack["StackStatus"].endswith("_IN_PROGRESS"):
            self.looks -= 1
            if self.looks <= 0:
                self._end()

    def _end(self) -> None:
        ending, self.ending = self.ending, GOOD
        if self.wanted == "none":
            self._remove()
        elif ending == STACK_FAILS or (ending == CLAIMS and self.endpoint is None):
            self.stack |= {"StackStatus": "UPDATE_ROLLBACK_COMPLETE", "StackStatusReason": "an alarm is in ALARM"}
            return
        else:
            self._serve(stays=ending == GOOD)
        self.applied = self.wanted
        self.stack["StackStatus"] = "UPDATE_COMPLETE"

    def _serve(self, *, stays: bool) -> None:
        number = next(self.names)
        model, config = f"Model-{number}", f"Config-{number}"
        self.models[model], self.configs[config], self.owned = self.wanted, model, config
        if stays:
            self.endpoint = {"EndpointStatus": "InService", "EndpointConfigName": config}
            self.went_live(self.wanted)
        elif self.endpoint:
            self.endpoint["FailureReason"] = "rolled back by its alarm"

    def _remove(self) -> None:
        self.models.pop(self.configs.pop(self.owned))
        self.endpoint, self.owned = None, ""

    def deploy(self, *, stays: bool = True) -> None:
        """Infrastructure is deployed that changes the configuration alone.

        One that the endpoint goes back from has changed the model as well.
        """
        number = next(self.names)
        model, config = self.configs[self.owned], f"Config-{number}"
        if stays:
            self.endpoint = {"EndpointStatus": "InService", "EndpointConfigName": config}
        else:
            model, version = f"Model-{number}", self.models[model]
            self.models[model] = version
        self.configs[config], self.owned = model, config

    @property
    def things(self) -> dict[str, list[str]]:
        """ARNs of all that is hosted, as a stack has them."""
        return {kind: [f"{HOSTED}:{kind}/{name}" for name in kept] for kind, kept in self._kept.items()}

    @property
    def _kept(self) -> dict[str, dict[str, str]]:
        return {"model": self.models, "endpoint-config": self.configs}


class _Counted:
    """A client that tells the world of each call before it is made."""

    def __init__(self, client: Any, world: SmallWorld) -> None:
        self._client, self._world = client, world

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if not callable(found) or name in {"get_paginator", "exceptions"}:
            if name == "get_paginator":
                self._world.before_call()
            return found

        def call(**request: Any) -> Any:
            self._world.before_call()
            return found(**request)

        return call


class Services:
    """SageMaker, CloudFormation, SSM, S3, ECR, SNS, CloudWatch: the calls that releases make, by boto3's names."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, world: SmallWorld) -> None:
        self.world = world

    def get_paginator(self, operation: str) -> Any:
        if operation == "list_model_packages":
            return SimpleNamespace(paginate=lambda **asked: [self.versions_of(asked["ModelPackageGroupName"])])
        if operation in self.world.forbidden:
            raise refused(f"not authorized to perform: {operation}", "AccessDeniedException")
        found = {
            "list_models": {"Models": self._listed("Model", "model")},
            "list_endpoint_configs": {"EndpointConfigs": self._listed("EndpointConfig", "endpoint-config")},
            "get_resources": {"ResourceTagMappingList": self._tagged()},
        }
        return SimpleNamespace(paginate=lambda **_: [found[operation]])

    def versions_of(self, group: str) -> dict[str, Any]:
        packages, name = self.world.packages.values(), group.rsplit("/", 1)[-1]
        return {"ModelPackageSummaryList": [one for one in packages if one["ModelPackageGroupName"] == name]}

    def _listed(self, kind: str, part: str) -> list[dict[str, str]]:
        return [{f"{kind}Name": arn.split("/")[1], f"{kind}Arn": arn} for arn in self.world.things[part]]

    def _tagged(self) -> list[dict[str, str]]:
        """What was named by hand carries no tags of a stack's; who asks by tags finds ARNs in small letters or not."""
        things = self.world.things
        arns = [*(arn.lower() for arn in things["model"]), *things["endpoint-config"]]
        return [{"ResourceARN": arn} for arn in arns if "by-hand" not in arn]

    def describe_stack_resources(self, **_: str) -> Any:
        config = self.world.owned
        arns = [f"{HOSTED}:endpoint-config/{config}", f"{HOSTED}:model/{self.world.configs[config]}"] if config else []
        types = ("AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Model")
        made = [{"ResourceType": kind, "PhysicalResourceId": arn} for kind, arn in zip(types, arns, strict=False)]
        return {"StackResources": [*made, {"ResourceType": "AWS::SageMaker::Endpoint"}]}

    def describe_model_package(self, *, ModelPackageName: str) -> Any:  # noqa: N803 AWS's names, here and below
        if ModelPackageName not in self.world.packages:
            raise refused(f"ModelPackage {ModelPackageName} does not exist.")
        return self.world.packages[ModelPackageName]

    def describe_endpoint(self, **_: str) -> Any:
        if self.world.endpoint is None:
            raise refused('Could not find endpoint "e".')
        moves = self.world.stack["StackStatus"].endswith("_IN_PROGRESS")
        pending = {"PendingDeploymentSummary": {"EndpointConfigName": "pending"}} if moves else {}
        return {**self.world.endpoint, **pending}

    def describe_endpoint_config(self, *, EndpointConfigName: str) -> Any:  # noqa: N803
        if EndpointConfigName not in self.world.configs:
            raise refused("Could not find endpoint configuration")
        variants = [{"ModelName": self.world.configs[EndpointConfigName]}]
        return {"EndpointConfigArn": f"{HOSTED}:endpoint-config/{EndpointConfigName}", "ProductionVariants": variants}

    def describe_model(self, *, ModelName: str) -> Any:  # noqa: N803
        if ModelName not in self.world.models:
            raise refused("Could not find model")
        return {"PrimaryContainer": {"ModelPackageName": self.world.models[ModelName]}}

    def delete_model(self, *, ModelName: str) -> None:  # noqa: N803
        if self.world.models.pop(ModelName, None) is None:
            raise refused("Could not find model")

    def delete_endpoint_config(self, *, EndpointConfigName: str) -> None:  # noqa: N803
        if self.world.configs.pop(EndpointConfigName, None) is None:
            raise refused("Could not find endpoint configuration")

    def describe_stacks(self, **_: str) -> Any:
        self.world.look()
        return {"Stacks": [dict(self.world.stack)]}

    def update_stack(self, **_: Any) -> None:
        self.world.update_stack()

    def get_parameter(self, *, Name: str) -> Any:  # noqa: N803
        return {"Parameter": {"Value": self.world.parameters[Name]}}

    def put_parameter(self, *, Name: str, Value: str, **_: Any) -> None:  # noqa: N803
        self.world.parameters[Name] = Value

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        return {"Body": io.BytesIO(self.world.objects[f"s3://{Bucket}/{Key}"])}

    def invoke_endpoint(self, **_: Any) -> Any:
        if self.world.endpoint is None:
            raise refused("Endpoint e not found.", "ValidationError")
        body = json.dumps({"predictions": [{"probability": self.world.answer()}]})
        return {"Body": io.BytesIO(body.encode())}

    def describe_images(self, **_: Any) -> Any:
        return {"imageDetails": [{"imageDigest": self.world.digest}]}

    def publish(self, **_: str) -> None:
        """Nobody has subscribed."""

    def put_metric_data(self, **_: Any) -> None:
        """The alarm that would watch it is `ending`."""


def _probability(number: int) -> float:
    return number / 1000


def _archive(number: int) -> bytes:
    content = json.dumps({"test": {"rows": ["1,2"], "probabilities": [_probability(number)]}}).encode()
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        member = tarfile.TarInfo(versions.SERVING_FILE)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return packed.getvalue()
