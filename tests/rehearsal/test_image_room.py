"""The images' build: a deployment of another content starts it, and nothing that is there is built again."""

from __future__ import annotations

import io
import json
import re
import subprocess
import time
import uuid
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from serving_modes import environment, resources, synthesize

from stacks import content
from stacks.config import ROOT
from stacks.settings import Environment

if TYPE_CHECKING:
    from embedded import Client

STACK = "Image"
ENDED = {"SUCCEEDED", "FAILED"}


class ImageRoom:
    """The real room of the images, deployed alone, and what its builds have pushed."""

    def __init__(self, client: Client, account: str, folder: Path) -> None:
        self.client, self.account, self.folder = client, account, folder
        self.key = client("kms").create_key()["KeyMetadata"]["Arn"]
        self.bucket = f"cdk-hnb659fds-assets-{account}-eu-west-1"
        client("s3").create_bucket(Bucket=self.bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def deploy(self, **image: Any) -> str:
        """Make or update the stack, with other settings of its images; returns the tag that its content has."""
        table = {**environment("realtime").model_dump(), "account": self.account}
        made = Environment.model_validate({**table, "image": {**table["image"], **image}})
        template = synthesize(self.folder / uuid.uuid4().hex, made)["Image"]
        (project,) = resources(template, "AWS::CodeBuild::Project")
        self.client("s3").put_object(Bucket=self.bucket, Key=project["Source"]["Location"].split("/")[1], Body=_zip())
        template["Parameters"].pop("BootstrapVersion")
        template.pop("Rules", None)
        body = re.sub(r'\{"Fn::ImportValue": "[^"]*Key[^"]*"\}', json.dumps(self.key), json.dumps(template))
        self._apply(body)
        variables = {v["Name"]: v["Value"] for v in project["Environment"]["EnvironmentVariables"]}
        return str(variables["IMAGE_URI"].split(":")[1])

    def _apply(self, body: str) -> None:
        cloudformation = self.client("cloudformation")
        apply = cloudformation.update_stack if self._status() else cloudformation.create_stack
        apply(StackName=STACK, TemplateBody=body)
        while (status := self._status()).endswith("_IN_PROGRESS"):
            time.sleep(0.02)
        assert status in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}, self._failures()

    def _status(self) -> str:
        try:
            return str(self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]["StackStatus"])
        except ClientError:
            return ""

    def _failures(self) -> list[str]:
        events = self.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
        return [e["ResourceStatusReason"] for e in events if e["ResourceStatus"].endswith("FAILED")]

    def builds(self, count: int) -> list[dict[str, Any]]:
        """The builds, the oldest first, as soon as so many have ended; nobody but a deployment starts one."""
        codebuild, end = self.client("codebuild"), time.monotonic() + 60
        while time.monotonic() < end:
            ids = codebuild.list_builds(sortOrder="ASCENDING")["ids"]
            found: list[dict[str, Any]] = codebuild.batch_get_builds(ids=ids)["builds"] if ids else []
            if len(found) >= count and all(build["buildStatus"] in ENDED for build in found):
                return found
            time.sleep(0.02)
        raise AssertionError(f"there are not {count} builds")

    def said(self, build: dict[str, Any]) -> list[str]:
        where = build["logs"]
        found = self.client("logs").get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True
        )
        return [event["message"] for event in found["events"]]

    def images(self) -> dict[str, str]:
        """Digests by tag."""
        found = self.client("ecr").describe_images(repositoryName="slipway-dev-job")["imageDetails"]
        return {tag: image["imageDigest"] for image in found for tag in image["imageTags"]}


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("pipeline_code/build_image.sh", "")
    return packed.getvalue()


@pytest.fixture
def room(client: Client, account: str, tmp_path: Path) -> ImageRoom:
    return ImageRoom(client, account, tmp_path)


@pytest.mark.long
def test_a_deployment_of_another_content_builds_it_and_any_other_builds_nothing(room: ImageRoom) -> None:
    first = room.deploy()
    (build,) = room.builds(1)
    before = room.images()
    assert build["buildStatus"] == "SUCCEEDED"
    assert set(before) == {first, f"{first}-serve"}

    changed = room.deploy(base_image="public.ecr.aws/docker/library/python:3.12-slim-bookworm")
    room.builds(2)
    after = room.images()
    assert changed != first
    assert set(after) == {first, f"{first}-serve", changed, f"{changed}-serve"}
    assert {tag: after[tag] for tag in before} == before

    again = room.deploy(
        base_image="public.ecr.aws/docker/library/python:3.12-slim-bookworm", build_log_retention_days=30
    )
    *_, idle = room.builds(3)
    assert (again, idle["buildStatus"], room.images()) == (changed, "SUCCEEDED", after)
    assert [line.split(":")[-1] for line in room.said(idle)[1:]] == [f"{changed} exists", f"{changed}-serve exists"]


IMAGE = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/job"


@dataclass(frozen=True)
class Machine:
    """Where the build runs: `aws` knows what was pushed, and `docker` writes down what it is asked for."""

    folder: Path

    def build(self, tag: str) -> list[str]:
        """What docker was asked for by one build."""
        work = self.folder / "work"
        work.write_text("")
        variables = {"IMAGE_URI": f"{IMAGE}:{tag}", "SERVE_IMAGE_URI": f"{IMAGE}:{tag}-serve", "BASE_IMAGE": "base"}
        subprocess.run(
            ["/bin/sh", "pipeline_code/build_image.sh"],
            cwd=ROOT,
            env={"PATH": f"{self.folder}:/usr/bin:/bin", "HERE": str(self.folder), **variables},
            check=True,
            capture_output=True,
        )
        return work.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    last = "for last; do :; done"
    there = 'grep -q -x -- "${last#imageTag=}" "$HERE/pushed"'
    pushed = '[ "$1" != push ] || echo "${2##*:}" >> "$HERE/pushed"'
    tools = {
        "aws": f'{last}; case "$2" in get-login-password) echo secret;; *) {there};; esac',
        "docker": f'{last}; echo "$1 $last" >> "$HERE/work"; {pushed}',
    }
    (tmp_path / "pushed").write_text("")
    for name, does in tools.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{does}\n")
        (tmp_path / name).chmod(0o755)
    return Machine(tmp_path)


def test_the_builds_own_script_builds_what_is_not_there_and_nothing_twice(machine: Machine) -> None:
    first, again, other = machine.build("one"), machine.build("one"), machine.build("two")

    assert [line for line in first if line.startswith("push")] == [f"push {IMAGE}:one", f"push {IMAGE}:one-serve"]
    assert again == []
    assert [line for line in other if line.startswith("push")] == [f"push {IMAGE}:two", f"push {IMAGE}:two-serve"]
    assert [line.split()[0] for line in first] == ["login", "build", "push"] * 2


def test_any_change_of_the_source_is_another_content(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content, "ROOT", tmp_path)
    code = tmp_path / "code"
    code.mkdir()
    (code / "a.py").write_text("one")

    def told() -> str:
        return content.content_hash(["code"], "base")

    first = told()
    (code / "__pycache__").mkdir()
    (code / "__pycache__" / "a.pyc").write_text("bytecode")
    assert told() == first
    (code / "a.py").write_text("two")
    changed = told()
    (code / "a.py").rename(code / "b.py")

    assert len({first, changed, told(), content.content_hash(["code"], "another base")}) == 4
