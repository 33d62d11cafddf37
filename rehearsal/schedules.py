"""EventBridge Scheduler: schedules fall due as the embedded AWS's time passes, skipped time included.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from moto.scheduler.models import scheduler_backends

from rehearsal.api import Caller
from rehearsal.clock import clock
from rehearsal.cron import due_times
from rehearsal.events import deliver

if TYPE_CHECKING:
    from collections.abc import Callable

    from rehearsal.resources import Place

log = logging.getLogger(__name__)


class Schedules:
    """Carries out the schedules of all accounts."""

    def __init__(self, place: Callable[[Caller], Place]) -> None:
        self._place = place
        self._last = clock.now()
        self._lock = threading.Lock()

    def start(self) -> None:
        clock.follow(self.look)

    def look(self) -> None:
        """Carry out what fell due since the last look."""
        with self._lock:
            before, self._last = self._last, clock.now()
            for account, regions in list(scheduler_backends.items()):
                for region, backend in list(regions.items()):
                    for group in list(backend.schedule_groups.values()):
                        for schedule in list(group.schedules.values()):
                            self._carry_out(Caller(account, region), schedule, before, self._last)

    def _carry_out(self, caller: Caller, schedule: Any, before: datetime, now: datetime) -> None:
        if schedule.state != "ENABLED":
            return
        zone = ZoneInfo(schedule.schedule_expression_timezone)
        try:
            for due in due_times(schedule.schedule_expression, before.astimezone(zone), now.astimezone(zone)):
                given = schedule.target.get("Input", "{}")
                told = {
                    "scheduled-time": f"{due.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
                    "execution-id": str(uuid.uuid4()),
                }
                for name, value in told.items():
                    given = given.replace(f"<aws.scheduler.{name}>", value)
                deliver(self._place(caller), schedule.target["Arn"], json.loads(given))
        except Exception:
            log.exception("schedule %s", schedule.name)
