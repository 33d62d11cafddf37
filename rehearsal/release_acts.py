"""The story goes on: a version is released, a bad one is taken back by itself, and one command goes back."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations import versions
from operations.release import ReleaseError, Releaser
from rehearsal.faults import FAILING

if TYPE_CHECKING:
    from collections.abc import Callable

    from operations.journal import Entry
    from operations.release import Place
    from rehearsal.embedded import EmbeddedAws

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Released:
    """One release: what the journal says of it, and what time it took, really and simulated."""

    title: str
    entry: Entry
    live: str
    seconds: float
    simulated_seconds: float


@dataclass
class ReleaseActs:
    """Releases of one model in one environment; `client(service)` gives boto3 clients of its account."""

    aws: EmbeddedAws
    client: Callable[[str], Any]
    place: Place
    tell: Callable[[str], None]
    releases: list[Released] = field(default_factory=list)
    invocations: list[dict[str, Any]] = field(default_factory=list)

    @property
    def releaser(self) -> Releaser:
        return Releaser(self.client, self.place, poll_seconds=POLL_SECONDS)

    def play(self, first: str, bad: str, then: str) -> None:
        """Release a version; release one whose container fails; release a good one; go back."""
        self._act("a version is released", lambda: self.releaser.release(first))
        self.aws.order_fault(self.place.endpoint, FAILING, 1)
        self._act("a failing one is taken back", lambda: self.releaser.release(bad))
        self._act("the next one is released", lambda: self.releaser.release(then))
        self._act("one command goes back", self.releaser.rollback)

    def _invoke(self, live: str) -> None:
        """As a consumer would, by boto3, with a row whose answer the trainer knows."""
        checked = versions.check_content(
            self.client("sagemaker").describe_model_package(ModelPackageName=live), lambda: self.client("s3")
        )
        answer = self.client("sagemaker-runtime").invoke_endpoint(
            EndpointName=self.place.endpoint, Body=checked.rows[0].encode(), ContentType="text/csv", Accept="text/csv"
        )
        probability, outcome = answer["Body"].read().decode().strip().split(",")
        self.invocations.append(
            {
                "environment": self.place.environment,
                "version": live,
                "status": answer["ResponseMetadata"]["HTTPStatusCode"],
                "probability": float(probability),
                "expected": checked.probabilities[0],
                "class": outcome,
            }
        )

    def _act(self, title: str, release: Callable[[], Entry]) -> None:
        begun, waits = time.monotonic(), len(self.aws.clock()["waits"])
        try:
            release()
        except ReleaseError as error:
            self.tell(f"  {error}")
        seconds = time.monotonic() - begun
        skipped = sum(wait["seconds"] for wait in self.aws.clock()["waits"][waits:])
        entry, live = self.releaser.journal.entries()[0], self.releaser.live()
        self._invoke(live)
        self.releases.append(Released(title, entry, live, round(seconds, 2), skipped))
        version = live.rsplit("/", 1)[-1]
        self.tell(
            f"  {title}: {entry.outcome}, version {version} is live  {seconds:.1f} s and {skipped:.0f} s simulated"
        )
