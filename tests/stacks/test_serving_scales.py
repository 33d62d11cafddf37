"""What the serving room asks of scaling happens: with real requests, in simulated minutes."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from serving_modes import MODEL
from serving_site import PREFIX, STACK, Close, Site, probabilities

if TYPE_CHECKING:
    from serving_world import Version

    from rehearsal.embedded import EmbeddedAws

NAME = f"{PREFIX}-flight-delay"
QUIET_MINUTES = 16


def instances(site: Site, name: str) -> int:
    variant = site.client("sagemaker").describe_endpoint(EndpointName=name)["ProductionVariants"][0]
    assert variant["CurrentInstanceCount"] == variant["DesiredInstanceCount"]
    return int(variant["CurrentInstanceCount"])


def load(site: Site, aws: EmbeddedAws, row: str, *requests: int) -> list[int]:
    """So many requests in each minute that passes, from the beginning of one; the instances after each."""
    now = datetime.fromisoformat(aws.clock()["now"])
    aws.skip(60 - now.second, "a minute begins")
    found = []
    for count in requests:
        for _ in range(count):
            site.ask(NAME, [row])
        aws.skip(60, "a minute of load")
        found.append(instances(site, NAME))
    return found


def causes(site: Site, resource: str) -> list[str]:
    """Of what scaled a resource, the oldest first."""
    told = site.client("application-autoscaling").describe_scaling_activities(
        ServiceNamespace="sagemaker", ResourceId=resource
    )
    assert {one["StatusCode"] for one in told["ScalingActivities"]} <= {"Successful"}
    return [one["Cause"] for one in reversed(told["ScalingActivities"])]


def suspend(site: Site, *, shrinking: bool) -> None:
    site.client("application-autoscaling").register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{NAME}/variant/main",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        SuspendedState={"DynamicScalingInSuspended": shrinking},
    )


def test_load_brings_instances_and_a_release_keeps_them(site: Site, version: Version, aws: EmbeddedAws) -> None:
    settings: dict[str, Any] = {"requests_per_second": 0.1, "max_instances": 4, "step_instances": 1}
    site.deploy("realtime", version.arn, capture_percent=20, **settings)
    row, resource = version.rows[0], f"endpoint/{NAME}/variant/main"

    # Each of two bears six requests a minute, and is to have half of it.
    assert load(site, aws, row, 9, 9, 9) == [2, 2, 3]
    suspend(site, shrinking=True)
    site.deploy("realtime", site.serving.register().arn, capture_percent=60, **settings)

    found = site.client("sagemaker").describe_endpoint(EndpointName=NAME)
    assert (instances(site, NAME), found["DataCaptureConfig"]["CurrentSamplingPercentage"]) == (3, 60)
    assert load(site, aws, row, 18) == [4]  # six for each of three: all that they bear
    suspend(site, shrinking=False)
    aws.skip(QUIET_MINUTES * 60, "nobody asks")
    assert instances(site, NAME) == 2
    high, peak, low = causes(site, resource)
    assert "-AlarmHigh-" in high
    assert high.endswith("triggered policy load")
    assert peak == f"monitor alarm {NAME}-peak in state ALARM triggered policy peak"
    assert "-AlarmLow-" in low


def test_off_hours_leave_one_instance(site: Site, version: Version, aws: EmbeddedAws) -> None:
    off = {"begin": "cron(0 19 ? * MON-FRI *)", "end": "cron(0 7 ? * MON-FRI *)", "timezone": "UTC"}
    site.deploy("realtime", version.arn, off_hours=off, canary_percent=0)
    now = datetime.fromisoformat(aws.clock()["now"])
    days = (7 - now.weekday()) % 7 or 7
    monday = days * 86_400 + 19 * 3600 - (now.hour * 3600 + now.minute * 60 + now.second)

    aws.skip(monday + 120, "it is Monday evening")
    assert instances(site, NAME) == 1
    aws.skip(12 * 3600, "it is Tuesday morning")
    assert instances(site, NAME) == 2


def test_a_queue_goes_to_zero_and_its_next_request_brings_an_instance(
    site: Site, version: Version, close: Close, aws: EmbeddedAws
) -> None:
    name = f"{NAME}-async"
    site.deploy("async", version.arn, scale_to_zero=True, canary_percent=0)
    aws.skip(QUIET_MINUTES * 60, "nobody asks")
    assert instances(site, name) == 0

    given = site.put(f"asynchronous/{MODEL}/requests/1.csv", "\n".join(version.rows))
    site.client("sagemaker-runtime").invoke_endpoint_async(
        EndpointName=name, InputLocation=given, ContentType="text/csv", Accept="application/json"
    )

    [(_, body)] = site.found(f"asynchronous/{MODEL}/answers/")
    assert close(probabilities(body))
    down, up = causes(site, f"endpoint/{name}/variant/main")
    assert "-AlarmLow-" in down
    assert up == f"monitor alarm {name}-fromzero in state ALARM triggered policy fromzero"


def test_copies_go_to_zero_and_a_refused_request_brings_one(
    site: Site, version: Version, close: Close, aws: EmbeddedAws
) -> None:
    name = f"{NAME}-zero"
    site.deploy("component", version.arn)
    aws.skip(QUIET_MINUTES * 60, "nobody asks")

    with pytest.raises(ClientError, match="Inference Component has no capacity to process this request"):
        site.ask(name, version.rows, InferenceComponentName=name)

    while not (answer := answered(site, name, version.rows)):
        time.sleep(0.05)
    assert close(answer)
    down, up = causes(site, f"inference-component/{name}")
    assert "-AlarmLow-" in down
    assert up == f"monitor alarm {name}-fromzero in state ALARM triggered policy fromzero"


def answered(site: Site, name: str, rows: list[str]) -> list[float]:
    try:
        return site.ask(name, rows, InferenceComponentName=name)
    except ClientError:
        return []


def test_without_the_right_to_its_alarms_no_version_goes_over(site: Site, version: Version) -> None:
    site.deploy("realtime", version.arn)
    iam, cloudformation = site.client("iam"), site.client("cloudformation")
    role = f"{PREFIX}-flight-delay-endpoint"
    (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
    policy = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
    rest = [one for one in policy["Statement"] if one["Sid"] != "RollbackAlarms"]
    assert len(rest) == len(policy["Statement"]) - 1
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=json.dumps({**policy, "Statement": rest}))

    site.wants("version", site.serving.register().arn)
    template = cloudformation.get_template(StackName=STACK)["TemplateBody"]
    cloudformation.update_stack(StackName=STACK, TemplateBody=json.dumps(template))
    while site.stacks()[0]["StackStatus"].endswith("_IN_PROGRESS"):
        time.sleep(0.05)

    assert site.stacks()[0]["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert any("not authorized to perform: cloudwatch:DescribeAlarms" in reason for reason in site.failures())
