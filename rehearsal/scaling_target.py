"""One scalable target through the minutes: what is due, what its alarms see, what its policies want, what is moved."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from rehearsal import scaling_alarms
from rehearsal.cron import due_times
from rehearsal.scaling_alarms import LOW_MINUTES, MINUTE, Datapoints, Seen
from rehearsal.scaling_policies import COOLDOWN_SECONDS, Cooldowns, Limits, Wish, chosen, stepped, tracked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rehearsal.api import Caller
    from rehearsal.capacity import Copies, Instances

Json = dict[str, Any]

TRACKS = "TargetTrackingScaling"
OUT, IN, BY_THE_CLOCK = "DynamicScalingOutSuspended", "DynamicScalingInSuspended", "ScheduledScalingSuspended"
AGGREGATED: dict[str, Callable[[list[float]], float]] = {"Maximum": max, "Minimum": min, "Average": fmean}


@dataclass
class ScaledTarget:
    """What moto keeps as a target, and what was done to it; `find` looks up what it names, `tell` hears of activities.

    `outside` says that its limits changed, so that capacity must come within them as soon as it can be moved: otherwise
    what people set by hand stays where it is until a policy is called.
    """

    caller: Caller
    target: Any
    find: Callable[[], Instances | Copies | None]
    tell: Callable[[Json], None]
    outside: bool = False
    cooldowns: Cooldowns = field(default_factory=Cooldowns)

    def pass_by(self, minutes: range) -> None:
        """Minute by minute, but for those in which nothing can happen: long after anything was measured or due."""
        lasting = LOW_MINUTES + max((_cooldown(policy) for policy in self._policies), default=0) // MINUTE + 1
        alarms = [alarm for policy in self._policies for alarm in scaling_alarms.calling(policy)]
        due, datapoints = self._due(minutes), Datapoints(self.caller, alarms, minutes.start - lasting)
        events = {minutes.start, minutes.stop, *due, *datapoints.minutes}
        near = {at for event in events for at in range(event - lasting, event + lasting + 1)}
        for at in sorted(near & set(minutes)):
            for action in due.get(at, []):
                self._schedule(action)
            self._minute(at, datapoints)

    def keep_limits(self, now: datetime) -> None:
        """Come within the limits, if they changed and nothing else is being changed."""
        found = self.find()
        if not self.outside or found is None or not found.movable:
            return
        self.outside = False
        wanted = self._limits.keep(found.count)
        if wanted != found.count:
            side = "minimum" if wanted > found.count else "maximum"
            self._move(found, wanted, f"{side} capacity was set to {wanted}", now)

    def _minute(self, at: int, datapoints: Datapoints) -> None:
        now = datetime.fromtimestamp((at + 1) * MINUTE, UTC)
        self.keep_limits(now)
        found = self.find()
        if found is None:
            return
        for name, value, dimensions in found.pulse():
            datapoints.put(name, value, dimensions, at)
        wishes = [
            wish
            for policy in self._policies
            for one in scaling_alarms.look(scaling_alarms.calling(policy), datapoints, at)
            for wish in self._wishes(policy, one, found.count, now)
        ]
        wish = chosen(found.count, wishes, self._limits, sum(_shrinks(policy) for policy in self._policies))
        if wish and found.movable:
            self.cooldowns.note(found.count, wish.capacity, now)
            self._move(found, wish.capacity, wish.cause, now)

    def _wishes(self, policy: Any, seen: Seen, count: int, now: datetime) -> Iterator[Wish]:
        """What a policy wants when an alarm calls it; growing is reckoned from before what cools down.

        A policy that tracks a target grows by the one of its alarms and shrinks by the other.
        """
        if not seen.raised:
            return
        more = _wanted(policy, seen, self.cooldowns.base(count, now, _cooldown(policy, "ScaleOutCooldown")))
        less = _wanted(policy, seen, count)
        tracks = policy.policy_type == TRACKS
        may_grow = not (tracks and seen.below) and not self._suspended(OUT)
        may_shrink = (_shrinks(policy) or not tracks) and not self._suspended(IN)
        if more > count and may_grow:
            yield Wish(more, policy.policy_name, seen.alarm.name, tracks)
        elif less < count and may_shrink and self.cooldowns.may_shrink(now, _cooldown(policy)):
            yield Wish(less, policy.policy_name, seen.alarm.name, tracks)

    def _move(self, found: Instances | Copies, count: int, cause: str, now: datetime) -> None:
        found.move(count)
        what = f"desired {found.noun} count to {count}"
        self.tell(
            {
                "ActivityId": str(uuid.uuid4()),
                "ServiceNamespace": self.target.service_namespace,
                "ResourceId": self.target.resource_id,
                "ScalableDimension": self.target.scalable_dimension,
                "Description": f"Setting {what}.",
                "Cause": cause,
                "StartTime": now,
                "EndTime": now,
                "StatusCode": "Successful",
                "StatusMessage": f"Successfully set {what}. Change successfully fulfilled by sagemaker.",
            }
        )

    @property
    def _limits(self) -> Limits:
        return Limits(self.target.min_capacity, self.target.max_capacity)

    def _suspended(self, what: str) -> bool:
        return bool((self.target.suspended_state or {}).get(what))

    @property
    def _policies(self) -> list[Any]:
        kept = self.target.applicationautoscaling_backend.policies.values()
        return [policy for policy in list(kept) if self._is_of_this(policy)]

    def _is_of_this(self, kept: Any) -> bool:
        target = self.target
        return (kept.resource_id, kept.scalable_dimension) == (target.resource_id, target.scalable_dimension)

    def _due(self, minutes: range) -> dict[int, list[Any]]:
        """Scheduled actions by the minute in which they fall due."""
        begin, end = (datetime.fromtimestamp(at * MINUTE, UTC) for at in (minutes.start, minutes.stop))
        found: dict[int, list[Any]] = {}
        for action in list(self.target.applicationautoscaling_backend.scheduled_actions):
            if self._is_of_this(action) and not self._suspended(BY_THE_CLOCK):
                zone, instant = ZoneInfo(action.timezone or "UTC"), timedelta(microseconds=1)
                span = ((begin - instant).astimezone(zone), (end - instant).astimezone(zone))
                for due in due_times(action.schedule, *span):
                    if _begun(action.start_time, due) and not _ended(action.end_time, due):
                        found.setdefault(scaling_alarms.minute(due), []).append(action)
        return found

    def _schedule(self, action: Any) -> None:
        """A scheduled action sets limits, and capacity comes within them."""
        given = action.scalable_target_action
        self.target.update(given.get("MinCapacity"), given.get("MaxCapacity"), None)
        self.outside = True


def _begun(start: Any, due: datetime) -> bool:
    return start is None or datetime.fromtimestamp(float(start), UTC) <= due


def _ended(end: Any, due: datetime) -> bool:
    return end is not None and due > datetime.fromtimestamp(float(end), UTC)


def _shrinks(policy: Any) -> bool:
    """Whether a policy tracks a target and may shrink for it."""
    configuration = policy.target_tracking_scaling_policy_configuration
    return policy.policy_type == TRACKS and not configuration.get("DisableScaleIn", False)


def _cooldown(policy: Any, side: str = "ScaleInCooldown") -> int:
    """Seconds; a step policy has one for both sides."""
    if policy.policy_type == TRACKS:
        return int(policy.target_tracking_scaling_policy_configuration.get(side, COOLDOWN_SECONDS))
    return int(policy.step_scaling_policy_configuration.get("Cooldown", COOLDOWN_SECONDS))


def _wanted(policy: Any, seen: Seen, capacity: int) -> int:
    if policy.policy_type == TRACKS:
        target = float(policy.target_tracking_scaling_policy_configuration["TargetValue"])
        return tracked(capacity, seen.value, target)
    configuration = policy.step_scaling_policy_configuration
    value = AGGREGATED[configuration.get("MetricAggregationType", "Average")](seen.measured)
    return stepped(capacity, value - seen.alarm.threshold, configuration)
