"""CloudWatch of the embedded AWS: numbers have its own time, and alarms the state that they were given."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from embedded import Client
from serving_world import ENDPOINT, Serving

from rehearsal.embedded import EmbeddedAws

PUT = {"Namespace": "Tests", "MetricName": "Failed"}
ALARM = {
    **PUT,
    "Dimensions": [{"Name": "EndpointName", "Value": ENDPOINT}],
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
}


def deployment(alarm: str) -> dict[str, Any]:
    routing = {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 300}
    return {
        "BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing},
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": alarm}]},
    }


def updated(serving: Serving, alarm: str) -> str | None:
    """Why an update under an alarm went back; None if it did not."""
    new = serving.config()
    serving.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=new, DeploymentConfig=deployment(alarm))
    found = serving.settled()
    assert (found["EndpointConfigName"] == new) == ("FailureReason" not in found)
    reason: str | None = found.get("FailureReason")
    return reason


@pytest.fixture
def alarm(serving: Serving) -> str:
    """An alarm, and an endpoint whose updates it may take back."""
    name = f"failed-{uuid.uuid4().hex[:8]}"
    serving.create(serving.config())
    serving.world.client("cloudwatch").put_metric_alarm(AlarmName=name, **ALARM)
    return name


def test_what_is_put_after_a_wait_was_skipped_is_of_now(serving: Serving, aws: EmbeddedAws, alarm: str) -> None:
    aws.skip(3600, "an hour in which nothing happens")
    datum = {"MetricName": PUT["MetricName"], "Value": 2, "Dimensions": ALARM["Dimensions"]}
    serving.world.client("cloudwatch").put_metric_data(Namespace=PUT["Namespace"], MetricData=[datum])

    assert f"alarm {alarm} is in ALARM: Failed Sum is 2" in str(updated(serving, alarm))


def test_what_was_put_before_the_alarm_s_periods_is_over(serving: Serving, aws: EmbeddedAws, alarm: str) -> None:
    datum = {"MetricName": PUT["MetricName"], "Value": 2, "Dimensions": ALARM["Dimensions"]}
    serving.world.client("cloudwatch").put_metric_data(Namespace=PUT["Namespace"], MetricData=[datum])
    aws.skip(120, "two periods of the alarm")

    assert updated(serving, alarm) is None


def test_an_alarm_that_was_just_raised_takes_the_next_update_back(
    serving: Serving, aws: EmbeddedAws, alarm: str
) -> None:
    """Even if it has been changed since: until CloudWatch evaluates it anew it is what it was."""
    cloudwatch = serving.world.client("cloudwatch")
    cloudwatch.set_alarm_state(AlarmName=alarm, StateValue="ALARM", StateReason="the fleet before failed")
    cloudwatch.put_metric_alarm(AlarmName=alarm, **{**ALARM, "Dimensions": [{"Name": "Of", "Value": "another"}]})

    assert "it was before this began: the fleet before failed" in str(updated(serving, alarm))
    aws.skip(60, "CloudWatch evaluates the alarm")
    assert updated(serving, alarm) is None


def test_a_changed_alarm_keeps_its_state_and_a_new_one_has_none(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_alarm(AlarmName="changed", **ALARM)
    cloudwatch.set_alarm_state(AlarmName="changed", StateValue="ALARM", StateReason="it failed")

    cloudwatch.put_metric_alarm(AlarmName="changed", **{**ALARM, "Threshold": 5})
    cloudwatch.put_metric_alarm(AlarmName="new", **ALARM)

    found = cloudwatch.describe_alarms(AlarmNames=["changed", "new"])["MetricAlarms"]
    assert [(one["AlarmName"], one["Threshold"], one["StateValue"]) for one in found] == [
        ("changed", 5.0, "ALARM"),
        ("new", 0.0, "OK"),
    ]
    cloudwatch.delete_alarms(AlarmNames=["changed"])
    cloudwatch.put_metric_alarm(AlarmName="changed", **ALARM)
    assert cloudwatch.describe_alarms(AlarmNames=["changed"])["MetricAlarms"][0]["StateValue"] == "OK"


def test_who_asks_by_name_and_state_hears_of_alarms_to_which_both_apply(client: Client) -> None:
    cloudwatch = client("cloudwatch")
    for name in ("of-ours-raised", "of-ours", "of-others"):
        cloudwatch.put_metric_alarm(AlarmName=name, **ALARM)
    for name in ("of-ours-raised", "of-others"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="it failed")

    found = cloudwatch.describe_alarms(AlarmNamePrefix="of-ours", StateValue="ALARM")["MetricAlarms"]

    assert [one["AlarmName"] for one in found] == ["of-ours-raised"]
