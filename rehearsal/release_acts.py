"""The story goes on: people ask and approve, versions go live where they belong, a bad one is taken back by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from operations import versions
from operations.journal import BEGAN, REFUSED, ROLLED_BACK
from operations.release import Releaser
from rehearsal.faults import FAILING
from rehearsal.inbox import Inbox
from rehearsal.scaling_act import BusyTime
from rehearsal.scenes import PRODUCTION, STAGING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from operations.journal import Entry
    from operations.place import Place
    from rehearsal.embedded import EmbeddedAws
    from rehearsal.inbox import Notice
    from rehearsal.scaling_act import Scaled

LOOK_SECONDS = 0.25
LONGEST_SECONDS = 120
OWN_LOOK = ("smoke test", "it was changed while it was released")
"""How reasons begin that a release has found itself, when all of the traffic had gone over."""

CAUSES = {"event": "event", "command": "command", "rollback": "command"}


class ReleaseActError(Exception):
    """A release that did not come, or a command that failed."""


@dataclass(frozen=True)
class Site:
    """An environment that serves versions: plain values, the names those the templates gave."""

    account: str
    region: str
    stage: str
    place: Place

    @property
    def environment(self) -> str:
        return self.place.environment


@dataclass(frozen=True)
class Released:
    """One release: what the journal says of it, and what time it took, really and simulated."""

    title: str
    environment: str
    entry: Entry
    live: str
    seconds: float
    simulated_seconds: float

    @property
    def cause(self) -> str:
        """Who or what decided how it ended: event and command ask; alarms take back, or the release's own look."""
        if self.entry.outcome == ROLLED_BACK:
            return "smoke" if self.entry.because.startswith(OWN_LOOK) else "alarm"
        return CAUSES[self.entry.cause]


@dataclass
class ReleaseActs:
    """Releases of one model; the first site is the one that trains."""

    aws: EmbeddedAws
    root: Path
    sites: tuple[Site, ...]
    tell: Callable[[str], None]
    releases: list[Released] = field(default_factory=list)
    invocations: list[dict[str, Any]] = field(default_factory=list)
    notice: Notice | None = None
    runs: list[str] = field(default_factory=list)
    scaling: list[Scaled] = field(default_factory=list)
    row: str = ""
    patience: float = 1.0

    def ship_to(self, version: str, stage: str) -> None:
        """A version is asked for and approved for one stage, and released there."""
        site = self._at(stage)
        self._ask(version, stage)
        self._approve(version, site)
        self._wait("first version approved", site)

    def ship(self, version: str) -> None:
        """A version is asked for and approved, for staging and then for production."""
        for stage in (STAGING, PRODUCTION):
            self.ship_to(version, stage)
        self.scaling = self._busy_time(self._at(PRODUCTION))

    def begin(self, version: str) -> None:
        """A version is approved for staging; whoever approves does not wait for it."""
        self._approve(version, self._at(STAGING))

    def finish(self, version: str, bad: str) -> None:
        """The one that began goes on to production; a third one fails there; one command goes back to the first."""
        staging, production = self._at(STAGING), self._at(PRODUCTION)
        self._wait("second version approved", staging)
        self._approve(version, production)
        self._approve(bad, staging)
        self._wait("second version approved", production)
        self._wait("third version approved", staging)
        clients = self._clients(production)
        inbox = Inbox(clients("sns"), clients("sqs"), production.place.notices)
        self.aws.order_fault(production.place.endpoint, FAILING, 1)
        self._approve(bad, production)
        self._wait("third version fails", production)
        self.notice = inbox.next()
        self._command("rollback", production)
        self._wait("one command goes back", production)
        self.runs = [each["pipelineExecutionId"] for each in self.executions()]

    def releaser(self, site: Site) -> Releaser:
        """To look at journal and endpoint; it releases nothing itself."""
        return Releaser(self._clients(site), site.place)

    def _clients(self, site: Site) -> Callable[[str], Any]:
        return lambda service: self.aws.client(service, site.account, site.region)

    def _at(self, stage: str) -> Site:
        return next(site for site in self.sites if site.place.stage == stage)

    def _ask(self, version: str, stage: str) -> None:
        """As a data scientist does in SageMaker Studio: no approval status rides along."""
        self._registry.update_model_package(
            ModelPackageArn=version, ModelLifeCycle={"Stage": stage, "StageStatus": "PendingApproval"}
        )

    def _approve(self, version: str, site: Site) -> None:
        """As an approver does in SageMaker Studio; the event of it starts the release."""
        self._begun[site.environment] = (time.monotonic(), self._newest(site), self.executions()[:1])
        self._registry.update_model_package(
            ModelPackageArn=version,
            ModelLifeCycle={"Stage": site.place.stage, "StageStatus": "Approved"},
            ModelApprovalStatus="Approved",
        )

    @property
    def _registry(self) -> Any:
        return self._clients(self.sites[0])("sagemaker")

    def _command(self, verb: str, site: Site) -> None:
        """The very command a person runs, with the keys of that account."""
        self._begun[site.environment] = (time.monotonic(), self._newest(site), self.executions()[:1])
        model = site.place.model
        ran = subprocess.run(
            [sys.executable, "cli.py", verb, site.environment, model],
            cwd=self.root,
            env=self.aws.environment(site.account, site.region),
            capture_output=True,
            text=True,
            check=False,
        )
        self.tell(f"  $ slipway {verb} {site.environment} {model}")
        if ran.returncode:
            raise ReleaseActError(f"slipway {verb} {site.environment} {model} failed:\n{ran.stderr}")

    def _newest(self, site: Site) -> int:
        """The number of the newest release in the journal."""
        return next((entry.number for entry in self.releaser(site).journal.entries()), 0)

    _begun: dict[str, tuple[float, int, list[Any]]] = field(default_factory=dict)

    def _wait(self, title: str, site: Site) -> None:
        """Until the release that was asked for has ended."""
        begun, before, last = self._begun[site.environment]
        while True:
            entry = next(iter(self.releaser(site).journal.entries()), None)
            if entry and entry.number > before and entry.outcome != BEGAN:
                break
            if time.monotonic() - begun > LONGEST_SECONDS * self.patience or self._failed_early(site, before, last):
                raise ReleaseActError(f"no release to {site.environment}: {self._why()}")
            time.sleep(LOOK_SECONDS)
        if entry.outcome == REFUSED:
            raise ReleaseActError(f"{entry.version} was refused in {site.environment}: {entry.because}")
        seconds = time.monotonic() - begun
        live, waits = self.releaser(site).live(), self.aws.clock()["waits"]
        skipped = [wait["seconds"] for wait in waits if f"endpoint {site.place.endpoint} " in wait["why"]]
        already = sum(each.simulated_seconds for each in self.releases if each.environment == site.environment)
        self._invoke(site, live)
        released = Released(title, site.environment, entry, live, round(seconds, 2), sum(skipped) - already)
        self.releases.append(released)
        number, told = live.rsplit("/", 1)[-1], entry.outcome
        self.tell(
            f"  {site.environment:<8} {title}: {told}, version {number} is live  "
            f"{seconds:.1f} s and {released.simulated_seconds:.0f} s simulated"
        )

    def _failed_early(self, site: Site, before: int, last: list[Any]) -> bool:
        """Whether the pipeline failed before the release had begun."""
        newest = self.executions()[:1]
        if newest == last or newest[0]["status"] != "Failed" or self._newest(site) > before:
            return False
        run = self._clients(self.sites[0])("codepipeline").get_pipeline_execution(
            pipelineName=f"{self.sites[0].stage}-release", pipelineExecutionId=newest[0]["pipelineExecutionId"]
        )
        return {"name": "environment", "resolvedValue": site.environment} in run["pipelineExecution"]["variables"]

    def executions(self) -> list[Any]:
        """Those of the release pipeline, the newest first."""
        client = self._clients(self.sites[0])("codepipeline")
        listed = client.list_pipeline_executions(pipelineName=f"{self.sites[0].stage}-release")
        return [
            {key: each[key] for key in ("pipelineExecutionId", "status")}
            for each in listed["pipelineExecutionSummaries"]
        ]

    def _why(self) -> str:
        """What the function that hears approvals and the newest execution of the release pipeline said last."""
        client = self._clients(self.sites[0])
        name = f"{self.sites[0].stage}-release"
        found = self.executions()
        group = f"/aws/codebuild/{name}"
        lines = client("logs").filter_log_events(logGroupName=group)["events"] if found else []
        return "\n".join([str(found[:1]), *(line["message"] for line in lines[-20:])])

    def _asked(self, site: Site) -> Any:
        return self._clients(site)("sagemaker-runtime").invoke_endpoint(
            EndpointName=site.place.endpoint, Body=self.row.encode(), ContentType="text/csv", Accept="text/csv"
        )

    def _busy_time(self, site: Site) -> list[Scaled]:
        """The endpoint gets all the load that its most instances bear, and then none."""
        scaling = BusyTime(self.aws, self._clients(site), site.place.endpoint, lambda: self._asked(site)).play()
        counts = [str(one.after) for one in scaling]
        if scaling:
            told = f"{scaling[0].before} instances, {counts[0]} under load, {counts[1]} when nobody asks"
            self.tell(f"  {site.environment:<8} {told}")
        return scaling

    def _invoke(self, site: Site, live: str) -> None:
        """As a consumer would, by boto3, with a row whose answer the trainer knows."""
        account = live.split(":")[4]  # where the version lies: where it was trained, or, copied, where it serves
        package = self.aws.client("sagemaker", account, site.region).describe_model_package(ModelPackageName=live)
        s3 = self.aws.client("s3", account, site.region)
        checked = versions.check_content(package, lambda: s3, site.place.records)
        self.row = checked.rows[0]
        answer = self._asked(site)
        probability, outcome = answer["Body"].read().decode().strip().split(",")
        self.invocations.append(
            {
                "environment": site.environment,
                "version": live,
                "status": answer["ResponseMetadata"]["HTTPStatusCode"],
                "probability": float(probability),
                "expected": checked.probabilities[0],
                "class": outcome,
            }
        )
