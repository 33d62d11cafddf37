"""Whether an environment works after a deployment: stacks at rest, what is live is what should be, and it answers.

What an endpoint answers is compared with what the version's trainer gave, as a release does it.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from operations import desired, probes, versions
from operations.asking import Served
from operations.release import Releaser

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from operations.place import Place
    from operations.versions import Checked

AT_REST = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")
ASKED_AGAIN = 20
"""How many requests are timed, after one that may find a server cold."""

HALF = 0.5
"""The alarms want all but 1 in 20 within the limit. Who asks from outside times the way as well, and wants half."""


class VerifyError(Exception):
    """What does not work, one line each."""


@dataclass(frozen=True)
class Verifier:
    """`client(service)` gives clients of the environment's account; `latency_ms` by model, 0 for no limit."""

    client: Callable[[str], Any]
    prefix: str
    places: Sequence[Place]
    latency_ms: dict[str, float]
    tell: Callable[[str], None] = lambda _: None

    def verify(self) -> None:
        """Raise VerifyError with everything that is wrong."""
        wrong = list(self._stacks())
        for place in self.places:
            wrong += [f"{place.model}: {problem}" for problem in self._model(place)]
        wrong += self._alarms()
        if wrong:
            raise VerifyError("\n".join(wrong))

    def _stacks(self) -> Iterator[str]:
        pages = self.client("cloudformation").get_paginator("describe_stacks").paginate()
        found = [s for page in pages for s in page["Stacks"] if s["StackName"].startswith(f"{self.prefix}-")]
        if not found:
            yield f"there is no stack {self.prefix}-*; deploy the environment first"
        for stack in found:
            if stack["StackStatus"] not in AT_REST:
                reason = stack.get("StackStatusReason") or "no reason given"
                yield f"stack {stack['StackName']} is {stack['StackStatus']}: {reason}"
        self.tell(f"{len(found)} stacks at rest")

    def _model(self, place: Place) -> Iterator[str]:
        try:
            yield from self._live(place)
        except (ClientError, BotoCoreError, versions.VersionError) as error:
            yield str(error)

    def _live(self, place: Place) -> Iterator[str]:
        wanted, live = desired.read(self.client("ssm"), place.parameter), Releaser(self.client, place).live()
        if wanted != live:
            yield (
                f"{live} is live, desired is {wanted}; "
                f"`slipway release {place.environment} {place.model} {wanted}` finishes it"
            )
        if live == desired.NONE:
            self.tell(f"{place.model}: nothing was released here yet")
            return
        package = self.client("sagemaker").describe_model_package(ModelPackageName=live)
        checked = versions.check_content(package, lambda: self.client("s3"), place.records)
        served = Served.of(self.client, place)
        if not served.answers:
            self.tell(f"{place.model}: {live} is served by jobs, which nobody asks here")
            return
        wrong = probes.smoke(served, checked, lambda: None)
        if wrong:
            yield wrong
        elif served.at_once:
            yield from self._slow(place, served, checked)
        self.tell(
            f"{place.model}: {live} answers" if not wrong else f"{place.model}: {live} does not answer as it should"
        )

    def _slow(self, place: Place, served: Served, checked: Checked) -> Iterator[str]:
        """Times from here to there and back; the alarms time the model alone."""
        limit = self.latency_ms.get(place.model, 0)
        if not limit:
            return
        took = sorted(_milliseconds(served, checked.rows[n % len(checked.rows)]) for n in range(ASKED_AGAIN))
        usual = took[int(len(took) * HALF)]
        if usual > limit:
            yield f"every second answer takes more than {usual:.1f} ms, latency_ms is {limit:g}"

    def _alarms(self) -> list[str]:
        """Those of the environment that are raised, whatever raised them: nothing is built on what burns."""
        pages = self.client("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=f"{self.prefix}-")
        found = [alarm for page in pages for alarm in page["MetricAlarms"] if not _scales(alarm)]
        raised = [alarm for alarm in found if alarm["StateValue"] == "ALARM"]
        return [f"alarm {alarm['AlarmName']} is raised: {alarm.get('StateReason', '')}" for alarm in raised]


def _scales(alarm: dict[str, Any]) -> bool:
    """Alarms of scaling are raised whenever there is much or little to do."""
    return any(":autoscaling:" in action for action in alarm.get("AlarmActions", []))


def _milliseconds(served: Served, row: str) -> float:
    begun = time.perf_counter()
    served.ask(row)
    return (time.perf_counter() - begun) * 1000
