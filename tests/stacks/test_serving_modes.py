"""The serving room of each mode, deployed in the embedded AWS, answers as the trainer does."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from serving_modes import MODEL, resources
from serving_site import PREFIX, STACK, Close, Site, probabilities

if TYPE_CHECKING:
    from serving_world import Version


def test_realtime_answers_and_is_captured_by_sagemaker(site: Site, version: Version, close: Close) -> None:
    site.deploy("realtime", version.arn, capture_percent=50)
    name = f"{PREFIX}-flight-delay"

    for number in range(4):
        assert close(site.ask(name, version.rows, InferenceId=f"row-{number}"))

    files = site.found(f"capture/{MODEL}/{name}/main/", 2)
    assert len(files) == 2  # half of four
    for key, body in files:
        assert re.fullmatch(rf"capture/{MODEL}/{name}/main/\d{{4}}/\d\d/\d\d/\d\d/[^/]+\.jsonl", key)
        record = json.loads(body)
        sides = record["captureData"]
        assert sides["endpointInput"] == {
            "observedContentType": "text/csv",
            "mode": "INPUT",
            "data": "\n".join(version.rows),
            "encoding": "CSV",
        }
        assert (sides["endpointOutput"]["mode"], sides["endpointOutput"]["encoding"]) == ("OUTPUT", "JSON")
        assert close(probabilities(sides["endpointOutput"]["data"]))
        assert record["eventMetadata"]["inferenceId"] in {"row-1", "row-3"}
        assert record["eventVersion"] == "0"


def test_a_content_type_that_is_not_listed_is_captured_as_base64(site: Site, version: Version) -> None:
    template = site.deploy("realtime", version.arn, capture_percent=100)
    del template["Resources"]["Config"]["Properties"]["DataCaptureConfig"]["CaptureContentTypeHeader"]
    site.client("cloudformation").update_stack(StackName=STACK, TemplateBody=json.dumps(template))
    while site.stacks()[0]["StackStatus"].endswith("_IN_PROGRESS"):
        time.sleep(0.05)

    site.ask(f"{PREFIX}-flight-delay", version.rows)

    [(_, body)] = site.found(f"capture/{MODEL}/")
    assert {side["encoding"] for side in json.loads(body)["captureData"].values()} == {"BASE64"}


def test_capture_by_the_server_writes_the_same_files(site: Site, version: Version, close: Close) -> None:
    template = site.deploy("server", version.arn, capture_percent=100)
    name = f"{PREFIX}-flight-delay"

    assert close(site.ask(name, version.rows))
    site.client("cloudformation").delete_stack(StackName=STACK)  # the server writes what waits before it ends

    [(key, body)] = site.found(f"capture/{MODEL}/{name}/main/")
    assert re.fullmatch(rf"capture/{MODEL}/{name}/main/\d{{4}}/\d\d/\d\d/\d\d/[^/]+\.jsonl", key)
    sides = json.loads(body)["captureData"]
    assert sides["endpointInput"]["data"] == "\n".join(version.rows)
    assert close(probabilities(sides["endpointOutput"]["data"]))
    [model] = resources(template, "AWS::SageMaker::Model")
    assert not model["EnableNetworkIsolation"]
    assert "VpcConfig" in model
    assert "DataCaptureConfig" not in resources(template, "AWS::SageMaker::EndpointConfig")[0]


def test_serverless_answers_without_instances_vpc_or_guardrails(site: Site, version: Version, close: Close) -> None:
    template = site.deploy("serverless", version.arn)
    name = f"{PREFIX}-flight-delay-serverless"

    assert close(site.ask(name, version.rows))

    described = site.client("sagemaker").describe_endpoint(EndpointName=name)
    assert described["ProductionVariants"][0]["CurrentServerlessConfig"] == {
        "MemorySizeInMB": 2048,
        "MaxConcurrency": 20,
    }
    assert "VpcConfig" not in resources(template, "AWS::SageMaker::Model")[0]
    assert "DeploymentConfig" not in resources(template, "AWS::SageMaker::Endpoint")[0]
    assert not resources(template, "AWS::ApplicationAutoScaling::ScalableTarget")


def test_async_takes_requests_from_s3_and_leaves_answers_there(site: Site, version: Version, close: Close) -> None:
    site.deploy("async", version.arn)
    name, runtime = f"{PREFIX}-flight-delay-async", site.client("sagemaker-runtime")
    given = site.put(f"asynchronous/{MODEL}/requests/1.csv", "\n".join(version.rows))

    told = runtime.invoke_endpoint_async(
        EndpointName=name, InputLocation=given, ContentType="text/csv", Accept="application/json"
    )

    [(key, body)] = site.found(f"asynchronous/{MODEL}/answers/")
    assert told["OutputLocation"] == f"s3://{site.bucket}/{key}"
    assert close(probabilities(body))
    with pytest.raises(ClientError, match="asynchronous; use InvokeEndpointAsync"):
        site.ask(name, version.rows)


@pytest.mark.parametrize(("body", "said"), [("1,2,3", "19 columns"), (None, "Failed to download")])
def test_a_failed_async_request_leaves_its_reason(site: Site, version: Version, body: str | None, said: str) -> None:
    site.deploy("async", version.arn)
    key = f"asynchronous/{MODEL}/requests/2.csv"
    given = site.put(key, body) if body else f"s3://{site.bucket}/{key}"

    told = site.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=f"{PREFIX}-flight-delay-async", InputLocation=given, ContentType="text/csv"
    )

    [(key, reason)] = site.found(f"asynchronous/{MODEL}/failures/")
    assert told["FailureLocation"] == f"s3://{site.bucket}/{key}"
    assert said in reason.decode()


def test_batch_releases_the_model_and_transform_jobs_predict(site: Site, version: Version, close: Close) -> None:
    template = site.deploy("batch", version.arn)
    sagemaker = site.client("sagemaker")
    [model] = sagemaker.list_models()["Models"]
    site.put(f"batch/{MODEL}/input/rows.csv", "\n".join(version.rows))

    job = transform(site, model["ModelName"])

    assert job["TransformJobStatus"] == "Completed", job.get("FailureReason")
    [(key, body)] = site.found(f"batch/{MODEL}/output/")
    assert key == f"batch/{MODEL}/output/rows.csv.out"
    assert close([float(line.partition(",")[0]) for line in body.decode().splitlines()])
    assert not resources(template, "AWS::SageMaker::Endpoint")
    described = sagemaker.describe_model(ModelName=model["ModelName"])
    assert described["PrimaryContainer"]["ModelPackageName"] == version.arn


def test_a_transform_job_names_the_file_that_does_not_fit(site: Site, version: Version) -> None:
    site.deploy("batch", version.arn)
    [model] = site.client("sagemaker").list_models()["Models"]
    site.put(f"batch/{MODEL}/input/wrong.csv", "1,2,3")

    job = transform(site, model["ModelName"])

    assert job["TransformJobStatus"] == "Failed"
    assert "wrong.csv" in job["FailureReason"]
    assert "19 columns" in job["FailureReason"]


def transform(site: Site, model: str) -> dict[str, Any]:
    sagemaker, stem = site.client("sagemaker"), f"s3://{site.bucket}/batch/{MODEL}"
    source = {"S3DataType": "S3Prefix", "S3Uri": f"{stem}/input/"}
    sagemaker.create_transform_job(
        TransformJobName="nightly",
        ModelName=model,
        TransformInput={"DataSource": {"S3DataSource": source}, "ContentType": "text/csv", "SplitType": "Line"},
        TransformOutput={"S3OutputPath": f"{stem}/output", "Accept": "text/csv", "AssembleWith": "Line"},
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    while True:
        found: dict[str, Any] = sagemaker.describe_transform_job(TransformJobName="nightly")
        if found["TransformJobStatus"] != "InProgress":
            return found
        time.sleep(0.05)


def test_a_shadow_gets_copies_and_its_answers_are_dropped(site: Site, version: Version, close: Close) -> None:
    other = site.serving.register()
    site.shadow(other.arn)
    site.deploy("shadow", version.arn, capture_percent=100)
    name = f"{PREFIX}-flight-delay"

    assert close(site.ask(name, version.rows))

    described = site.client("sagemaker").describe_endpoint(EndpointName=name)
    assert [v["VariantName"] for v in described["ShadowProductionVariants"]] == ["shadow"]
    [(_, copied)] = site.found(f"capture/{MODEL}/{name}/shadow/")
    assert json.loads(copied)["captureData"]["endpointInput"]["data"] == "\n".join(version.rows)


def test_without_a_named_version_there_is_no_shadow(site: Site, version: Version) -> None:
    site.deploy("shadow", version.arn)

    described = site.client("sagemaker").describe_endpoint(EndpointName=f"{PREFIX}-flight-delay")
    assert "ShadowProductionVariants" not in described


def test_an_endpoint_that_scales_to_zero_answers_by_its_component(site: Site, version: Version, close: Close) -> None:
    site.deploy("component", version.arn)
    name = f"{PREFIX}-flight-delay-zero"

    assert close(site.ask(name, version.rows, InferenceComponentName=name))

    [target] = site.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")[
        "ScalableTargets"
    ]
    assert (target["ResourceId"], target["MinCapacity"]) == (f"inference-component/{name}", 0)
    [alarm] = site.client("cloudwatch").describe_alarms(AlarmNames=[f"{name}-fromzero"])["MetricAlarms"]
    assert alarm["MetricName"] == "NoCapacityInvocationFailures"
    with pytest.raises(ClientError, match="Inference Component None not found"):
        site.ask(name, version.rows)


def test_hours_and_dashboard_are_read_back(site: Site, version: Version) -> None:
    off = {"begin": "cron(0 19 ? * MON-FRI *)", "end": "cron(0 7 ? * MON-FRI *)", "timezone": "Europe/Berlin"}
    site.deploy("realtime", version.arn, off_hours=off, canary_percent=0, step_instances=2)

    actions = site.client("application-autoscaling").describe_scheduled_actions(ServiceNamespace="sagemaker")
    limits = {a["ScheduledActionName"]: a["ScalableTargetAction"] for a in actions["ScheduledActions"]}
    assert limits == {
        "off-hours-begin": {"MinCapacity": 1, "MaxCapacity": 1},
        "off-hours-end": {"MinCapacity": 2, "MaxCapacity": 2},
    }
    body = site.client("cloudwatch").get_dashboard(DashboardName=f"{PREFIX}-flight-delay")["DashboardBody"]
    assert {"Requests", "Errors"} <= {widget["properties"]["title"] for widget in json.loads(body)["widgets"]}


@pytest.mark.parametrize(
    ("kind", "takes_back"), [("realtime", ["Errors", "Slow", "Probes"]), ("async", ["Errors", "Slow"])]
)
def test_what_takes_a_release_back_is_of_the_new_fleet_by_metric_and_by_name(
    site: Site, kind: str, takes_back: list[str]
) -> None:
    template = site.synthesize(kind)
    [owning] = resources(template, "AWS::SageMaker::Endpoint")
    taking = [a["AlarmName"]["Ref"] for a in owning["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]]

    alarms = {n: r["Properties"] for n, r in template["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    fleet = owning["EndpointConfigName"]
    assert taking == takes_back
    for name in taking:
        assert alarms[name]["TreatMissingData"] == "notBreaching"
        assert {"Name": "EndpointConfigName", "Value": fleet} in alarms[name]["Dimensions"]
        assert alarms[name]["AlarmName"]["Fn::Join"][1][-1] == fleet
    assert {"AllErrors", "AllSlow"} <= set(alarms) - set(taking)
    assert ("Quiet" in alarms) == (kind == "realtime")


@pytest.mark.parametrize("kind", ["component", "serverless"])
def test_where_no_alarm_sees_the_new_fleet_alone_none_takes_back(site: Site, kind: str) -> None:
    template = site.synthesize(kind)

    assert "AutoRollbackConfiguration" not in json.dumps(template)
    assert "DescribeAlarms" not in json.dumps(template)
    names = {n for n, r in template["Resources"].items() if r["Type"] == "AWS::CloudWatch::Alarm"}
    assert {"AllErrors", "AllSlow"} <= names
    assert not {"Errors", "Slow", "Probes"} & names


@pytest.mark.parametrize(
    ("kind", "can", "cannot"),
    [
        ("realtime", {"Capture"}, {"TakeRequests", "LeaveAnswers"}),
        ("serverless", set(), {"Capture", "TakeRequests", "LeaveAnswers", "RollbackAlarms"}),
        ("async", {"TakeRequests", "LeaveAnswers"}, {"Capture"}),
        ("batch", {"TakeRequests", "LeaveAnswers"}, {"Capture", "RollbackAlarms"}),
    ],
)
def test_the_role_may_do_what_its_mode_needs(site: Site, kind: str, can: set[str], cannot: set[str]) -> None:
    [policy] = resources(site.synthesize(kind), "AWS::IAM::Policy")
    sids = {statement["Sid"] for statement in policy["PolicyDocument"]["Statement"]}

    assert can <= sids
    assert not cannot & sids
