"""The rehearsal: deploy to an embedded AWS; runs start as they will in life, fail as they will, and are told of."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from operations.champion import current_champion
from operations.executions import Outcome, StepState, follow_execution, last_log_lines, latest_execution
from operations.periods import upload_period
from operations.requests import ask_for_run
from rehearsal import cron, sample
from rehearsal.act import Act, real_seconds
from rehearsal.background import Background
from rehearsal.cdk import Cdk
from rehearsal.inbox import Inbox
from rehearsal.inventory import inventory
from rehearsal.phases import phase
from rehearsal.release_acts import ReleaseActs
from rehearsal.scenes import STAGING

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from operations.starter import Answer
    from rehearsal.embedded import EmbeddedAws
    from rehearsal.inventory import Inventory
    from rehearsal.plan import Plan
    from rehearsal.release_acts import Site
    from rehearsal.scenes import Scene

POLL_SECONDS = 0.25
START_SECONDS = 20
"""How long the story waits for a trigger to start its run."""


class RehearsalError(Exception):
    """Why the rehearsal stopped: the step, its reason and the log lines that matter."""


def assembly(state: Path) -> Path:
    """Where the templates of a rehearsal lie."""
    return state / "cdk.out"


@dataclass
class Rehearsal:
    """One run of the story; `tell` hears of everything that begins and ends."""

    aws: EmbeddedAws
    plan: Plan
    tell: Callable[[str], None]
    state: Path
    begun: float
    synth: Background
    seconds: dict[str, float] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    champion: str = ""
    shipped: str = ""

    @property
    def total_seconds(self) -> float:
        return round(time.monotonic() - self.begun, 2)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which `aws`, boto3 and `cdk` talk to the embedded AWS."""
        return self.aws.environment(self.plan.account, self.plan.region)

    @property
    def versions(self) -> list[Act]:
        """The runs that registered a version."""
        return [act for act in self.acts if act.version]

    def run(self) -> None:
        others = self.deploy()
        topic = f"arn:aws:sns:{self.plan.region}:{self.plan.account}:{self.plan.notices}"
        self.inbox = Inbox(self._client("sns"), self._client("sqs"), topic)
        self.acting = ReleaseActs(self.aws, self.plan.root, self.plan.sites, self.tell)
        for scene in self.plan.scenes:
            act = self.play(scene)
            self.acts.append(act)
            others.wait()
            if scene.ships:
                self.ship(scene, act.version["ModelPackageArn"])
        self.finish()
        with self._phase("read back"):
            self._read_back()  # the endpoints' resources were waiting for a version

    def ship(self, scene: Scene, version: str) -> None:
        """What was registered is approved; in production it becomes the champion that the next ones must beat."""
        if scene.ships == STAGING:
            self.shipped = version
            self.acting.begin(version)
            return
        with self._phase("release"):
            self.acting.ship(version)
            self.champion = current_champion(self._client("s3"), self.plan.champion)

    def finish(self) -> None:
        """What goes on to production, what fails there, and the way back."""
        newest = self.versions[-1].version["ModelPackageArn"] if self.versions else ""
        if self.shipped and newest != self.shipped:
            with self._phase("release on"):
                self.acting.finish(self.shipped, bad=newest)

    def deploy(self) -> Background:
        """Bootstrap each account and deploy to it with its own keys, by the real CLI.

        Returns when models can be trained; the environments that only serve go on beside it.
        """
        trains, *others = self.plan.sites
        self._bootstrap(trains)
        self.synth.wait()
        beside = Background(lambda: self._deploy_all(others))
        self._deploy(trains)
        return beside

    def _deploy_all(self, sites: list[Site]) -> None:
        for site in sites:
            self._bootstrap(site)
            self._deploy(site)

    def _deploy(self, site: Site) -> None:
        with self._phase(f"cdk deploy {site.environment}"):
            how = ["--require-approval", "never", "--method", self.plan.method, "--concurrency", "4"]
            self._cdk("deploy", site).run("deploy", "--app", str(self.assembly), f"{site.stage}/*", *how)

    def _read_back(self) -> None:
        self.inventory: Inventory = inventory(self.aws.client, self.stacks)
        if self.inventory.missing:
            raise RehearsalError(f"deployed, but absent when read back: {self.inventory.missing}")

    @property
    def assembly(self) -> Path:
        return assembly(self.state)

    @property
    def stacks(self) -> list[tuple[Site, str]]:
        """The stacks CloudFormation says are there, each with where it is; those of the toolkit left out."""
        found = []
        for site in self.plan.sites:
            client = self.aws.client("cloudformation", site.account, site.region)
            pages = client.get_paginator("describe_stacks").paginate()
            names = [stack["StackName"] for page in pages for stack in page["Stacks"]]
            found += [(site, name) for name in sorted(names) if name.startswith(f"{site.stage}-")]
        return found

    def play(self, scene: Scene) -> Act:
        """Let a scene's data arrive, let its run be asked for, and follow the run to its end."""
        if scene.history:
            self.upload(scene.history)
        if scene.fault:
            self.aws.order_fault(*scene.fault)
        before, waits = latest_execution(self._client("sagemaker"), self.plan.pipeline), len(self.aws.clock()["waits"])
        with self._phase(f"train {scene.title}"):
            self._ask(scene)
            outcome = self.follow(self._started(before))
        return self._act(scene, outcome, self.aws.clock()["waits"][waits:])

    def upload(self, periods: tuple[str, ...], *, starts: bool = False, spoiled: bool = False) -> None:
        """Put periods of the sample into the data bucket; only one that `starts` asks for a run."""
        with self._phase(f"upload {periods[0]} to {periods[-1]}" if len(periods) > 1 else f"upload {periods[0]}"):
            for period in periods:
                files = sample.write_period(self.state / "sample" / period, period)
                if spoiled:
                    sample.cut_off(files)
                upload_period(
                    self._client("s3"),
                    bucket=self.plan.data_bucket,
                    prefix=self.plan.periods_prefix,
                    period=period,
                    files=files,
                    starts=starts,
                )

    def _ask(self, scene: Scene) -> None:
        """What asks for a run: the period itself that arrives, the time that comes, or a person."""
        if scene.reason == "arrival":
            self.upload((scene.period,), starts=True, spoiled=scene.spoiled)
        elif scene.reason == "schedule":
            self._let_the_schedule_fall_due()
        else:
            self.ask(parameters=scene.parameters)

    def ask(self, **request: Any) -> Answer:
        """A person asks for a run, in a role of theirs."""
        keys = self.aws.take_on(self.plan.asker)
        functions = self.aws.client_with(keys, "lambda", self.plan.region)
        return ask_for_run(functions, self.plan.requests, keys, {"model": self.plan.model, **request})

    def _let_the_schedule_fall_due(self) -> None:
        schedule = self._client("scheduler").get_schedule(Name=self.plan.pipeline)
        now = datetime.fromisoformat(self.aws.clock()["now"])
        due = cron.next_due(schedule["ScheduleExpression"], now) + timedelta(seconds=1)
        self.aws.skip((due - now).total_seconds(), f"schedule {schedule['ScheduleExpression']} falls due")

    def _started(self, before: str | None) -> str:
        """The execution that was not there before."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            newest = latest_execution(self._client("sagemaker"), self.plan.pipeline)
            if newest is not None and newest != before:
                return newest
            time.sleep(POLL_SECONDS)
        raise RehearsalError(f"no run of {self.plan.pipeline} started within {START_SECONDS} seconds{self._said()}")

    def _said(self) -> str:
        """What the starter last said, for a run that never began."""
        logs, group = self._client("logs"), f"/aws/lambda/{self.plan.starter}"
        events = logs.filter_log_events(logGroupName=group)["events"]
        return "".join(f"\n  {event['message']}" for event in events[-20:])

    def follow(self, arn: str) -> Outcome:
        before = len(self.aws.clock()["waits"])
        for news in follow_execution(self._client("sagemaker"), arn, every_seconds=POLL_SECONDS):
            if isinstance(news, Outcome):
                return news
            if news.seconds is not None:
                waits = self.aws.clock()["waits"][before:]
                own = sum(wait["seconds"] for wait in waits if news.name in wait["why"])
                note = f"  and {own:.0f} s simulated" if own else ""
                self.tell(f"  {news.name:<10} {news.status:<10} {real_seconds(news, waits):5.1f} s{note}")
        raise RehearsalError(f"{arn} never ended")

    def _act(self, scene: Scene, outcome: Outcome, skipped: list[dict[str, Any]]) -> Act:
        if scene.spoiled and outcome.status == "Failed":
            return Act(scene, outcome, skipped, notice=self.inbox.next())
        if outcome.status != "Succeeded" or outcome.version_arn is None:
            raise RehearsalError(self._why(outcome))
        return Act(
            scene,
            outcome,
            skipped,
            snapshot=self._output(outcome, "Prepare", "snapshot", "snapshot.json"),
            evaluation=self._output(outcome, "Evaluate", "evaluation", "evaluation.json"),
            version=self._client("sagemaker").describe_model_package(ModelPackageName=outcome.version_arn),
        )

    def _why(self, outcome: Outcome) -> str:
        failed = [step for step in outcome.steps if step.status == "Failed"]
        lines = [f"the execution {outcome.status.lower()}: {outcome.failure}"]
        for step in failed:
            lines += [f"step {step.name}: {step.failure}", *last_log_lines(self._client("logs"), step)]
        return "\n".join(lines)

    def _output(self, outcome: Outcome, step_name: str, artifact: str, file: str) -> dict[str, Any]:
        """A file that a step wrote, found through the job that wrote it."""
        step: StepState = next(step for step in outcome.steps if step.name == step_name)
        job = step.metadata["ProcessingJob"]["Arn"].rsplit("/", 1)[1]
        described = self._client("sagemaker").describe_processing_job(ProcessingJobName=job)
        outputs = {o["OutputName"]: o["S3Output"]["S3Uri"] for o in described["ProcessingOutputConfig"]["Outputs"]}
        place = urlparse(f"{outputs[artifact]}/{file}")
        body = self._client("s3").get_object(Bucket=place.netloc, Key=place.path.lstrip("/"))["Body"].read()
        found: dict[str, Any] = json.loads(body)
        return found

    def _bootstrap(self, site: Site) -> None:
        with self._phase(f"cdk bootstrap {site.environment}"):
            # Where there is no cdk.json: bootstrap needs no app, and must not wait for one.
            self._cdk("bootstrap", site, self.state).run("bootstrap", f"aws://{site.account}/{site.region}")

    def _cdk(self, name: str, site: Site, folder: Path | None = None) -> Cdk:
        environment = self.aws.environment(site.account, site.region)
        log = self.state / f"cdk-{name}-{site.environment}.log"
        return Cdk(self.plan.root, folder or self.plan.root, environment, log)

    def _client(self, service: str) -> Any:
        return self.aws.client(service, self.plan.account, self.plan.region)

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return phase(self.tell, self.seconds, name)
