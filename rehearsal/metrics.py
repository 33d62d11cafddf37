"""CloudWatch's numbers: put where moto keeps them, at the embedded AWS's own time, and alarms decided by them.

moto keeps alarms and metrics and never brings the two together.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import MetricDatum, cloudwatch_backends

from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from rehearsal.resources import Place

Json = dict[str, Any]

COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Minimum": min,
    "Average": lambda values: sum(values) / len(values),
    "SampleCount": lambda values: float(len(values)),
}


@dataclass(frozen=True)
class Verdict:
    """Whether an alarm is in ALARM, and by which figure."""

    alarm: str
    raised: bool
    reason: str


def put(place: Place, namespace: str, values: Mapping[str, float], dimensions: Mapping[str, str]) -> None:
    """One value of each metric, now."""
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    kept = cloudwatch_backends[place.account][place.region].metric_data
    kept += [MetricDatum(namespace, metric, value, named, clock.now()) for metric, value in values.items()]


def judge(place: Place, name: str, since: datetime) -> Verdict:
    """Decide an alarm by what was measured since a time, and set its state so."""
    cloudwatch = place.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not found:
        return Verdict(name, raised=True, reason=f"alarm {name} does not exist")
    alarm = found[0]
    figure = _figure(place, alarm, since)
    if figure is None:
        raised, reason = alarm.get("TreatMissingData") == "breaching", "no data"
    else:
        raised = COMPARISONS[alarm["ComparisonOperator"]](figure, alarm["Threshold"])
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        reason = f"{alarm['MetricName']} {statistic} is {figure:g}, the threshold {alarm['Threshold']:g}"
    state = "ALARM" if raised else "OK"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
    return Verdict(name, raised, reason)


def _figure(place: Place, alarm: Json, since: datetime) -> float | None:
    wanted = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    values = [
        datum.value
        for datum in list(cloudwatch_backends[place.account][place.region].metric_data)
        if isinstance(datum, MetricDatum)
        and datum.namespace == alarm["Namespace"]
        and datum.name == alarm["MetricName"]
        and _utc(datum.timestamp) >= since - timedelta(seconds=1)
        and {dimension.name: dimension.value for dimension in datum.dimensions} == wanted
    ]
    if not values:
        return None
    if "ExtendedStatistic" in alarm:
        share = float(alarm["ExtendedStatistic"].removeprefix("p")) / 100
        return sorted(values)[min(int(share * len(values)), len(values) - 1)]
    return float(STATISTICS[alarm["Statistic"]](values))


def _utc(time: datetime) -> datetime:
    """Moto keeps times as they came, some without a zone."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)
