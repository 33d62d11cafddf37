"""Blue/green deployment of an endpoint: traffic goes over in steps, each baked; an alarm takes all of it back.

https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-blue-green.html
The alarms are looked at in the name of the execution role, which needs cloudwatch:DescribeAlarms. SageMaker demands the
right and does not say what becomes of an update without it; here it is taken back, since nobody would watch it.
https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from rehearsal import metrics, role_rights
from rehearsal.clock import clock

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rehearsal.fleet import Fleet
    from rehearsal.resources import Place

Json = dict[str, Any]

WATCHED_SECONDS, WATCHED_AT_LAST = 1.0, 0.5
"""How long of a bake really passes, so that probes and users are answered by the new fleet; the rest is skipped.

With all of the traffic every answer is the new fleet's, so less of it tells as much.
"""

QUIET_SECONDS = 4.0
"""How long the new fleet is given to be asked at all: on a busy machine a probe takes its time, and nobody may ask."""

LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Plan:
    """What DeploymentConfig asks for: the share of traffic on the new fleet, step by step, and the bake of each."""

    steps: tuple[float, ...]
    bake_seconds: float
    alarms: tuple[str, ...]

    @classmethod
    def of(cls, config: Json) -> Self:
        routing = config.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
        alarms = config.get("AutoRollbackConfiguration", {}).get("Alarms", [])
        return cls(
            tuple(_steps(routing)),
            float(routing.get("WaitIntervalInSeconds", 0)),
            tuple(alarm["AlarmName"] for alarm in alarms),
        )


def _steps(routing: Json) -> Iterator[float]:
    """Shares of the whole; a size in instances is taken as one of two, the least a canary can be."""
    size = routing.get("CanarySize") or routing.get("LinearStepSize")
    share = 1.0
    if size:
        share = size["Value"] / 100 if size["Type"] == "CAPACITY_PERCENT" else 0.5
    if routing.get("Type") == "LINEAR":
        yield from (share * number for number in range(1, math.ceil(1 / share)))
    elif routing.get("Type") == "CANARY":
        yield share
    yield 1.0


def shift(plan: Plan, place: Place, fleets: list[Fleet], green: Fleet) -> str | None:
    """Move traffic to the green fleet; returns why it was taken back, or None if all of it stayed."""
    unseen = _unseen(plan, place, green.role)
    if unseen:
        return f"Update failed, the endpoint was rolled back: {unseen}"
    blue = list(fleets)
    since = clock.now()
    fleets.append(green)
    for share in plan.steps:
        green.weight = share
        for fleet in blue:
            fleet.weight = 1 - share
        raised = _bake(plan, place, since, green)
        if raised:
            for fleet in blue:
                fleet.weight = 1.0
            green.weight = 0.0
            return f"Update failed, the endpoint was rolled back: alarm {raised.alarm} is in ALARM: {raised.reason}"
    return None


def _unseen(plan: Plan, place: Place, role: str) -> str | None:
    """Why the execution role cannot look at an alarm of the plan, if so it is."""
    for alarm in plan.alarms:
        arn = place.arn("cloudwatch", f"alarm:{alarm}")
        if not role_rights.may(role, "cloudwatch:DescribeAlarms", arn):
            return f"{role} is not authorized to perform: cloudwatch:DescribeAlarms on resource: {arn}"
    return None


def _bake(plan: Plan, place: Place, since: Any, green: Fleet) -> metrics.Verdict | None:
    """Watch the alarms for a while that really passes, then let the rest of the bake go by."""
    watched = WATCHED_SECONDS if green.weight < 1 else WATCHED_AT_LAST
    begun, before = time.monotonic(), green.answered
    while True:
        # Decided before the alarms are looked at, so that they have seen the last answer.
        enough = watched if green.answered > before else QUIET_SECONDS
        ended = not plan.alarms or time.monotonic() - begun >= enough
        for alarm in plan.alarms:
            verdict = metrics.judge(place, alarm, since)
            if verdict.raised:
                return verdict
        if ended:
            break
        time.sleep(LOOK_SECONDS)
    if plan.bake_seconds:
        clock.skip(plan.bake_seconds, f"the new fleet of endpoint {green.origin.endpoint} is watched")
    return None
