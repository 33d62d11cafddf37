"""An account with a versioned source, an artifact store and build projects, for tests of CodePipeline's engine."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from embedded import Client

ENDED = {"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"}
CATEGORIES = {"S3": "Source", "CodeStarSourceConnection": "Source", "CodeBuild": "Build", "Manual": "Approval"}
SECONDS = 60
PLACE = {"LocationConstraint": "eu-west-1"}

Json = dict[str, Any]


def until(look: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    """What is seen once it holds; a test that waits in vain fails with what it saw last."""
    end = time.monotonic() + SECONDS
    while not holds(found := look()):
        assert time.monotonic() < end, f"waited in vain, seen last: {found}"
        time.sleep(0.05)
    return found


def action(name: str, provider: str, *, takes: str = "", makes: str = "", **more: Any) -> Json:
    """An action of a pipeline; artifacts are words in a text."""
    kind = {"category": CATEGORIES.get(provider, "Deploy"), "owner": "AWS", "provider": provider, "version": "1"}
    artifacts = {
        "inputArtifacts": [{"name": each} for each in takes.split()],
        "outputArtifacts": [{"name": each} for each in makes.split()],
    }
    return {"name": name, "actionTypeId": kind, **artifacts, **more}


def build(name: str, project: str, *, takes: str = "Source", primary: str = "", **more: Any) -> Json:
    """A build that may take and make artifacts; `variables` are those it is given."""
    given = [{"name": key, "value": value} for key, value in more.pop("variables", {}).items()]
    settings = {"ProjectName": project, "EnvironmentVariables": json.dumps(given)}
    settings |= {"PrimarySource": primary} if primary else {}
    return action(name, "CodeBuild", takes=takes, configuration=settings, **more)


def stage(name: str, *actions: Json, **more: Any) -> Json:
    return {"name": name, "actions": list(actions), **more}


def spec(*commands: str, **more: Any) -> str:
    return json.dumps({"version": 0.2, "phases": {"build": {"commands": list(commands)}}, **more})


def zipped(files: Mapping[str, str], at: tuple[int, ...] = (2020, 5, 17, 12, 30, 40)) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, (at[0], at[1], at[2], at[3], at[4], at[5])), text)
    return packed.getvalue()


@dataclass(frozen=True)
class Delivery:
    """The account, and the one pipeline in it."""

    client: Client
    account: str
    role: str

    @property
    def pipelines(self) -> Any:
        return self.client("codepipeline")

    @property
    def store(self) -> str:
        return f"store-{self.account}"

    def push(self, files: Mapping[str, str] | None = None, key: str = "source.zip") -> str:
        """Put a source; returns its version."""
        put = self.client("s3").put_object(
            Bucket=f"source-{self.account}", Key=key, Body=zipped(files or {"hello.txt": "hello\n"})
        )
        return str(put["VersionId"])

    def project(self, name: str, said: str, **source: str) -> None:
        self.client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": said, **source},
            artifacts={"type": "CODEPIPELINE"},
            serviceRole=self.role,
            environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
            logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": name}},
        )

    def source(self, name: str = "Fetch", makes: str = "Source", **more: Any) -> Json:
        settings = {"S3Bucket": f"source-{self.account}", "S3ObjectKey": "source.zip"}
        return action(name, "S3", makes=makes, configuration=settings | more.pop("configuration", {}), **more)

    def described(self, *stages: Json, source: Json | None = None, **more: Any) -> Json:
        """A pipeline that takes the source, then goes through these stages."""
        return {
            "name": "line",
            "roleArn": self.role,
            "artifactStore": {"type": "S3", "location": self.store},
            "pipelineType": "V2",
            "executionMode": "QUEUED",
            "stages": [stage("Source", source or self.source()), *stages],
            **more,
        }

    def declare(self, *stages: Json, **more: Any) -> None:
        self.pipelines.create_pipeline(pipeline=self.described(*stages, **more))

    def update(self, *stages: Json, **more: Any) -> int:
        """The version that it then has."""
        return int(self.pipelines.update_pipeline(pipeline=self.described(*stages, **more))["pipeline"]["version"])

    def start(self, **more: Any) -> str:
        return str(self.pipelines.start_pipeline_execution(name="line", **more)["pipelineExecutionId"])

    def look(self, execution: str) -> Json:
        named = {"pipelineName": "line", "pipelineExecutionId": execution}
        found: Json = self.pipelines.get_pipeline_execution(**named)["pipelineExecution"]
        return found

    def ended(self, execution: str) -> str:
        return str(until(lambda: self.look(execution), lambda found: found["status"] in ENDED)["status"])

    def run(self, **more: Any) -> tuple[str, str]:
        """Start and see how it ends, and why."""
        execution = self.start(**more)
        return self.ended(execution), self.look(execution).get("statusSummary", "")

    def executions(self, **filtered: Any) -> list[Json]:
        """The newest first."""
        found: list[Json] = self.pipelines.list_pipeline_executions(pipelineName="line", **filtered)[
            "pipelineExecutionSummaries"
        ]
        return found

    def actions(self, execution: str) -> list[Json]:
        """The oldest first."""
        chosen = {"filter": {"pipelineExecutionId": execution}}
        found = self.pipelines.list_action_executions(pipelineName="line", **chosen)["actionExecutionDetails"]
        return list(reversed(found))

    def acted(self, execution: str) -> list[tuple[str, str]]:
        return [(each["actionName"], each["status"]) for each in self.actions(execution)]

    def state(self, name: str) -> Json:
        stages: list[Json] = self.pipelines.get_pipeline_state(name="line")["stageStates"]
        return next(each for each in stages if each["stageName"] == name)

    def asked(self, name: str = "Ask") -> str:
        """The token of the approval that waits in that stage."""

        def waiting() -> str:
            found = [one.get("latestExecution", {}) for one in self.state(name)["actionStates"]]
            return next((one["token"] for one in found if "token" in one), "")

        return str(until(waiting, bool))

    def approve(self, name: str = "Ask", status: str = "Approved") -> None:
        """Answer the approval that waits in that stage, as soon as it does."""
        self.pipelines.put_approval_result(
            pipelineName="line",
            stageName=name,
            actionName=name,
            result={"status": status, "summary": "seen"},
            token=self.asked(name),
        )

    def retry(self, execution: str, name: str, mode: str = "FAILED_ACTIONS") -> str:
        given = {"pipelineName": "line", "stageName": name, "pipelineExecutionId": execution, "retryMode": mode}
        return str(self.pipelines.retry_stage_execution(**given)["pipelineExecutionId"])

    def go_back(self, name: str, execution: str) -> str:
        given = {"pipelineName": "line", "stageName": name, "targetPipelineExecutionId": execution}
        return str(self.pipelines.rollback_stage(**given)["pipelineExecutionId"])

    def said(self, project: str) -> list[str]:
        """By all builds of a project, the oldest first."""
        return [event["message"] for event in self.client("logs").filter_log_events(logGroupName=project)["events"]]

    def left(self, artifact: str) -> Any:
        """The newest artifact of that name in the store, as an archive."""
        s3 = self.client("s3")
        found = s3.list_objects_v2(Bucket=self.store, Prefix=f"line/{artifact}/")["Contents"]
        newest = max(found, key=lambda each: each["LastModified"])["Key"]
        return zipfile.ZipFile(io.BytesIO(s3.get_object(Bucket=self.store, Key=newest)["Body"].read()))


def ask(name: str = "Ask") -> Json:
    """A stage that waits for a person."""
    return stage(name, action(name, "Manual"))


@pytest.fixture
def delivery(client: Client, account: str) -> Delivery:
    s3 = client("s3")
    for name in ("source", "store"):
        s3.create_bucket(Bucket=f"{name}-{account}", CreateBucketConfiguration=PLACE)
    s3.put_bucket_versioning(Bucket=f"source-{account}", VersioningConfiguration={"Status": "Enabled"})
    role = client("iam").create_role(RoleName="line", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    made = Delivery(client, account, role)
    made.push()
    return made
