"""An account to which the real serving room is deployed, without the other rooms."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pytest
from botocore.exceptions import ClientError
from serving_modes import MODEL, environment, synthesize, use
from serving_world import GROUP, Serving, Version

if TYPE_CHECKING:
    from pathlib import Path

    from embedded import Client

ROOM = "ServingFlightDelay"
STACK = "serving"
PREFIX = "slipway-dev"


class Close(Protocol):
    def __call__(self, found: list[float]) -> bool: ...


@dataclass(frozen=True)
class Site:
    """An account to which a serving room is deployed, and versions it may serve."""

    client: Client
    account: str
    folder: Path
    serving: Serving
    patch: pytest.MonkeyPatch

    @property
    def bucket(self) -> str:
        return f"{PREFIX}-data-{self.account}-eu-west-1"

    def synthesize(self, kind: str, **settings: Any) -> dict[str, Any]:
        use(self.patch, kind)
        made = environment(kind, **settings).model_copy(update={"account": self.account})
        return synthesize(self.folder / uuid.uuid4().hex, made)[ROOM]

    def deploy(self, kind: str, version: str, **settings: Any) -> dict[str, Any]:
        """Make the room's stack, or update it; other rooms' exports are replaced by what they would be."""
        template = _alone(self.synthesize(kind, **settings), self._key())
        self.wants("version", version)
        cloudformation = self.client("cloudformation")
        if self.stacks():
            cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(template))
        else:
            cloudformation.create_stack(StackName=STACK, TemplateBody=json.dumps(template))
        while self.stacks()[0]["StackStatus"].endswith("_IN_PROGRESS"):
            time.sleep(0.05)
        assert self.stacks()[0]["StackStatus"] in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, self.failures()
        return template

    def stacks(self) -> list[dict[str, Any]]:
        try:
            found: list[dict[str, Any]] = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        except ClientError:
            return []
        return found

    def failures(self) -> list[str]:
        events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]

    def shadow(self, version: str) -> None:
        self.wants("shadow", version)

    def wants(self, what: str, version: str) -> None:
        self.client("ssm").put_parameter(
            Name=f"/slipway/dev/{MODEL}/{what}", Value=version, Type="String", Overwrite=True
        )

    def _key(self) -> str:
        arn: str = self.client("kms").create_key()["KeyMetadata"]["Arn"]
        return arn

    def ask(self, name: str, rows: list[str], **more: Any) -> list[float]:
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=name, Body="\n".join(rows).encode(), ContentType="text/csv", Accept="application/json", **more
        )
        return probabilities(answer["Body"].read())

    def put(self, key: str, body: str) -> str:
        self.client("s3").put_object(Bucket=self.bucket, Key=key, Body=body.encode())
        return f"s3://{self.bucket}/{key}"

    def found(self, prefix: str, count: int = 1) -> list[tuple[str, bytes]]:
        """Objects below a prefix, as soon as there are so many."""
        s3 = self.client("s3")
        while True:
            keys = [o["Key"] for o in s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix).get("Contents", [])]
            if len(keys) >= count:
                return [(key, s3.get_object(Bucket=self.bucket, Key=key)["Body"].read()) for key in keys]
            time.sleep(0.02)


def probabilities(body: bytes) -> list[float]:
    return [one["probability"] for one in json.loads(body)["predictions"]]


def _alone(template: dict[str, Any], key: str) -> dict[str, Any]:
    """The room's template without what belongs to other rooms and to the CDK CLI."""
    values = {"Key": key, "Subnet": "subnet-0a1b2c3d", "Group": "sg-0a1b2c3d"}

    def resolve(value: Any) -> Any:
        if isinstance(value, list):
            return [resolve(inner) for inner in value]
        if not isinstance(value, dict):
            return value
        if set(value) == {"Fn::ImportValue"}:
            return next(known for word, known in values.items() if word in value["Fn::ImportValue"])
        return {name: resolve(inner) for name, inner in value.items()}

    parameters = {name: one for name, one in template["Parameters"].items() if name != "BootstrapVersion"}
    resolved: dict[str, Any] = resolve({**template, "Parameters": parameters})
    resolved.pop("Rules", None)
    return resolved


@pytest.fixture
def site(client: Client, account: str, tmp_path: Path, serving: Serving, monkeypatch: pytest.MonkeyPatch) -> Site:
    made = Site(client, account, tmp_path, serving, monkeypatch)
    where = {"LocationConstraint": "eu-west-1"}
    client("s3").create_bucket(Bucket=made.bucket, CreateBucketConfiguration=where)
    client("sns").create_topic(Name=f"{PREFIX}-notices")
    client("sagemaker").create_model_package_group(ModelPackageGroupName=GROUP)
    made.shadow("none")
    return made


@pytest.fixture
def version(site: Site) -> Version:
    return site.serving.register()


@pytest.fixture
def close(version: Version) -> Close:
    """Whether answers to the version's own rows are the trainer's."""

    def check(found: list[float]) -> bool:
        pairs = zip(found, version.probabilities, strict=True)
        return max(abs(ours - theirs) for ours, theirs in pairs) <= 1e-6

    return check
