"""Application Auto Scaling: instances and copies follow their load, steps and schedules, as simulated time passes.

moto keeps targets, policies and scheduled actions; here they are carried out, each minute that passed, skipped minutes
included. What is scaled has its new capacity at once.
https://docs.aws.amazon.com/autoscaling/application/userguide/what-is-application-auto-scaling.html
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from moto.applicationautoscaling.models import ApplicationAutoscalingBackend, applicationautoscaling_backends
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from rehearsal import capacity, scaling_alarms
from rehearsal.api import Caller, install
from rehearsal.clock import clock
from rehearsal.paging import page
from rehearsal.scaling_target import ScaledTarget

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rehearsal.hosted import Region

Json = dict[str, Any]

log = logging.getLogger(__name__)

SAGEMAKER = "sagemaker"
FILTERS = ("ServiceNamespace", "ResourceId", "ScalableDimension")


class Scaling:
    """Carries out what moto keeps of the models that `regions` host, by account and region."""

    def __init__(self, regions: Mapping[Caller, Region]) -> None:
        self.regions = regions
        self._next = scaling_alarms.minute(clock.now())
        self._targets: dict[tuple[Caller, str, str], ScaledTarget] = {}
        self._activities: defaultdict[Caller, list[Json]] = defaultdict(list)
        self._lock = threading.Lock()

    def install(self) -> None:
        install(ApplicationAutoScalingResponse, {"DescribeScalingActivities": self.DescribeScalingActivities})
        register = ApplicationAutoscalingBackend.register_scalable_target

        def register_scalable_target(backend: Any, *given: Any, **named: Any) -> Any:
            target = register(backend, *given, **named)
            self.registered(Caller(backend.account_id, backend.region_name), target)
            return target

        setattr(ApplicationAutoscalingBackend, "register_scalable_target", register_scalable_target)  # noqa: B010 a mend of moto

    def start(self) -> None:
        clock.follow(self.look)

    def DescribeScalingActivities(self, caller: Caller, request: Json) -> Json:  # noqa: N802 AWS's name
        wanted = {key: request[key] for key in FILTERS if request.get(key)}
        found = [one for one in self._activities[caller] if all(one[key] == value for key, value in wanted.items())]
        return page("ScalingActivities", found, request)

    def look(self) -> None:
        """Carry out the minutes that are over since the last look."""
        with self._lock:
            begin, self._next = self._next, max(self._next, scaling_alarms.minute(clock.now()))
            for target in [*self._scaled()] if begin < self._next else []:
                try:
                    target.pass_by(range(begin, self._next))
                except Exception:
                    log.exception("scalable target %s", target.target.resource_id)

    def registered(self, caller: Caller, target: Any) -> None:
        """Capacity comes within the limits that were given."""
        if target.service_namespace == SAGEMAKER:
            with self._lock:
                scaled = self._of(caller, target)
                scaled.outside = True
                scaled.keep_limits(clock.now())

    def _scaled(self) -> Iterator[ScaledTarget]:
        for account, regions in list(applicationautoscaling_backends.items()):
            for region, backend in list(regions.items()):
                for targets in list(backend.targets.values()):
                    for target in list(targets.values()):
                        if target.service_namespace == SAGEMAKER:
                            yield self._of(Caller(account, region), target)

    def _of(self, caller: Caller, target: Any) -> ScaledTarget:
        """What was done to a target; one that was registered anew has no past."""
        known = (caller, target.resource_id, target.scalable_dimension)
        if known not in self._targets or self._targets[known].target is not target:
            find = partial(capacity.find, self.regions[caller], target.resource_id)
            self._targets[known] = ScaledTarget(caller, target, find, self._activities[caller].append)
        return self._targets[known]
