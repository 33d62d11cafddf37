"""CodeBuild's engine: a build really runs its specification, as its role, and says how it ended."""

from __future__ import annotations

import io
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from rehearsal import builds
from rehearsal.api import Caller
from rehearsal.build_machine import Machine
from rehearsal.build_run import Build
from rehearsal.resources import Place

if TYPE_CHECKING:
    from embedded import Client

ENDED = {"SUCCEEDED", "FAILED", "STOPPED", "TIMED_OUT"}


@dataclass(frozen=True)
class Yard:
    """An account with a source in S3 and projects that build it."""

    client: Client
    bucket: str
    role: str

    def project(self, spec: dict[str, Any], name: str = "one", **more: Any) -> None:
        environment = {"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"}
        self.client("codebuild").create_project(
            name=name,
            source={"type": "S3", "location": f"{self.bucket}/source.zip", "buildspec": json.dumps(spec)},
            artifacts={"type": "NO_ARTIFACTS"},
            serviceRole=self.role,
            environment={**environment, **more.pop("environment", {})},
            **more,
        )

    def start(self, name: str = "one", **request: Any) -> str:
        return str(self.client("codebuild").start_build(projectName=name, **request)["build"]["id"])

    def look(self, build: str) -> dict[str, Any]:
        found: dict[str, Any] = self.client("codebuild").batch_get_builds(ids=[build])["builds"][0]
        return found

    def ended(self, build: str) -> dict[str, Any]:
        while (found := self.look(build))["buildStatus"] not in ENDED:
            time.sleep(0.02)
        return found

    def said(self, build: dict[str, Any]) -> list[str]:
        where = build["logs"]
        found = self.client("logs").get_log_events(
            logGroupName=where["groupName"], logStreamName=where["streamName"], startFromHead=True
        )
        return [event["message"] for event in found["events"]]

    def run(self, *commands: str, **more: Any) -> tuple[str, list[str]]:
        self.project(phased(build=commands), **more)
        found = self.ended(self.start())
        return found["buildStatus"], self.said(found)


def phased(**phases: Any) -> dict[str, Any]:
    return {"version": 0.2, "phases": {name: {"commands": list(commands)} for name, commands in phases.items()}}


@pytest.fixture
def yard(client: Client, account: str) -> Yard:
    bucket = f"source-{account}"
    client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hello.txt", "hello")
        archive.writestr("other.yml", json.dumps(phased(build=["echo of the file"])))
    client("s3").put_object(Bucket=bucket, Key="source.zip", Body=packed.getvalue())
    role = client("iam").create_role(RoleName="builder", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    return Yard(client, bucket, role)


def test_a_build_runs_in_a_clean_copy_of_its_source(yard: Yard) -> None:
    status, said = yard.run("ls", "cat hello.txt", "echo changed > hello.txt")
    again = yard.ended(yard.start())

    assert (status, said) == ("SUCCEEDED", ["hello.txt", "other.yml", "hello"])
    assert yard.said(again) == said


def test_a_build_acts_as_its_role_and_has_the_variables_it_was_given(yard: Yard) -> None:
    who = 'python -c \'import boto3; print(boto3.client("sts").get_caller_identity()["Arn"])\''
    variables = [{"name": name, "value": f"project's {name}"} for name in ("A", "B")]
    yard.project(
        {**phased(build=[who, 'echo "$A, $B, $C"']), "env": {"variables": {"A": "spec's A", "C": "spec's C"}}},
        environment={"environmentVariables": variables},
    )

    found = yard.ended(yard.start(environmentVariablesOverride=[{"name": "B", "value": "caller's B"}]))

    arn, values = yard.said(found)
    assert ":assumed-role/builder/" in arn
    assert values == "project's A, caller's B, spec's C"


def test_a_build_announces_how_it_goes_on(yard: Yard, client: Client, account: str) -> None:
    queue = client("sqs").create_queue(QueueName="heard")["QueueUrl"]
    client("events").put_rule(Name="all", EventPattern=json.dumps({"source": ["aws.codebuild"]}))
    client("events").put_targets(Rule="all", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:eu-west-1:{account}:heard"}])
    yard.project(phased(build=["exit 1"]))
    found = yard.ended(yard.start())

    told: list[dict[str, Any]] = []
    while len(told) < 2:
        got = client("sqs").receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])
        told += [json.loads(message["Body"]) for message in got]

    assert {event["detail-type"] for event in told} == {"CodeBuild Build State Change"}
    assert [event["detail"]["build-status"] for event in told] == ["IN_PROGRESS", "FAILED"]
    assert {(event["detail"]["project-name"], event["detail"]["build-id"]) for event in told} == {("one", found["arn"])}


def test_a_phase_that_fails_ends_the_build_with_its_exit_code(yard: Yard) -> None:
    yard.project(
        phased(pre_build=["echo before", "exit 7", "echo after"], build=["echo never"], post_build=["echo no"])
    )

    found = yard.ended(yard.start())

    assert found["buildStatus"] == "FAILED"
    assert yard.said(found) == ["before", "phase pre_build ended with exit code 7"]
    failed = found["phases"][-1]
    assert (failed["phaseType"], failed["phaseStatus"]) == ("PRE_BUILD", "FAILED")
    assert failed["contexts"][0]["message"] == "phase pre_build ended with exit code 7"


def test_after_a_build_that_failed_post_build_still_runs_and_mends_nothing(yard: Yard) -> None:
    yard.project(phased(build=["exit 3"], post_build=["echo succeeding: $CODEBUILD_BUILD_SUCCEEDING"]))

    found = yard.ended(yard.start())

    assert found["buildStatus"] == "FAILED"
    assert yard.said(found)[-1] == "succeeding: 0"


def test_a_build_that_is_stopped_ends(yard: Yard) -> None:
    yard.project(phased(build=["echo begun", "sleep 60", "echo never"]))
    build = yard.start()
    while yard.look(build).get("currentPhase") != "BUILD":
        time.sleep(0.02)

    yard.client("codebuild").stop_build(id=build)

    found = yard.ended(build)
    assert found["buildStatus"] == "STOPPED"
    assert "never" not in yard.said(found)


def test_a_build_that_takes_too_long_is_ended_and_says_so(tmp_path: Path) -> None:
    """The least time a project may give is minutes, so the engine itself is given none."""
    source = {"type": "S3", "location": "b/k", "buildspec": json.dumps(phased(build=["sleep 60"]))}
    described = {"source": source, "serviceRole": "r", "timeoutInMinutes": 0.001, "phases": [], "projectName": "p"}
    told = {"id": "p:1", "arn": "a", "buildNumber": 1, "initiator": "me", "logs": {"groupName": "g", "streamName": "s"}}
    packed = io.BytesIO()
    zipfile.ZipFile(packed, "w").close()

    class Client(Mock):
        class exceptions:  # noqa: N801 boto3's name
            ResourceAlreadyExistsException = KeyError

        def get_object(self, **_: str) -> dict[str, Any]:
            return {"Body": io.BytesIO(packed.getvalue())}

    made_of = lambda _: Client()  # noqa: E731
    place = Place("1", "eu-west-1", made_of, lambda _: made_of)
    engine = builds.Builds(lambda _: place, lambda _role, _region: {}, tmp_path, Machine(Path("/usr")))
    build = Build({**described, **told, "environment": {"environmentVariables": []}}, {})

    engine._build(Caller("1", "eu-west-1"), build)

    assert (build.described["buildStatus"], list(tmp_path.iterdir())) == ("TIMED_OUT", [])


def test_builds_of_a_project_are_numbered_and_listed_the_newest_first(yard: Yard) -> None:
    yard.project(phased(build=["true"]))
    yard.project(phased(build=["true"]), name="two")
    builds = [yard.start(), yard.start("two"), yard.start()]
    numbers = [yard.ended(build)["buildNumber"] for build in builds]
    codebuild = yard.client("codebuild")

    assert numbers == [1, 1, 2]
    assert codebuild.list_builds()["ids"] == builds[::-1]
    assert codebuild.list_builds_for_project(projectName="one", sortOrder="ASCENDING")["ids"] == [builds[0], builds[2]]


def test_a_specification_may_be_a_file_of_the_source(yard: Yard) -> None:
    yard.project(phased(build=["echo of the project"]))

    assert yard.said(yard.ended(yard.start(buildspecOverride="other.yml"))) == ["of the file"]


def test_a_build_that_needs_docker_runs_no_command_and_says_so(yard: Yard) -> None:
    status, said = yard.run("docker build .", environment={"privilegedMode": True})

    assert (status, said) == (
        "SUCCEEDED",
        ["There is no Docker daemon in the embedded AWS: no command of this build is run."],
    )


@pytest.mark.parametrize(
    ("spec", "unknown"),
    [
        ({"version": 0.2, "reports": {}, "phases": {}}, "reports"),
        ({"version": 0.2, "artifacts": {"files": "*", "discard-paths": True}, "phases": {}}, "artifacts/discard-paths"),
        ({"version": 0.2, "env": {"secrets-manager": {}}, "phases": {}}, "env/secrets-manager"),
        ({"version": 0.2, "phases": {"build": {"commands": ["true"], "finally": ["true"]}}}, "build/finally"),
    ],
)
def test_what_a_specification_asks_for_in_vain_fails_the_build(yard: Yard, spec: dict[str, Any], unknown: str) -> None:
    yard.project(spec)

    found = yard.ended(yard.start())

    assert found["buildStatus"] == "FAILED"
    (line,) = yard.said(found)
    assert f"does not carry out {unknown} of a build specification" in line


def test_variables_from_elsewhere_are_refused(yard: Yard) -> None:
    yard.project(phased(build=["true"]))

    with pytest.raises(ClientError, match="of type PLAINTEXT only, not SECRETS_MANAGER"):
        yard.start(environmentVariablesOverride=[{"name": "A", "value": "b", "type": "SECRETS_MANAGER"}])


def test_a_project_that_is_changed_builds_what_it_says_now(yard: Yard) -> None:
    variables = [{"name": "A", "value": "kept"}]
    yard.project(phased(build=["echo before"]), environment={"environmentVariables": variables})
    codebuild, source = yard.client("codebuild"), {"type": "S3", "location": f"{yard.bucket}/source.zip"}

    codebuild.update_project(
        name="one", source={**source, "buildspec": json.dumps(phased(build=["echo after, $A"]))}, timeoutInMinutes=7
    )

    found = yard.ended(yard.start())
    assert (yard.said(found), found["timeoutInMinutes"]) == (["after, kept"], 7)
    with pytest.raises(ClientError, match="Project cannot be found: two"):
        codebuild.update_project(name="two", timeoutInMinutes=7)


def test_a_source_that_is_not_there_fails_the_build(yard: Yard) -> None:
    yard.project(phased(build=["true"]))

    found = yard.ended(yard.start(sourceLocationOverride=f"{yard.bucket}/nothing.zip"))

    assert found["buildStatus"] == "FAILED"
    assert "NoSuchKey" in yard.said(found)[0]


def test_long_logs_are_kept_whole(yard: Yard) -> None:
    status, _ = yard.run("for i in $(seq 1200); do echo $i; done")

    pages = yard.client("logs").get_paginator("filter_log_events").paginate(logGroupName="/aws/codebuild/one")
    assert status == "SUCCEEDED"
    assert sum(len(page["events"]) for page in pages) == 1200
