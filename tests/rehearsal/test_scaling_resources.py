"""Scalable targets and policies of stacks: what an update takes away is gone, what it changes stays the same one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from embedded import Client

RESOURCE, DIMENSION = "endpoint/live/variant/main", "sagemaker:variant:DesiredInstanceCount"


def template(target: float, *actions: str) -> str:
    scheduled = [
        {"ScheduledActionName": name, "Schedule": "rate(1 day)", "ScalableTargetAction": {"MinCapacity": 1}}
        for name in actions
    ]
    scaling = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": RESOURCE,
        "ScalableDimension": DIMENSION,
        "MinCapacity": 1,
        "MaxCapacity": 4,
        "ScheduledActions": scheduled,
    }
    tracking = {
        "TargetValue": target,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    policy = {
        "PolicyName": "load",
        "PolicyType": "TargetTrackingScaling",
        "ScalingTargetId": {"Ref": "Target"},
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    kinds = {"Target": ("ScalableTarget", scaling), "Policy": ("ScalingPolicy", policy)}
    resources = {
        name: {"Type": f"AWS::ApplicationAutoScaling::{kind}", "Properties": properties}
        for name, (kind, properties) in kinds.items()
    }
    return json.dumps({"Resources": resources, "Outputs": {"Policy": {"Value": {"Ref": "Policy"}}}})


def told(client: Client) -> tuple[Any, ...]:
    """The policy's ARN, the thresholds of its alarms, the names of scheduled actions."""
    scaling, named = client("application-autoscaling"), {"ServiceNamespace": "sagemaker"}
    (policy,) = scaling.describe_scaling_policies(**named)["ScalingPolicies"]
    alarms = client("cloudwatch").describe_alarms(AlarmNames=[one["AlarmName"] for one in policy["Alarms"]])
    assert {tuple(one["AlarmActions"]) for one in alarms["MetricAlarms"]} == {(policy["PolicyARN"],)}
    actions = scaling.describe_scheduled_actions(**named)["ScheduledActions"]
    thresholds = sorted(one["Threshold"] for one in alarms["MetricAlarms"])
    return policy["PolicyARN"], thresholds, sorted(one["ScheduledActionName"] for one in actions)


def test_an_update_changes_the_policy_and_takes_schedules_away(client: Client) -> None:
    cloudformation = client("cloudformation")
    cloudformation.create_stack(StackName="scaling", TemplateBody=template(100, "evening", "morning"))
    arn, thresholds, actions = told(client)
    assert (thresholds, actions) == ([90, 100], ["evening", "morning"])

    cloudformation.update_stack(StackName="scaling", TemplateBody=template(200, "morning"))

    assert told(client) == (arn, [180, 200], ["morning"])
    (stack,) = cloudformation.describe_stacks(StackName="scaling")["Stacks"]
    assert stack["Outputs"][0]["OutputValue"] == arn


def test_nothing_is_left_of_a_stack(client: Client) -> None:
    client("cloudformation").create_stack(StackName="scaling", TemplateBody=template(100, "evening"))

    client("cloudformation").delete_stack(StackName="scaling")

    scaling, named = client("application-autoscaling"), {"ServiceNamespace": "sagemaker"}
    assert not scaling.describe_scalable_targets(**named)["ScalableTargets"]
    assert not scaling.describe_scaling_policies(**named)["ScalingPolicies"]
    assert not scaling.describe_scheduled_actions(**named)["ScheduledActions"]
    assert not client("cloudwatch").describe_alarms()["MetricAlarms"]


def test_a_metric_that_nobody_carries_out_fails_the_stack_and_is_named(client: Client) -> None:
    body = template(1).replace("SageMakerVariantInvocationsPerInstance", "SageMakerVariantConcurrentRequests")

    client("cloudformation").create_stack(StackName="scaling", TemplateBody=body)

    (stack,) = client("cloudformation").describe_stacks(StackName="scaling")["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "does not scale by SageMakerVariantConcurrentRequests" in stack["StackStatusReason"]
