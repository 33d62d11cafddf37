"""The alarms that call scaling policies: which they are, and what they see of the metrics, minute by minute.

A policy that tracks a target has two, as Application Auto Scaling makes them: three minutes above the target, fifteen
below nine tenths of it. Those of a step policy are whoever's who names the policy.
https://docs.aws.amazon.com/autoscaling/application/userguide/target-tracking-scaling-policy-overview.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import MetricDatum, cloudwatch_backends

from rehearsal.api import ServiceError
from rehearsal.metrics import COMPARISONS, STATISTICS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rehearsal.api import Caller

Json = dict[str, Any]
Key = tuple[str, str, frozenset[tuple[str, str]]]

MINUTE = 60
NAMESPACE = "AWS/SageMaker"
HIGH, LOW = "AlarmHigh", "AlarmLow"
HIGH_MINUTES, LOW_MINUTES, LOW_SHARE = 3, 15, 0.9

PREDEFINED = {
    "SageMakerVariantInvocationsPerInstance": "InvocationsPerInstance",
    "SageMakerInferenceComponentInvocationsPerCopy": "InvocationsPerCopy",
}
"""What Application Auto Scaling calls metrics that SageMaker calls otherwise; sums of a minute."""


def key(namespace: str, name: str, dimensions: Mapping[str, str]) -> Key:
    return namespace, name, frozenset(dimensions.items())


def minute(time: datetime) -> int:
    """The minute in which a time is; moto keeps some times without a zone."""
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp() // MINUTE)


class Datapoints:
    """An account's metrics by minute, as far as given alarms look at them."""

    def __init__(self, caller: Caller, alarms: Sequence[Any], since: int) -> None:
        self._kept = cloudwatch_backends[caller.account][caller.region].metric_data
        self._values: dict[Key, dict[int, list[float]]] = {_key_of(alarm): defaultdict(list) for alarm in alarms}
        for datum in list(self._kept):
            if isinstance(datum, MetricDatum) and minute(datum.timestamp) >= since:
                self._index(_key_of(datum, datum.name), minute(datum.timestamp), datum.value)

    @property
    def minutes(self) -> set[int]:
        """Those in which something was measured."""
        return {at for values in self._values.values() for at in values}

    def put(self, name: str, value: float, dimensions: Mapping[str, str], at: int) -> None:
        """One value of a metric of SageMaker's, at the end of a minute."""
        named = [{"Name": one, "Value": of} for one, of in dimensions.items()]
        time = datetime.fromtimestamp((at + 1) * MINUTE - 1, UTC)
        self._kept.append(MetricDatum(NAMESPACE, name, value, named, time))
        self._index(key(NAMESPACE, name, dimensions), at, value)

    def _index(self, wanted: Key, at: int, value: float) -> None:
        if wanted in self._values:
            self._values[wanted][at].append(value)

    def seen(self, alarm: Any, end: int) -> list[float | None]:
        """What an alarm sees at the end of a minute: its statistic of each period, the newest first."""
        length = max(1, int(alarm.period) // MINUTE)
        values, statistic = self._values[_key_of(alarm)], _statistic(alarm)
        periods = []
        for number in range(int(alarm.evaluation_periods)):
            last = end - number * length
            inside = [value for at in range(last - length + 1, last + 1) if at in values for value in values[at]]
            periods.append(statistic(inside) if inside else None)
        return periods


def _statistic(alarm: Any) -> Callable[[Sequence[float]], float]:
    if alarm.statistic == "Sum":
        return fsum  # thirds of requests add up to whole ones
    if not alarm.extended_statistic:
        return STATISTICS[alarm.statistic]
    share = float(alarm.extended_statistic.removeprefix("p")) / 100
    return lambda values: sorted(values)[min(int(share * len(values)), len(values) - 1)]


def _key_of(about: Any, name: str = "") -> Key:
    dimensions = {dimension.name: dimension.value for dimension in about.dimensions}
    return key(about.namespace, name or about.metric_name, dimensions)


@dataclass(frozen=True)
class Seen:
    """An alarm at the end of a minute; `value` is the newest there is."""

    alarm: Any
    points: tuple[float | None, ...]

    @property
    def measured(self) -> list[float]:
        return [point for point in self.points if point is not None]

    @property
    def value(self) -> float:
        return self.measured[0]

    @property
    def below(self) -> bool:
        return str(self.alarm.comparison_operator).startswith("Less")

    @property
    def raised(self) -> bool:
        """Whether enough of the points are beyond the threshold; what is missing breaches only where that is said."""
        compare, alarm = COMPARISONS[self.alarm.comparison_operator], self.alarm
        missing = alarm.treat_missing_data == "breaching"
        beyond = [missing if point is None else compare(point, alarm.threshold) for point in self.points]
        return bool(self.measured) and sum(beyond) >= int(alarm.datapoints_to_alarm or alarm.evaluation_periods)

    def tell(self) -> None:
        """Let DescribeAlarms say it, too."""
        state = "ALARM" if self.raised else "OK" if self.measured else "INSUFFICIENT_DATA"
        if self.alarm.state_value != state:
            self.alarm.update_state(f"the last datapoints are {list(self.points)}", "{}", state)


def look(alarms: Sequence[Any], datapoints: Datapoints, end: int) -> list[Seen]:
    """All of them at the end of a minute."""
    found = [Seen(alarm, tuple(datapoints.seen(alarm, end))) for alarm in alarms]
    for one in found:
        one.tell()
    return found


def calling(policy: Any) -> list[Any]:
    """The alarms that call a policy."""
    alarms = cloudwatch_backends[policy.account_id][policy.region_name].alarms.values()
    return [alarm for alarm in list(alarms) if policy.policy_arn in alarm.alarm_actions and alarm.actions_enabled]


def make(policy: Any, configuration: Json) -> list[Any]:
    """The two alarms of a policy that tracks a target."""
    watched = metric(policy, configuration)
    target = float(configuration["TargetValue"])
    rules: dict[str, Json] = {
        HIGH: {"comparison_operator": "GreaterThanThreshold", "evaluation_periods": HIGH_MINUTES, "threshold": target},
        LOW: {
            "comparison_operator": "LessThanThreshold",
            "evaluation_periods": LOW_MINUTES,
            "threshold": target * LOW_SHARE,
        },
    }
    backend = cloudwatch_backends[policy.account_id][policy.region_name]
    return [
        backend.put_metric_alarm(
            name=f"TargetTracking-{policy.resource_id}-{side}-{policy._guid}",  # noqa: SLF001 moto's own
            description=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.policy_arn}.",
            alarm_actions=[policy.policy_arn],
            period=MINUTE,
            **watched,
            **rule,
        )
        for side, rule in rules.items()
    ]


def metric(policy: Any, configuration: Json) -> Json:
    """The metric that a policy tracks, as an alarm names it; an error for one that is not carried out here."""
    if "CustomizedMetricSpecification" in configuration:
        given = configuration["CustomizedMetricSpecification"]
        if "Metrics" in given:
            raise ServiceError("ValidationException", "the embedded AWS scales by one metric, not by an expression")
        named = {"namespace": given["Namespace"], "metric_name": given["MetricName"], "statistic": given["Statistic"]}
        return {**named, "dimensions": given.get("Dimensions", [])}
    kind = configuration["PredefinedMetricSpecification"]["PredefinedMetricType"]
    if kind not in PREDEFINED:
        message = f"the embedded AWS does not scale by {kind}; it does by {', '.join(PREDEFINED)}"
        raise ServiceError("ValidationException", message)
    dimensions = [{"Name": name, "Value": value} for name, value in owner(policy.resource_id).items()]
    return {
        "namespace": NAMESPACE,
        "metric_name": PREDEFINED[kind],
        "statistic": "Sum",
        "dimensions": dimensions,
    }


def owner(resource: str) -> dict[str, str]:
    """The dimensions of a scalable target's metrics, from its id: `endpoint/<e>/variant/<v>`, or a component's."""
    parts = resource.split("/")
    if parts[0] == "endpoint":
        return {"EndpointName": parts[1], "VariantName": parts[3]}
    return {"InferenceComponentName": parts[1]}
