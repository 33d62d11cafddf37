"""CloudWatch's numbers: put where moto keeps them, at the embedded AWS's own time, and alarms decided by them.

moto keeps alarms and metrics and never brings the two together. It stamps both with this machine's time, which is
behind as soon as a wait was skipped, and forgets the state of an alarm that is changed; CloudWatch keeps it.
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/AlarmThatSendsEmail.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from moto.cloudwatch.models import Alarm, CloudWatchBackend, MetricDatum, cloudwatch_backends
from moto.cloudwatch.responses import CloudWatchResponse

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

EVALUATED_SECONDS = 60
"""How often CloudWatch looks at an alarm of a minute's period; until then it says what it said."""

STATE = ("state_value", "state_reason", "state_reason_data", "state_updated_timestamp", "history")


def install() -> None:
    """Let what is put, and what is decided, have the embedded AWS's time; a changed alarm keeps its state."""
    put_data, put_alarm, decide = (
        CloudWatchBackend.put_metric_data,
        CloudWatchBackend.put_metric_alarm,
        Alarm.update_state,
    )

    def put_metric_data(self: Any, namespace: str, metric_data: list[Json]) -> None:
        now = clock.now()
        put_data(self, namespace, [{**datum, "Timestamp": datum.get("Timestamp") or now} for datum in metric_data])

    def put_metric_alarm(self: Any, name: str, **given: Any) -> Any:
        before, made = self.alarms.get(name), put_alarm(self, name, **given)
        for key in STATE if before else ():
            setattr(made, key, getattr(before, key))
        return made

    def update_state(self: Any, *told: Any) -> None:
        decide(self, *told)
        self.state_updated_timestamp = clock.now()

    setattr(CloudWatchBackend, "put_metric_data", put_metric_data)  # noqa: B010 mends of moto, here and below
    setattr(CloudWatchBackend, "put_metric_alarm", put_metric_alarm)  # noqa: B010
    setattr(Alarm, "update_state", update_state)  # noqa: B010
    setattr(CloudWatchResponse, "describe_alarms", _in_the_state(CloudWatchResponse.describe_alarms))  # noqa: B010


def _in_the_state(describe: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Whoever asks by name and state hears of alarms to which both apply; to moto the name alone counts."""

    def describe_alarms(response: Any) -> Any:
        answer, state = describe(response), response._get_param("StateValue")  # noqa: SLF001 moto gives no other way
        for kind, alarms in answer.result.items() if state else ():
            answer.result[kind] = [alarm for alarm in alarms if alarm.state_value == state]
        return answer

    return describe_alarms


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
    """Decide an alarm of what began at a time by its last periods, and set its state so.

    One that was raised shortly before, and is of something else by now, is still raised: who looks at once sees that.
    """
    cloudwatch = place.client("cloudwatch")
    found = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]
    if not found:
        return Verdict(name, raised=True, reason=f"alarm {name} does not exist")
    alarm = found[0]
    raised_at = _utc(alarm["StateUpdatedTimestamp"])
    if alarm["StateValue"] == "ALARM" and clock.now() - timedelta(seconds=EVALUATED_SECONDS) < raised_at < since:
        return Verdict(name, raised=True, reason=f"it was before this began: {alarm['StateReason']}")
    figure = _figure(place, alarm)
    if figure is None:
        raised, reason = alarm.get("TreatMissingData") == "breaching", "no data"
    else:
        raised = COMPARISONS[alarm["ComparisonOperator"]](figure, alarm["Threshold"])
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        reason = f"{alarm['MetricName']} {statistic} is {figure:g}, the threshold {alarm['Threshold']:g}"
    state = "ALARM" if raised else "OK"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=reason)
    return Verdict(name, raised, reason)


def _figure(place: Place, alarm: Json) -> float | None:
    """The statistic of the periods that the alarm looks at, taken as one; None where nothing was measured."""
    begins = clock.now() - timedelta(seconds=alarm["Period"] * alarm["EvaluationPeriods"])
    wanted = {dimension["Name"]: dimension["Value"] for dimension in alarm["Dimensions"]}
    values = [
        datum.value
        for datum in list(cloudwatch_backends[place.account][place.region].metric_data)
        if isinstance(datum, MetricDatum)
        and datum.namespace == alarm["Namespace"]
        and datum.name == alarm["MetricName"]
        and _utc(datum.timestamp) > begins
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
