"""Application Auto Scaling carried out: what simulated minutes make of load, steps, schedules and limits."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudwatch.models import cloudwatch_backends

from rehearsal import first_instance, scaling_registry
from rehearsal.answered import Answer, tell
from rehearsal.api import Caller, ServiceError
from rehearsal.clock import clock
from rehearsal.fleet import Fleet, Origin
from rehearsal.hosted import Endpoint, Region
from rehearsal.load import load
from rehearsal.scaling import Scaling

ACCOUNTS = itertools.count(990000000000)
VARIANT, RESOURCE = "sagemaker:variant:DesiredInstanceCount", "endpoint/live/variant/main"
COPIES, COMPONENT = "sagemaker:inference-component:DesiredCopyCount", "inference-component/one"


@dataclass
class World:
    """An account with one endpoint whose fleet nobody started; time passes by the minute."""

    account: str = field(default_factory=lambda: str(next(ACCOUNTS)))
    resource: str = RESOURCE
    dimension: str = VARIANT

    def __post_init__(self) -> None:
        scaling_registry.install()
        self.caller = Caller(self.account, "eu-west-1")
        self.region = Region()
        self.scaling = Scaling(defaultdict(Region, {self.caller: self.region}))
        self.backend: Any = applicationautoscaling_backends[self.account]["eu-west-1"]
        self.cloudwatch: Any = cloudwatch_backends[self.account]["eu-west-1"]
        self.fleet = self._fleet("")
        described = {"EndpointName": "live", "EndpointStatus": "InService"}
        self.endpoint = Endpoint(described, {"ProductionVariants": [{"VariantName": "main"}]}, [self.fleet])
        self.region.endpoints["live"] = self.endpoint
        now = clock.now()
        self.skip(60 - now.second - now.microsecond / 1e6)

    def _fleet(self, component: str) -> Fleet:
        place: Any = SimpleNamespace(account=self.account, region="eu-west-1")
        return Fleet(Origin("live", "main", "c-1", component), place, {}, instances=2)

    def skip(self, seconds: float) -> None:
        clock.skip(seconds, "a test")
        self.scaling.look()

    def minutes(self, *requests: int) -> list[int]:
        """So many requests in each minute; the instances at the end of each."""
        found = []
        for count in requests:
            for _ in range(count):
                tell(self.fleet, Answer(200, 1000.0))
            self.skip(60)
            found.append(self.fleet.instances)
        return found

    def target(self, least: int, most: int, **suspended: bool) -> Any:
        target = self.backend.register_scalable_target(
            "sagemaker", self.resource, self.dimension, least, most, "", suspended or None
        )
        self.scaling.registered(self.caller, target)
        return target

    def put(self, name: str, kind: str, body: dict[str, Any]) -> Any:
        return self.backend.put_scaling_policy(
            policy_name=name,
            service_namespace="sagemaker",
            resource_id=self.resource,
            scalable_dimension=self.dimension,
            policy_body=body,
            policy_type=kind,
        )

    def track(self, target: float, metric: str = "SageMakerVariantInvocationsPerInstance", **more: Any) -> Any:
        predefined = {"PredefinedMetricSpecification": {"PredefinedMetricType": metric}}
        body = {"TargetValue": target, "ScaleInCooldown": 300, "ScaleOutCooldown": 60, **predefined, **more}
        return self.put("load", "TargetTrackingScaling", body)

    def step(self, adds: int) -> Any:
        steps = [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": adds}]
        body = {"AdjustmentType": "ChangeInCapacity", "Cooldown": 60, "MetricAggregationType": "Maximum"}
        return self.put("peak", "StepScaling", {**body, "StepAdjustments": steps})

    def call(self, policy: Any, **alarm: Any) -> None:
        """An alarm that calls a policy."""
        rule = {"comparison_operator": "GreaterThanOrEqualToThreshold", "evaluation_periods": 1, "period": 60}
        named = {"name": "peak", "namespace": "AWS/SageMaker", "description": "", "statistic": "Sum"}
        self.cloudwatch.put_metric_alarm(**{**named, **rule, **alarm}, alarm_actions=[policy.policy_arn])

    def schedule(self, name: str, when: str, least: int | None, most: int | None, zone: str = "") -> None:
        limits = {"MinCapacity": least, "MaxCapacity": most}
        self.backend.put_scheduled_action(
            "sagemaker", when, zone, name, self.resource, self.dimension, None, None, limits
        )

    @property
    def activities(self) -> list[dict[str, Any]]:
        found = self.scaling.DescribeScalingActivities(self.caller, {"ServiceNamespace": "sagemaker"})
        listed: list[dict[str, Any]] = found["ScalingActivities"]
        return listed

    @property
    def causes(self) -> list[str]:
        """The oldest first."""
        return [one["Cause"] for one in reversed(self.activities)]


VARIANT_NAMES = [{"Name": "EndpointName", "Value": "live"}, {"Name": "VariantName", "Value": "main"}]


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def no_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Minutes pass when the test says so."""
    monkeypatch.setattr(first_instance, "hasten", lambda *_: None)


def test_three_minutes_above_the_target_add_what_the_load_needs(world: World) -> None:
    world.target(2, 9)
    world.track(10)

    assert world.minutes(50, 50, 50) == [2, 2, 5]  # 25 a minute for each of two, and each is to have 10

    [activity] = world.activities
    assert activity["Description"] == "Setting desired instance count to 5."
    assert activity["Cause"].startswith(f"monitor alarm TargetTracking-{RESOURCE}-AlarmHigh-")
    assert activity["Cause"].endswith(" in state ALARM triggered policy load")
    assert (activity["ResourceId"], activity["StatusCode"]) == (RESOURCE, "Successful")
    assert world.endpoint.described["ProductionVariants"][0]["DesiredInstanceCount"] == 5
    assert world.minutes(50, 50, 50) == [5, 5, 5]  # now each has its target


def test_a_short_peak_and_a_load_at_the_target_add_nothing(world: World) -> None:
    world.target(2, 9)
    world.track(10)

    assert world.minutes(50, 50, 20, 50, 50, 20, 20, 20) == [2] * 8
    assert not world.activities


def test_one_request_may_stand_for_many(world: World) -> None:
    world.target(2, 9)
    world.track(10)
    load.order("live", 25)

    try:
        assert world.minutes(2, 2, 2) == [2, 2, 5]
    finally:
        load.order("live", 1)


def test_never_more_than_the_most(world: World) -> None:
    world.target(2, 3)
    world.track(10)

    assert world.minutes(90, 90, 90, 90) == [2, 2, 3, 3]


def test_fifteen_quiet_minutes_take_the_instances_back(world: World) -> None:
    world.target(2, 9)
    world.track(10)
    world.minutes(50, 50, 50)

    assert world.minutes(*[0] * 14) == [5] * 14
    assert world.minutes(0) == [2]
    assert "-AlarmLow-" in world.causes[-1]
    assert world.minutes(*[0] * 20) == [2] * 20


def test_as_many_are_removed_as_the_load_can_spare(world: World) -> None:
    world.target(2, 9)
    world.track(10)
    world.minutes(50, 50, 50)

    assert world.minutes(*[24] * 15)[-1] == 3


def test_the_next_shrinking_waits_for_the_cooldown(world: World) -> None:
    world.target(1, 9)
    world.track(10)
    world.minutes(50, 50, 50)

    assert world.minutes(*[24] * 15)[-1] == 3
    assert world.minutes(0, 0, 0, 0) == [3] * 4
    assert world.minutes(0) == [1]


def test_the_next_growing_reckons_from_before_until_it_cooled_down(world: World) -> None:
    world.target(2, 20)
    world.track(10, ScaleOutCooldown=300)

    assert world.minutes(50, 50, 50) == [2, 2, 5]
    assert world.minutes(60, 60, 60, 60) == [5] * 4  # 12 for each of five: three, reckoned from two
    assert world.minutes(60) == [6]


def test_a_policy_may_be_forbidden_to_shrink(world: World) -> None:
    world.target(1, 9)
    world.track(10, DisableScaleIn=True)

    assert world.minutes(*[0] * 20) == [2] * 20


@pytest.mark.parametrize(
    ("what", "loads", "instances"),
    [("DynamicScalingOutSuspended", [50] * 4, 2), ("DynamicScalingInSuspended", [0] * 20, 2)],
)
def test_what_is_suspended_does_not_happen(world: World, what: str, loads: list[int], instances: int) -> None:
    world.target(1, 9, **{what: True})
    world.track(10)

    assert world.minutes(*loads)[-1] == instances


def test_a_step_adds_at_once_and_once_a_cooldown(world: World) -> None:
    world.target(2, 9)
    alarm = {"metric_name": "InvocationsPerInstance", "dimensions": VARIANT_NAMES, "threshold": 20}
    world.call(world.step(1), **alarm)
    world.step(2)  # put again, it is still the one that the alarm names

    assert world.minutes(30) == [2]
    assert world.minutes(60) == [4]
    assert world.causes == ["monitor alarm peak in state ALARM triggered policy peak"]
    assert world.cloudwatch.alarms["peak"].state_value == "ALARM"
    assert world.minutes(60) == [4]
    assert world.cloudwatch.alarms["peak"].state_value == "OK"


def test_the_policy_that_wants_most_decides(world: World) -> None:
    world.target(2, 9)
    world.track(10)
    world.call(world.step(5), metric_name="InvocationsPerInstance", dimensions=VARIANT_NAMES, threshold=25)

    assert world.minutes(40, 40, 50) == [2, 2, 7]


def test_an_alarm_of_a_percentile_calls_too(world: World) -> None:
    world.target(2, 9)
    slow = {"metric_name": "ModelLatency", "statistic": None, "extended_statistic": "p95", "threshold": 500}
    world.call(world.step(1), **slow, dimensions=VARIANT_NAMES)

    assert world.minutes(1) == [3]


def test_limits_that_are_registered_hold_at_once(world: World) -> None:
    world.target(4, 9)
    assert world.fleet.instances == 4

    world.target(1, 3)

    assert world.fleet.instances == 3
    assert world.causes == ["minimum capacity was set to 4", "maximum capacity was set to 3"]


def test_what_people_set_beyond_the_limits_stays(world: World) -> None:
    world.target(1, 3)
    world.track(10, DisableScaleIn=True)

    world.fleet.instances = 5

    assert world.minutes(0, 0) == [5, 5]


def to(hour: int) -> float:
    """Seconds until shortly after that hour of a Monday in Berlin."""
    from zoneinfo import ZoneInfo

    now = clock.now().astimezone(ZoneInfo("Europe/Berlin"))
    ahead = (7 - now.weekday()) % 7 or 7
    due = (now + timedelta(days=ahead)).replace(hour=hour, minute=1, second=0, microsecond=0)
    return (due - now).total_seconds()


def test_scheduled_actions_set_limits_in_their_zone(world: World) -> None:
    target = world.target(2, 4)
    world.schedule("off-hours-begin", "cron(0 19 ? * MON-FRI *)", 1, 1, "Europe/Berlin")
    world.schedule("off-hours-end", "cron(0 7 ? * MON-FRI *)", 2, 4, "Europe/Berlin")

    world.skip(to(7))
    assert (world.fleet.instances, target.min_capacity, target.max_capacity) == (2, 2, 4)
    world.skip(12 * 3600)
    assert (world.fleet.instances, target.min_capacity, target.max_capacity) == (1, 1, 1)
    world.skip(12 * 3600)
    assert world.fleet.instances == 2
    assert world.causes == ["maximum capacity was set to 1", "minimum capacity was set to 2"] * (
        len(world.activities) // 2
    )


def test_rates_and_single_times_fall_due(world: World) -> None:
    target = world.target(1, 9)
    at = clock.now() + timedelta(minutes=3)
    world.schedule("once", f"at({at:%Y-%m-%dT%H:%M:%S})", 3, None)

    assert world.minutes(0, 0, 0, 0)[-1] == 3
    target.min_capacity = 1
    assert world.minutes(0, 0) == [3, 3]
    world.schedule("often", "rate(5 minutes)", None, 2)
    assert world.minutes(0, 0, 0, 0, 0)[-1] == 2


def test_schedules_may_be_suspended(world: World) -> None:
    world.target(1, 9, ScheduledScalingSuspended=True)
    world.schedule("often", "rate(1 minute)", 5, None)

    assert world.minutes(0, 0) == [2, 2]


def test_a_month_that_is_skipped_is_carried_out(world: World) -> None:
    world.target(1, 4)
    world.track(10)
    world.schedule("morning", "cron(0 7 * * ? *)", 3, None)
    world.schedule("evening", "cron(0 19 * * ? *)", 1, None)
    before = len(world.cloudwatch.metric_data)

    world.skip(30 * 86_400)

    mornings = [cause for cause in world.causes if cause == "minimum capacity was set to 3"]
    evenings = [one for one in world.activities if "-AlarmLow-" in one["Cause"]]
    assert len(mornings) in {29, 30, 31}
    assert abs(len(evenings) - len(mornings)) <= 1
    assert all(one["EndTime"].hour == 19 for one in evenings[:-1])  # fifteen quiet minutes were over long before
    assert len(world.cloudwatch.metric_data) - before < 5000  # not one for each minute


def test_nothing_scales_while_the_endpoint_is_updated(world: World) -> None:
    world.target(2, 9)
    world.track(10)
    world.endpoint.turn("Updating")

    assert world.minutes(50, 50, 50, 50) == [2] * 4
    world.schedule("often", "rate(1 minute)", 3, None)
    assert world.minutes(0) == [2]
    world.endpoint.turn("InService")
    assert world.minutes(0) == [3]


def test_a_target_without_its_endpoint_waits_for_it(world: World) -> None:
    endpoint = world.region.endpoints.pop("live")
    world.target(3, 9)

    assert world.minutes(0) == [2]
    world.region.endpoints["live"] = endpoint
    assert world.minutes(0) == [3]


# A queue.


@pytest.fixture
def queue(world: World) -> World:
    world.fleet.queued = True
    world.endpoint.config["AsyncInferenceConfig"] = {}
    metric = {"MetricName": "ApproximateBacklogSizePerInstance", "Namespace": "AWS/SageMaker", "Statistic": "Average"}
    world.target(0, 5)
    body = {"TargetValue": 5, "CustomizedMetricSpecification": {**metric, "Dimensions": VARIANT_NAMES[:1]}}
    world.put("load", "TargetTrackingScaling", body)
    return world


def measured(world: World, name: str) -> list[float]:
    return [datum.value for datum in world.cloudwatch.metric_data if datum.name == name]


def test_what_waits_per_instance_is_followed(queue: World) -> None:
    queue.endpoint.queue.size = 18

    assert queue.minutes(0, 0, 0) == [2, 2, 4]
    assert measured(queue, "ApproximateBacklogSizePerInstance") == [9.0] * 3
    assert measured(queue, "ApproximateBacklogSize") == [18.0] * 3
    queue.endpoint.queue.size = 0
    assert queue.minutes(*[0] * 15)[-1] == 0


def test_a_queue_tells_no_invocations(queue: World) -> None:
    queue.minutes(3)

    assert not measured(queue, "Invocations")
    assert not measured(queue, "InvocationsPerInstance")
    assert measured(queue, "Invocation5XXErrors")


def test_the_first_that_waits_brings_the_first_instance(queue: World) -> None:
    queue.call(queue.step(1), metric_name="HasBacklogWithoutCapacity", dimensions=VARIANT_NAMES[:1], threshold=1)
    assert queue.minutes(*[0] * 15)[-1] == 0
    queue.endpoint.queue.size = 1
    assert queue.minutes(0) == [1]
    assert queue.causes[-1] == "monitor alarm peak in state ALARM triggered policy peak"
    assert measured(queue, "HasBacklogWithoutCapacity") == [0.0] * 15 + [1.0]


def test_without_a_step_the_queue_must_exceed_the_target(queue: World) -> None:
    queue.fleet.instances = 0

    queue.endpoint.queue.size = 5
    assert queue.minutes(0, 0, 0) == [0, 0, 0]
    queue.endpoint.queue.size = 6
    assert queue.minutes(0, 0, 0) == [0, 0, 2]


# Copies of a component.


@pytest.fixture
def component() -> World:
    world = World(resource=COMPONENT, dimension=COPIES)
    world.fleet = world._fleet("one")
    world.endpoint.fleets.clear()
    world.endpoint.components["one"] = world.fleet
    world.region.components["one"] = {
        "InferenceComponentName": "one",
        "EndpointName": "live",
        "InferenceComponentStatus": "InService",
        "RuntimeConfig": {"DesiredCopyCount": 2, "CurrentCopyCount": 2},
    }
    world.target(0, 5)
    world.track(10, "SageMakerInferenceComponentInvocationsPerCopy")
    return world


def test_copies_follow_their_load_to_zero(component: World) -> None:
    assert component.minutes(35, 35, 35) == [2, 2, 4]
    assert component.activities[0]["Description"] == "Setting desired copy count to 4."

    assert component.minutes(*[0] * 15)[-1] == 0
    runtime = component.region.components["one"]["RuntimeConfig"]
    assert runtime == {"DesiredCopyCount": 0, "CurrentCopyCount": 0}


@pytest.mark.usefixtures("no_hurry")
def test_a_request_that_finds_no_copy_brings_one(component: World) -> None:
    named = [{"Name": "InferenceComponentName", "Value": "one"}]
    component.call(
        component.step(1),
        metric_name="NoCapacityInvocationFailures",
        dimensions=named,
        threshold=1,
        statistic="Maximum",
    )
    component.minutes(*[0] * 15)
    before = len(measured(component, "InvocationsPerCopy"))

    assert component.minutes(0, 0) == [0, 0]
    assert len(measured(component, "InvocationsPerCopy")) == before  # there is no copy to tell of
    refused = first_instance.refused(component.fleet)
    assert component.minutes(0) == [1]
    assert refused.message.startswith("Inference Component has no capacity to process this request.")
    assert component.minutes(0, 0) == [1, 1]


# The registry.


def test_a_metric_that_nobody_carries_out_is_named(world: World) -> None:
    world.target(1, 2)

    with pytest.raises(ServiceError, match="does not scale by SageMakerVariantProvisionedConcurrencyUtilization"):
        world.track(1, "SageMakerVariantProvisionedConcurrencyUtilization")
    assert not world.backend.policies


def test_policies_schedules_and_alarms_go_with_their_target(world: World) -> None:
    world.target(1, 2)
    world.track(1)
    world.track(2)
    world.schedule("often", "rate(1 minute)", 1, 2)
    sides = sorted(name.split("-")[-6] for name in world.cloudwatch.alarms)
    assert sides == ["AlarmHigh", "AlarmLow"]  # of the policy as it is, and none of what it was

    world.backend.deregister_scalable_target("sagemaker", RESOURCE, VARIANT)

    assert not world.backend.policies
    assert not world.backend.scheduled_actions
    assert not world.cloudwatch.alarms


def test_activities_are_told_by_target_and_page(world: World) -> None:
    world.target(3, 9)
    world.target(4, 9)
    ask: Callable[[dict[str, Any]], dict[str, Any]] = lambda more: world.scaling.DescribeScalingActivities(  # noqa: E731
        world.caller, {"ServiceNamespace": "sagemaker", **more}
    )

    first = ask({"MaxResults": 1})
    assert [one["Cause"] for one in first["ScalingActivities"]] == ["minimum capacity was set to 4"]
    second = ask({"NextToken": first["NextToken"]})
    assert [one["Cause"] for one in second["ScalingActivities"]] == ["minimum capacity was set to 3"]
    assert not ask({"ResourceId": "endpoint/other/variant/main"})["ScalingActivities"]
    assert isinstance(first["ScalingActivities"][0]["StartTime"], datetime)
