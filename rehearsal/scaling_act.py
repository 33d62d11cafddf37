"""A busy time in the story: an endpoint is asked as much as all its instances bear, then nobody asks.

The requests are real ones, some a minute; each is told as so many that together they are that load.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.embedded import EmbeddedAws

REQUESTS = 4
BUSY_MINUTES, MINUTE_SECONDS, QUIET_SECONDS = 6, 60, 1200
"""Scaling out takes three busy minutes, which may not begin with the clock's; scaling in takes fifteen quiet ones."""


class ScalingActError(Exception):
    """Instances that did not come."""


@dataclass(frozen=True)
class Scaled:
    """How many instances an endpoint had before and has after, what AWS says of the cause, and how long that took."""

    endpoint: str
    before: int
    after: int
    cause: str
    simulated_seconds: float


@dataclass(frozen=True)
class BusyTime:
    """`client` is of the endpoint's account, `ask` sends it one request."""

    aws: EmbeddedAws
    client: Callable[[str], Any]
    endpoint: str
    ask: Callable[[], None]

    def play(self) -> list[Scaled]:
        """Out under load and back in without; nothing where the limits leave no room."""
        count, most = self._instances(), self._target()["MaxCapacity"]
        if count == most:
            return []
        self.aws.order_load(self.endpoint, math.ceil(most * self._bears() / REQUESTS))
        out = self._busy(count)
        self.aws.order_load(self.endpoint, 1)
        return [out, self._pass(out.after, QUIET_SECONDS, "nobody asks")]

    def _busy(self, count: int) -> Scaled:
        for minute in range(1, BUSY_MINUTES + 1):
            for _ in range(REQUESTS):
                self.ask()
            scaled = self._pass(count, MINUTE_SECONDS, "a busy minute")
            if scaled.after != count:
                return replace(scaled, simulated_seconds=minute * MINUTE_SECONDS)
        raise ScalingActError(f"{self.endpoint} still has {count} instances after {BUSY_MINUTES} busy minutes")

    def _pass(self, count: int, seconds: int, why: str) -> Scaled:
        self.aws.skip(seconds, f"endpoint {self.endpoint}, {why}")
        found = self._instances()
        return Scaled(self.endpoint, count, found, self._cause() if found != count else "", seconds)

    def _instances(self) -> int:
        found = self.client("sagemaker").describe_endpoint(EndpointName=self.endpoint)
        return int(found["ProductionVariants"][0]["DesiredInstanceCount"])

    def _target(self) -> dict[str, Any]:
        targets = self.client("application-autoscaling").describe_scalable_targets(ServiceNamespace="sagemaker")
        return self._own(targets["ScalableTargets"])

    def _bears(self) -> float:
        """The load a minute that the policy wants each instance to have."""
        found = self.client("application-autoscaling").describe_scaling_policies(ServiceNamespace="sagemaker")
        tracking = [one for one in found["ScalingPolicies"] if one["PolicyType"] == "TargetTrackingScaling"]
        return float(self._own(tracking)["TargetTrackingScalingPolicyConfiguration"]["TargetValue"])

    def _cause(self) -> str:
        """Of the newest activity."""
        told = self.client("application-autoscaling").describe_scaling_activities(ServiceNamespace="sagemaker")
        return str(self._own(told["ScalingActivities"])["Cause"])

    def _own(self, found: list[dict[str, Any]]) -> dict[str, Any]:
        return next(one for one in found if one["ResourceId"].split("/")[1] == self.endpoint)
