"""CodePipeline's engine: executions run their stages with their variables, in parallel or in turn."""

from __future__ import annotations

import io
import json
import threading
import time
import zipfile
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from embedded import Client

ENDED = {"Succeeded", "Failed", "Stopped", "Superseded"}
SAYS = {"version": 0.2, "phases": {"build": {"commands": ['echo "$WORD"', "cat hello.txt", "exit ${CODE:-0}"]}}}
HOLDS = {"version": 0.2, "phases": {"build": {"commands": ["sleep 0.6"]}}}


def action(name: str, provider: str, **more: Any) -> dict[str, Any]:
    category = {"S3": "Source", "CodeBuild": "Build", "Manual": "Approval"}.get(provider, "Deploy")
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": kind, **more}


@dataclass(frozen=True)
class Line:
    """An account with a versioned source, an artifact store, projects, and one pipeline."""

    client: Client
    account: str
    role: str

    @property
    def pipelines(self) -> Any:
        return self.client("codepipeline")

    def source(self) -> dict[str, Any]:
        settings = {"S3Bucket": f"source-{self.account}", "S3ObjectKey": "source.zip"}
        return action("Fetch", "S3", configuration=settings, outputArtifacts=[{"name": "Source"}])

    def build(self, name: str = "Build", project: str = "says", **variables: str) -> dict[str, Any]:
        given = json.dumps([{"name": key, "value": value, "type": "PLAINTEXT"} for key, value in variables.items()])
        settings = {"ProjectName": project, "EnvironmentVariables": given}
        return action(name, "CodeBuild", configuration=settings, inputArtifacts=[{"name": "Source"}])

    def declare(self, *actions: dict[str, Any], mode: str = "PARALLEL", variables: tuple[str, ...] = ()) -> None:
        """A pipeline that takes the source, then does these actions, a stage each."""
        stages = [{"name": "Source", "actions": [self.source()]}]
        stages += [{"name": f"Stage{each['name']}", "actions": [each]} for each in actions]
        store = {"type": "S3", "location": f"store-{self.account}", "encryptionKey": {"id": self.key, "type": "KMS"}}
        self.pipelines.create_pipeline(
            pipeline={
                "name": "line",
                "roleArn": self.role,
                "artifactStore": store,
                "pipelineType": "V2",
                "executionMode": mode,
                "variables": [{"name": name} for name in variables],
                "stages": stages,
            }
        )

    @property
    def key(self) -> str:
        return f"arn:aws:kms:eu-west-1:{self.account}:key/11111111-1111-1111-1111-111111111111"

    def start(self, token: str = "", **variables: str) -> str:
        given = [{"name": name, "value": value} for name, value in variables.items()]
        more: dict[str, Any] = {"clientRequestToken": token} if token else {}
        more |= {"variables": given} if given else {}
        return str(self.pipelines.start_pipeline_execution(name="line", **more)["pipelineExecutionId"])

    def look(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.pipelines.get_pipeline_execution(
            pipelineName="line", pipelineExecutionId=execution
        )["pipelineExecution"]
        return found

    def ended(self, execution: str) -> str:
        return str(until(lambda: self.look(execution), lambda found: found["status"] in ENDED)["status"])

    def actions(self, execution: str | None = None) -> list[dict[str, Any]]:
        chosen = {"filter": {"pipelineExecutionId": execution}} if execution else {}
        found = self.pipelines.list_action_executions(pipelineName="line", **chosen)["actionExecutionDetails"]
        return [{**each, "span": (each["startTime"], each.get("lastUpdateTime"))} for each in found]

    def asked(self) -> dict[str, Any]:
        """The approval that waits, as the pipeline's state shows it."""

        def waiting() -> Any:
            states = self.pipelines.get_pipeline_state(name="line")["stageStates"]
            found = [one.get("latestExecution", {}) for stage in states for one in stage["actionStates"]]
            return next((one for one in found if "token" in one), None)

        found: dict[str, Any] = until(waiting, bool)
        return found

    def answer(self, token: str, status: str) -> None:
        self.pipelines.put_approval_result(
            pipelineName="line",
            stageName="StageAsk",
            actionName="Ask",
            result={"status": status, "summary": "seen"},
            token=token,
        )

    def said(self) -> list[str]:
        return [event["message"] for event in self.client("logs").filter_log_events(logGroupName="said")["events"]]


def until(look: Callable[[], Any], holds: Callable[[Any], Any]) -> Any:
    while not holds(found := look()):
        time.sleep(0.02)
    return found


@pytest.fixture
def line(client: Client, account: str) -> Line:
    for name in ("source", "store"):
        place = {"LocationConstraint": "eu-west-1"}
        client("s3").create_bucket(Bucket=f"{name}-{account}", CreateBucketConfiguration=place)
    client("s3").put_bucket_versioning(Bucket=f"source-{account}", VersioningConfiguration={"Status": "Enabled"})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("hello.txt", "hello\n")
    client("s3").put_object(Bucket=f"source-{account}", Key="source.zip", Body=packed.getvalue())
    role = client("iam").create_role(RoleName="line", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    for name, spec in (("says", SAYS), ("holds", HOLDS)):
        client("codebuild").create_project(
            name=name,
            source={"type": "CODEPIPELINE", "buildspec": json.dumps(spec)},
            artifacts={"type": "CODEPIPELINE"},
            serviceRole=role,
            environment={"type": "LINUX_CONTAINER", "image": "x", "computeType": "BUILD_GENERAL1_SMALL"},
            logsConfig={"cloudWatchLogs": {"status": "ENABLED", "groupName": "said"}},
        )
    return Line(client, account, role)


def test_an_execution_builds_its_source_with_its_variables(line: Line) -> None:
    line.declare(line.build(WORD="#{variables.word} in #{codepipeline.PipelineExecutionId}"), variables=("word",))

    execution = line.start(word="yes")

    assert line.ended(execution) == "Succeeded"
    assert line.said() == [f"yes in {execution}", "hello"]
    assert line.look(execution)["variables"] == [{"name": "word", "resolvedValue": "yes"}]


def test_artifacts_lie_in_the_store_encrypted_with_its_key(line: Line) -> None:
    line.declare(line.build())
    line.ended(line.start())
    s3, bucket = line.client("s3"), f"store-{line.account}"

    (artifact,) = s3.list_objects_v2(Bucket=bucket)["Contents"]

    head = s3.head_object(Bucket=bucket, Key=artifact["Key"])
    assert artifact["Key"].startswith("line/Source/")
    assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", line.key)


def test_a_build_that_fails_fails_its_execution_and_names_the_build(line: Line) -> None:
    line.declare(line.build(CODE="3"), line.build("Never"))

    execution = line.start()

    assert line.ended(execution) == "Failed"
    failed, fetched = line.actions(execution)
    assert (failed["actionName"], failed["status"], fetched["status"]) == ("Build", "Failed", "Succeeded")
    result = failed["output"]["executionResult"]
    assert result["externalExecutionId"].startswith("says:")
    assert "Build terminated with state: FAILED" in result["externalExecutionSummary"]
    assert "Build: Build terminated" in line.look(execution)["statusSummary"]


def test_executions_of_a_parallel_pipeline_run_side_by_side(line: Line) -> None:
    line.declare(line.build(project="holds"))
    executions = [line.start(), line.start()]
    assert [line.ended(each) for each in executions] == ["Succeeded"] * 2

    (_, ended), (began, _) = sorted(one["span"] for one in line.actions() if one["actionName"] == "Build")

    assert began < ended


def test_executions_of_a_queued_pipeline_take_turns_in_order(line: Line) -> None:
    line.declare(line.build(project="holds"), mode="QUEUED")
    executions = [line.start() for _ in range(3)]
    assert [line.ended(each) for each in executions] == ["Succeeded"] * 3

    builds = [one for one in line.actions() if one["actionName"] == "Build"][::-1]

    assert [one["pipelineExecutionId"] for one in builds] == executions
    assert all(after["span"][0] >= before["span"][1] for before, after in pairwise(builds))


def test_one_that_waits_is_superseded_by_a_newer_one(line: Line) -> None:
    line.declare(action("Ask", "Manual"), mode="SUPERSEDED")
    first = line.start()
    token = line.asked()["token"]
    second = line.start()
    until(lambda: line.actions(second), bool)
    third = line.start()

    assert line.ended(second) == "Superseded"
    line.answer(token, "Approved")
    assert line.ended(first) == "Succeeded"
    line.answer(line.asked()["token"], "Approved")
    assert line.ended(third) == "Succeeded"


def test_the_same_token_gives_the_same_execution_however_many_ask_at_once(line: Line) -> None:
    line.declare(line.build())
    started: list[str] = []
    threads = [threading.Thread(target=lambda: started.append(line.start("one-token"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(started) == 4
    assert len(set(started)) == 1
    assert line.start("another") not in started
    assert len(line.pipelines.list_pipeline_executions(pipelineName="line")["pipelineExecutionSummaries"]) == 2


def test_variables_that_are_unknown_or_without_a_value_are_refused(line: Line) -> None:
    line.declare(line.build(), variables=("word",))

    with pytest.raises(ClientError, match=r"unknown: \['other'\], without a value: \['word'\]"):
        line.start(other="x")


def test_references_to_nothing_are_refused(line: Line) -> None:
    with pytest.raises(ClientError, match=r"#\{Source.CommitId\} cannot be resolved; declared are variables.word"):
        line.declare(line.build(WORD="#{Source.CommitId}"), variables=("word",))


def test_actions_nobody_carries_out_are_refused(line: Line) -> None:
    with pytest.raises(ClientError, match=r"no Lambda here; known are S3, .*CodeBuild, Manual"):
        line.declare(action("Call", "Lambda"))


def test_an_approval_waits_for_a_yes_and_its_token_is_good_once(line: Line) -> None:
    line.declare(action("Ask", "Manual"))
    execution = line.start()
    waiting = line.asked()
    assert waiting["status"] == "InProgress"

    line.answer(waiting["token"], "Approved")

    with pytest.raises(ClientError, match="already received a response"):
        line.answer(waiting["token"], "Rejected")
    assert line.ended(execution) == "Succeeded"


def test_an_approval_that_is_refused_fails_the_execution(line: Line) -> None:
    line.declare(action("Ask", "Manual"))
    execution = line.start()

    line.answer(line.asked()["token"], "Rejected")

    assert line.ended(execution) == "Failed"
    assert line.look(execution)["statusSummary"] == "Ask: Rejected: seen"


def test_to_stop_lets_the_action_at_work_end_and_begins_no_other(line: Line) -> None:
    line.declare(line.build(project="holds"), line.build("Never"))
    execution = line.start()
    until(lambda: len(line.actions(execution)), lambda count: count == 2)

    line.pipelines.stop_pipeline_execution(pipelineName="line", pipelineExecutionId=execution)

    assert line.ended(execution) == "Stopped"
    assert [(one["actionName"], one["status"]) for one in line.actions(execution)] == [
        ("Build", "Succeeded"),
        ("Fetch", "Succeeded"),
    ]
    with pytest.raises(ClientError, match="cannot be stopped"):
        line.pipelines.stop_pipeline_execution(pipelineName="line", pipelineExecutionId=execution)


def test_to_abandon_waits_for_nobody(line: Line) -> None:
    line.declare(action("Ask", "Manual"))
    execution = line.start()
    line.asked()

    line.pipelines.stop_pipeline_execution(pipelineName="line", pipelineExecutionId=execution, abandon=True)

    assert line.ended(execution) == "Stopped"
    assert line.actions(execution)[0]["status"] == "Abandoned"


def test_the_state_tells_each_stage_of_the_newest_execution_that_came_there(line: Line) -> None:
    line.declare(line.build(CODE="#{variables.code}"), line.build("Last"), variables=("code",))
    good = line.start(code="0")
    line.ended(good)
    bad = line.start(code="1")
    line.ended(bad)

    stages = line.pipelines.get_pipeline_state(name="line")["stageStates"]

    told = [(stage["latestExecution"]["pipelineExecutionId"], stage["latestExecution"]["status"]) for stage in stages]
    assert told == [(bad, "Succeeded"), (bad, "Failed"), (good, "Succeeded")]


def test_lists_go_on_over_pages(line: Line) -> None:
    line.declare(line.build())
    executions = [line.start() for _ in range(3)]
    for each in executions:
        line.ended(each)

    pages = line.pipelines.get_paginator("list_pipeline_executions").paginate(
        pipelineName="line", PaginationConfig={"PageSize": 2}
    )

    found = [[one["pipelineExecutionId"] for one in page["pipelineExecutionSummaries"]] for page in pages]
    assert found == [executions[:0:-1], executions[:1]]
