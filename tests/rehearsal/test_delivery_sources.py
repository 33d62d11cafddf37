"""What executions of a pipeline are of, what starts them and who is told; what a Git host has is recorded only."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from embedded import Client
from pipeline_world import Delivery, Json, action, build, spec, stage, until

NO_GIT = r"the embedded AWS has no connection to a Git host; `\[delivery.source\] provider = \"s3\"` rehearses it"
CONNECTION = action(
    "Fetch",
    "CodeStarSourceConnection",
    makes="Source",
    configuration={"ConnectionArn": "arn:c", "FullRepositoryId": "team/app", "BranchName": "main"},
)


def queue(client: Client, account: str, pattern: Json) -> str:
    """A queue that hears what matches."""
    url = str(client("sqs").create_queue(QueueName="heard")["QueueUrl"])
    client("events").put_rule(Name="hears", EventPattern=json.dumps(pattern))
    client("events").put_targets(Rule="hears", Targets=[{"Id": "q", "Arn": f"arn:aws:sqs:eu-west-1:{account}:heard"}])
    return url


def heard(client: Client, url: str, last: Any) -> list[Json]:
    """All events until one of which `last` holds, in the order in which they were sent."""
    told: list[Json] = []

    def listen() -> list[Json]:
        for message in client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            told.append(json.loads(message["Body"]))
            client("sqs").delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return told

    return list(until(listen, lambda found: any(last(each) for each in found)))


def test_an_execution_may_be_of_an_earlier_version_of_the_source(delivery: Delivery) -> None:
    old, _ = delivery.push({"hello.txt": "old\n"}), delivery.push({"hello.txt": "new\n"})
    delivery.project("tells", spec("cat hello.txt"))
    delivery.declare(stage("Tell", build("Tell", "tells")))
    chosen = {"actionName": "Fetch", "revisionType": "S3_OBJECT_VERSION_ID", "revisionValue": old}

    assert delivery.run(sourceRevisions=[chosen]) == ("Succeeded", "")

    assert delivery.said("tells") == ["old"]
    (execution,) = delivery.executions()
    assert [each["revisionId"] for each in execution["sourceRevisions"]] == [old]


def test_revisions_that_no_source_can_be_taken_from_are_refused(delivery: Delivery) -> None:
    delivery.project("tells", spec("true"))
    delivery.declare(stage("Tell", build("Tell", "tells")))
    given = {"actionName": "Fetch", "revisionType": "COMMIT_ID", "revisionValue": "x"}

    for change, because in (
        ({}, "Fetch: a source of S3 takes S3_OBJECT_KEY, S3_OBJECT_VERSION_ID, not COMMIT_ID"),
        ({"actionName": "Tell"}, "no source action Tell; there are Fetch"),
        ({"revisionType": "S3_OBJECT_KEY"}, "S3_OBJECT_KEY needs AllowOverrideForS3ObjectKey = true"),
    ):
        with pytest.raises(ClientError, match=because):
            delivery.start(sourceRevisions=[{**given, **change}])
    assert delivery.executions() == []


def test_a_source_that_may_be_taken_from_another_key_is(delivery: Delivery) -> None:
    delivery.push({"hello.txt": "other\n"}, key="other.zip")
    delivery.project("tells", spec("cat hello.txt"))
    delivery.declare(
        stage("Tell", build("Tell", "tells")),
        source=delivery.source(configuration={"AllowOverrideForS3ObjectKey": "true"}),
    )
    chosen = {"actionName": "Fetch", "revisionType": "S3_OBJECT_KEY", "revisionValue": "other.zip"}

    assert delivery.run(sourceRevisions=[chosen]) == ("Succeeded", "")

    assert delivery.said("tells") == ["other"]


def test_an_upload_starts_the_pipeline_that_a_rule_names(delivery: Delivery) -> None:
    delivery.project("tells", spec("cat hello.txt"))
    delivery.declare(stage("Tell", build("Tell", "tells")))
    bucket, events = f"source-{delivery.account}", delivery.client("events")
    delivery.client("s3").put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    detail = {"bucket": {"name": [bucket]}, "object": {"key": ["source.zip"]}}
    pattern = {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}
    rule = events.put_rule(Name="pushed", EventPattern=json.dumps(pattern))["RuleArn"]
    arn = f"arn:aws:codepipeline:eu-west-1:{delivery.account}:line"
    events.put_targets(Rule="pushed", Targets=[{"Id": "line", "Arn": arn, "RoleArn": delivery.role}])

    delivery.push(key="elsewhere.zip")
    delivery.push({"hello.txt": "pushed\n"})

    (execution,) = until(delivery.executions, bool)
    assert execution["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert delivery.ended(execution["pipelineExecutionId"]) == "Succeeded"
    assert delivery.said("tells") == ["pushed"]


def test_executions_stages_and_actions_are_announced_as_aws_does(delivery: Delivery) -> None:
    url = queue(delivery.client, delivery.account, {"source": ["aws.codepipeline"]})
    delivery.project("fails", spec("exit 3"))
    delivery.declare(stage("Fail", build("Fail", "fails")))
    execution = delivery.start()

    over = "CodePipeline Pipeline Execution State Change", "FAILED"
    told = heard(delivery.client, url, lambda each: (each["detail-type"], each["detail"]["state"]) == over)

    assert [
        (each["detail-type"].split()[1], each["detail"].get("action") or each["detail"].get("stage", ""), state)
        for each in told
        if (state := each["detail"]["state"])
    ] == [
        ("Pipeline", "", "STARTED"),
        ("Stage", "Source", "STARTED"),
        ("Action", "Fetch", "STARTED"),
        ("Action", "Fetch", "SUCCEEDED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "Fail", "STARTED"),
        ("Action", "Fail", "STARTED"),
        ("Action", "Fail", "FAILED"),
        ("Stage", "Fail", "FAILED"),
        ("Pipeline", "", "FAILED"),
    ]
    assert {tuple(each["resources"]) for each in told} == {(f"arn:aws:codepipeline:eu-west-1:{delivery.account}:line",)}
    common = {(each["detail"]["pipeline"], each["detail"]["execution-id"], each["detail"]["version"]) for each in told}
    assert common == {("line", execution, 1)}
    fetched, failed = told[3]["detail"], told[7]["detail"]
    assert failed["type"] == {"owner": "AWS", "provider": "CodeBuild", "category": "Build", "version": "1"}
    assert failed["execution-result"]["error-code"] == "JobFailed"
    assert failed["execution-result"]["external-execution-id"].startswith("fails:")
    assert failed["input-artifacts"] == fetched["output-artifacts"]
    assert fetched["output-artifacts"][0]["s3location"]["bucket"] == delivery.store


def test_a_source_at_a_git_host_is_recorded_and_fails_with_what_to_do(delivery: Delivery) -> None:
    delivery.declare(stage("Build", build("Build", "x")), source=CONNECTION)

    status, summary = delivery.run()

    assert status == "Failed"
    assert summary.startswith("Fetch: team/app, branch main: the embedded AWS has no connection to a Git host; ")
    assert '`[delivery.source] provider = "s3"` rehearses it' in summary


def test_a_build_of_a_git_host_s_source_is_refused_with_what_to_do(delivery: Delivery) -> None:
    delivery.project("checks", "ci.yml", type="GITHUB", location="https://github.com/team/app.git")

    with pytest.raises(ClientError, match=f"checks builds GITHUB https://github.com/team/app.git: {NO_GIT}"):
        delivery.client("codebuild").start_build(projectName="checks")


def test_a_webhook_is_recorded_with_its_filters_until_it_is_gone(delivery: Delivery) -> None:
    codebuild = delivery.client("codebuild")
    delivery.project("checks", "ci.yml", type="GITHUB", location="https://github.com/team/app.git")
    filters = [[{"type": "EVENT", "pattern": "PULL_REQUEST_CREATED"}]]

    def hook() -> Any:
        return codebuild.batch_get_projects(names=["checks"])["projects"][0].get("webhook")

    codebuild.create_webhook(projectName="checks", filterGroups=filters)
    assert hook()["filterGroups"] == filters
    with pytest.raises(ClientError, match="Webhook of checks exists"):
        codebuild.create_webhook(projectName="checks")
    codebuild.update_webhook(projectName="checks", filterGroups=[filters[0] * 2])
    assert hook()["filterGroups"] == [filters[0] * 2]
    codebuild.delete_webhook(projectName="checks")
    assert hook() is None
    with pytest.raises(ClientError, match="Webhook of checks cannot be found"):
        codebuild.update_webhook(projectName="checks")
