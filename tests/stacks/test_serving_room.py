"""What the real serving room says of model, configuration, alarms, traffic and scaling: the figures AWS goes by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from serving_modes import environment, resources, synthesize, use

from rehearsal.policies import like

if TYPE_CHECKING:
    from collections.abc import Callable

ROOM, NAME = "ServingFlightDelay", "slipway-dev-flight-delay"
KINDS = ("realtime", "shadow", "component", "serverless", "async", "batch")

Template = dict[str, Any]


SALE = {"at": "cron(0 6 25 11 ? *)", "min_instances": 3, "max_instances": 9, "timezone": "Europe/Berlin"}
AFTER = {"at": "cron(0 6 26 11 ? *)", "min_instances": 2, "max_instances": 4}
HOURS = {"begin": "cron(0 19 ? * MON-FRI *)", "end": "cron(0 7 ? * MON-FRI *)", "timezone": "Asia/Tokyo"}
FIGURES: dict[str, Any] = {
    "requests_per_second": 7,
    "safety_factor": 0.3,
    "step_instances": 3,
    "backlog": 6,
    "max_instances": 5,
    "latency_ms": 350,
    "schedules": [SALE, AFTER],
    "off_hours": HOURS,
}
"""One instance bears 420 requests a minute, and is to be loaded with 126."""


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Template]:
    """The room's template for a way of serving and settings; each is synthesized once."""
    made: dict[str, Template] = {}

    def find(kind: str, **settings: Any) -> Template:
        key = f"{kind} {settings}"
        if key not in made:
            with pytest.MonkeyPatch.context() as patch:
                use(patch, kind)
                made[key] = synthesize(tmp_path_factory.mktemp(kind), environment(kind, **{**FIGURES, **settings}))[
                    ROOM
                ]
        return made[key]

    return find


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_release_replaces_stays_and_can_be_made_beside_what_there_is(
    room: Callable[..., Template], kind: str
) -> None:
    found = {
        name: one
        for name, one in room(kind)["Resources"].items()
        if one["Type"] in {"AWS::SageMaker::Model", "AWS::SageMaker::EndpointConfig"}
    }

    assert set(found) == {"batch": {"Model"}, "shadow": {"Model", "ShadowModel", "Config"}}.get(
        kind, {"Model", "Config"}
    )
    for name, one in found.items():
        assert one["UpdateReplacePolicy"] == "Retain", name
        assert one["DeletionPolicy"] == "Delete", name  # a stack that goes takes along what it has
        assert not {"ModelName", "EndpointConfigName"} & set(one["Properties"]), name


def dimensions(alarm: dict[str, Any]) -> dict[str, Any]:
    return {one["Name"]: one["Value"] for one in alarm["Dimensions"]}


@pytest.mark.parametrize("kind", ["realtime", "async"])
def test_errors_and_slowness_of_the_new_fleet_alone_take_a_release_back(
    room: Callable[..., Template], kind: str
) -> None:
    template = room(kind)
    alarms = {name: template["Resources"][name]["Properties"] for name in ("Errors", "Slow")}
    (endpoint,) = resources(template, "AWS::SageMaker::Endpoint")

    fleet = {
        "EndpointName": endpoint["EndpointName"],
        "VariantName": "main",
        "EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]},
    }
    assert endpoint["EndpointConfigName"] == fleet["EndpointConfigName"]
    for alarm in alarms.values():
        assert dimensions(alarm) == fleet
        assert (alarm["Namespace"], alarm["Period"], alarm["EvaluationPeriods"]) == ("AWS/SageMaker", 60, 1)
        assert (alarm["ComparisonOperator"], alarm["TreatMissingData"]) == ("GreaterThanThreshold", "notBreaching")
    errors, slow = alarms["Errors"], alarms["Slow"]
    assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Invocation5XXErrors", "Sum", 0)
    assert (slow["MetricName"], slow["ExtendedStatistic"]) == ("ModelLatency", "p95")
    assert slow["Threshold"] == 350_000  # SageMaker counts microseconds


@pytest.mark.parametrize("kind", ["realtime", "shadow", "async"])
def test_what_takes_a_release_back_is_seen_by_the_endpoints_role_and_never_too_much(
    room: Callable[..., Template], kind: str
) -> None:
    template = room(kind)
    (endpoint,) = resources(template, "AWS::SageMaker::Endpoint")
    (policy,) = resources(template, "AWS::IAM::Policy")
    taking = [a["AlarmName"]["Ref"] for a in endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]]
    (seen,) = (
        s["Resource"] for s in policy["PolicyDocument"]["Statement"] if s["Action"] == "cloudwatch:DescribeAlarms"
    )

    assert 1 <= len(taking) <= 10  # as many as SageMaker takes
    for name in taking:
        alarm = template["Resources"][name]["Properties"]["AlarmName"]
        told = "".join(p if isinstance(p, str) else "x" for p in alarm["Fn::Join"][1]) if "Fn::Join" in alarm else alarm
        assert like(f"arn:aws:cloudwatch:eu-west-1:111111111111:alarm:{told}", seen), name


ROUTED = [
    ({}, {"Type": "CANARY", "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10}}, 2),
    ({"canary_percent": 0}, {"Type": "ALL_AT_ONCE"}, 1),
    ({"shifting": "linear"}, {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 25}}, 4),
    (
        {"shifting": "linear", "step_percent": 30},
        {"Type": "LINEAR", "LinearStepSize": {"Type": "CAPACITY_PERCENT", "Value": 30}},
        4,
    ),
]


@pytest.mark.parametrize(("settings", "routing", "bakes"), ROUTED)
def test_traffic_goes_over_as_the_environment_says_and_has_the_time_it_takes(
    room: Callable[..., Template], settings: dict[str, Any], routing: dict[str, Any], bakes: int
) -> None:
    (endpoint,) = resources(room("realtime", bake_minutes=7, step_instances=0, **settings), "AWS::SageMaker::Endpoint")
    policy = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]

    assert policy["TrafficRoutingConfiguration"] == {**routing, "WaitIntervalInSeconds": 420}
    waits = bakes * 420 + policy["TerminationWaitInSeconds"]
    assert waits < policy["MaximumExecutionTimeoutInSeconds"] <= 28_800


def target(template: Template) -> dict[str, Any]:
    (found,) = resources(template, "AWS::ApplicationAutoScaling::ScalableTarget")
    return found


def tracked(template: Template) -> dict[str, Any]:
    """The policy that follows the load."""
    key = "TargetTrackingScalingPolicyConfiguration"
    (found,) = (p[key] for p in resources(template, "AWS::ApplicationAutoScaling::ScalingPolicy") if key in p)
    return dict(found)


def step(template: Template, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """An alarm, and the policy of steps that it calls."""
    alarm = template["Resources"][name]["Properties"]
    (called,) = alarm["AlarmActions"]
    policy = template["Resources"][called["Ref"]]["Properties"]
    return alarm, policy["StepScalingPolicyConfiguration"]


@pytest.mark.parametrize(
    ("kind", "metric", "resource"),
    [
        ("realtime", "SageMakerVariantInvocationsPerInstance", f"endpoint/{NAME}/variant/main"),
        ("component", "SageMakerInferenceComponentInvocationsPerCopy", f"inference-component/{NAME}-zero"),
    ],
)
def test_instances_follow_the_share_of_what_one_bears_in_a_minute(
    room: Callable[..., Template], kind: str, metric: str, resource: str
) -> None:
    template = room(kind)
    policy = tracked(template)

    assert policy["TargetValue"] == pytest.approx(126)
    assert policy["PredefinedMetricSpecification"] == {"PredefinedMetricType": metric}
    assert policy["ScaleOutCooldown"] < policy["ScaleInCooldown"]
    assert (target(template)["ResourceId"], target(template)["MaxCapacity"]) == (resource, 5)
    assert target(template)["MinCapacity"] == (0 if kind == "component" else 2)


def test_at_a_peak_so_many_instances_come_at_once(room: Callable[..., Template]) -> None:
    alarm, policy = step(room("realtime"), "Peak")

    assert (alarm["MetricName"], alarm["Statistic"], alarm["Period"]) == ("InvocationsPerInstance", "Sum", 60)
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (420, "GreaterThanOrEqualToThreshold")
    assert dimensions(alarm) == {"EndpointName": NAME, "VariantName": "main"}
    assert policy["AdjustmentType"] == "ChangeInCapacity"
    assert policy["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}]
    assert "Peak" not in room("realtime", bake_minutes=7, step_instances=0)["Resources"]


def test_instances_behind_a_queue_follow_what_waits_in_it(room: Callable[..., Template]) -> None:
    template = room("async")
    policy, (alarm, peak) = tracked(template), step(template, "Peak")

    metric = policy["CustomizedMetricSpecification"]
    assert (policy["TargetValue"], metric["MetricName"]) == (6, "ApproximateBacklogSizePerInstance")
    assert (metric["Namespace"], metric["Statistic"], dimensions(metric)) == (
        *("AWS/SageMaker", "Average"),
        {"EndpointName": f"{NAME}-async"},
    )
    assert (alarm["MetricName"], alarm["Threshold"]) == ("ApproximateBacklogSizePerInstance", pytest.approx(20))
    assert (alarm["Statistic"], dimensions(alarm)) == ("Maximum", {"EndpointName": f"{NAME}-async"})
    assert peak["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 3}]


@pytest.mark.parametrize(
    ("kind", "settings", "metric", "whose"),
    [
        (
            *("async", {"scale_to_zero": True}),
            *("HasBacklogWithoutCapacity", {"EndpointName": f"{NAME}-async"}),
        ),
        ("component", {}, "NoCapacityInvocationFailures", {"InferenceComponentName": f"{NAME}-zero"}),
    ],
)
def test_from_zero_the_first_comes_when_a_request_finds_none(
    room: Callable[..., Template], kind: str, settings: dict[str, Any], metric: str, whose: dict[str, str]
) -> None:
    template = room(kind, **settings)
    alarm, policy = step(template, "FromZero")

    assert (alarm["MetricName"], alarm["Threshold"], dimensions(alarm)) == (metric, 1, whose)
    assert policy["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    assert target(template)["MinCapacity"] == 0


def test_schedules_and_off_hours_change_the_limits_at_their_times(room: Callable[..., Template]) -> None:
    actions = target(room("realtime"))["ScheduledActions"]

    assert [(a["ScheduledActionName"], a["Schedule"], a["Timezone"], *limits(a)) for a in actions] == [
        ("schedule-1", "cron(0 6 25 11 ? *)", "Europe/Berlin", 3, 9),
        ("schedule-2", "cron(0 6 26 11 ? *)", "UTC", 2, 4),
        ("off-hours-begin", "cron(0 19 ? * MON-FRI *)", "Asia/Tokyo", 1, 1),
        ("off-hours-end", "cron(0 7 ? * MON-FRI *)", "Asia/Tokyo", 2, 5),
    ]


def limits(action: dict[str, Any]) -> tuple[int, int]:
    given = action["ScalableTargetAction"]
    return given["MinCapacity"], given["MaxCapacity"]


def test_what_has_no_instances_is_not_scaled(room: Callable[..., Template]) -> None:
    for kind in ("serverless", "batch"):
        kinds = {one["Type"] for one in room(kind)["Resources"].values()}
        assert not {kind for kind in kinds if kind.startswith("AWS::ApplicationAutoScaling")}
