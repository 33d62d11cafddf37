"""The platform in another style of promotion: as if environments/ said so, and as a fork that is deployed for real."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import time
import tomllib
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from operations.journal import BEGAN, Entry, Journal
from rehearsal.cdk import Cdk
from rehearsal.embedded import EmbeddedAws
from rehearsal.fork import fork
from stacks.config import ROOT, TRAINS, Config, load
from stacks.names import Names
from stacks.settings import Environment

T = TypeVar("T")

MODEL = "flight_delay"
SECONDS = 120
CONTENT_TYPES = ["text/csv", "application/json", "application/jsonlines"]
DEV: dict[str, Any] = tomllib.loads((ROOT / "environments/dev.toml").read_text())
TRAINING = {section: DEV[section] for section in TRAINS}
"""What an environment needs to train for itself."""


def styled(style: str) -> Config:
    """The configuration with a style of promotion, and what goes with it."""
    config = load()
    if style != "code":
        return config.model_copy(update={"platform": config.platform.model_copy(update={"promote": style})})
    platform = config.platform.model_copy(update={"promote": style, "registry": None})
    environments = tuple(
        Environment.model_validate({**config.environment("dev").model_dump(include=set(TRAINS)), **each})
        for each in (environment.model_dump(exclude_none=True) for environment in config.environments)
    )
    return Config(platform=platform, environments=environments)


@dataclass(frozen=True)
class Promoted:
    """A fork of the platform, deployed to the embedded AWS."""

    aws: EmbeddedAws
    root: Path
    names: dict[str, Names]

    def client(self, who: str, service: str) -> Any:
        return self.aws.client(service, self.names[who].account, self.names[who].region)

    def slipway(self, who: str, *words: str) -> subprocess.CompletedProcess[str]:
        """A command of the fork, with the keys of an environment's account."""
        environment = self.aws.environment(self.names[who].account, self.names[who].region)
        command = [sys.executable, "cli.py", *words]
        return subprocess.run(command, cwd=self.root, env=environment, capture_output=True, text=True, check=False)

    def deploy(self, who: str) -> None:
        names = self.names[who]
        cdk = Cdk(self.root, self.root, self.aws.environment(names.account, names.region), self.root / f"{who}.log")
        how = ["--require-approval", "never", "--method", "direct", "--concurrency", "4"]
        cdk.run("deploy", *how, f"{names.prefix}/*")

    def register(self, who: str, archive: Path) -> str:
        """A version as the pipeline registers it, without the run: artifact, record and package."""
        names, execution = self.names[who], uuid.uuid4().hex[:12]
        body, key = archive.read_bytes(), f"runs/{MODEL}/{execution}/package/model.tar.gz"
        self.client(who, "s3").put_object(Bucket=names.runs_bucket, Key=key, Body=body)
        artifact = {"uri": f"s3://{names.runs_bucket}/{key}", "sha256": hashlib.sha256(body).hexdigest()}
        told = {"artifact": artifact, **self.image(who), "execution": execution}
        record = self._record(names, f"{MODEL}/{execution}/provenance.json", told)
        arn = f"arn:aws:sagemaker:{names.region}:{names.account}:pipeline/{names.pipeline(MODEL)}/execution/{execution}"
        made = self.client(who, "sagemaker").create_model_package(
            ModelPackageGroupName=names.model_package_group(MODEL),
            ModelPackageDescription=f"{MODEL}, trained for 2013-04",
            ModelApprovalStatus="PendingManualApproval",
            ModelLifeCycle={"Stage": "Development", "StageStatus": "Passed"},
            InferenceSpecification={
                "Containers": [{"Image": told["serve_image_uri"], "ModelDataUrl": artifact["uri"]}],
                "SupportedContentTypes": CONTENT_TYPES,
                "SupportedResponseMIMETypes": CONTENT_TYPES,
            },
            MetadataProperties={"GeneratedBy": arn},
            CustomerMetadataProperties={
                "author": "owner@example.com",
                "model_sha256": artifact["sha256"],
                "provenance": record,
            },
        )
        return str(made["ModelPackageArn"])

    def image(self, who: str) -> dict[str, str]:
        """The server's image as an environment's build has made it."""
        names = self.names[who]

        def built() -> list[dict[str, Any]]:
            found = self.client(who, "ecr").describe_images(repositoryName=names.repository)["imageDetails"]
            return [each for each in found if each["imageTags"][0].endswith("-serve")]

        (serves,) = waited_for(built)
        host = f"{names.account}.dkr.ecr.{names.region}.amazonaws.com"
        uri = f"{host}/{names.repository}:{serves['imageTags'][0]}"
        return {"serve_image_uri": uri, "serve_image_digest": serves["imageDigest"]}

    def _record(self, names: Names, key: str, told: dict[str, Any]) -> str:
        """Only a record step may write it; the administrator that a test is opens the bucket for a moment."""
        s3, bucket = self.client(names.environment, "s3"), names.provenance_bucket
        policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
        s3.delete_bucket_policy(Bucket=bucket)
        s3.put_object(Bucket=bucket, Key=key, Body=json.dumps(told).encode())
        s3.put_bucket_policy(Bucket=bucket, Policy=policy)
        return f"s3://{bucket}/{key}"

    def approve(self, who: str, version: str, stage: str) -> None:
        self.client(who, "sagemaker").update_model_package(
            ModelPackageArn=version,
            ModelLifeCycle={"Stage": stage, "StageStatus": "Approved"},
            ModelApprovalStatus="Approved",
        )

    def entries(self, who: str) -> list[Entry]:
        return Journal(self.client(who, "dynamodb"), self.names[who].releases, MODEL).entries()

    def released(self, who: str, number: int) -> Entry:
        """The release of that number in the environment's journal, when it has ended."""
        return waited_for(lambda: [e for e in self.entries(who) if e.number == number and e.outcome != BEGAN])[0]

    def champion(self, who: str) -> dict[str, Any]:
        key = {"Bucket": self.names[who].runs_bucket, "Key": f"champion/{MODEL}/champion.json"}
        found: dict[str, Any] = json.loads(self.client(who, "s3").get_object(**key)["Body"].read())
        return found


def waited_for(found: Callable[[], list[T]]) -> list[T]:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if seen := found():
            return seen
        time.sleep(0.1)
    raise AssertionError("it never came")


@contextmanager
def promoted(folder: Path, platform: dict[str, Any], environments: dict[str, dict[str, Any]]) -> Iterator[Promoted]:
    """A fork with these files, deployed in their order."""
    files = {"platform.toml": platform, **{f"{name}.toml": told for name, told in environments.items()}}
    root = fork(ROOT, folder / "fork", files)
    config = load(root / "environments")
    names = {name: Names.of(config.platform, config.environment(name)) for name in environments}
    with EmbeddedAws(folder / "aws", ROOT / ".venv-job/bin/python") as aws:
        made = Promoted(aws, root, names)
        _bootstrap(made, folder, list(names.values()))
        for name in environments:
            made.deploy(name)
        yield made


def _bootstrap(made: Promoted, folder: Path, places: Sequence[Names]) -> None:
    for names in places:
        cdk = Cdk(made.root, folder, made.aws.environment(names.account, names.region), folder / "bootstrap.log")
        cdk.run("bootstrap", f"aws://{names.account}/{names.region}")
