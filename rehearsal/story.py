"""The rehearsal: deploy the platform to an embedded AWS, train, make a champion, train again against it."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from operations.champion import ChampionPlace, ensure_champion_record, make_champion
from operations.executions import Outcome, StepState, follow_execution, last_log_lines, start_execution
from operations.periods import upload_period
from rehearsal import sample
from rehearsal.cdk import Cdk
from rehearsal.inventory import inventory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from rehearsal.embedded import EmbeddedAws
    from rehearsal.inventory import Inventory

POLL_SECONDS = 0.1


class RehearsalError(Exception):
    """Why the rehearsal stopped: the step, its reason and the log lines that matter."""


@dataclass(frozen=True)
class Plan:
    """Plain values of one environment and one model; the names are those the templates gave."""

    root: Path
    environment: str
    account: str
    region: str
    stage: str
    model: str
    pipeline: str
    data_bucket: str
    periods_prefix: str
    champion: ChampionPlace
    commit: str
    method: str = "direct"
    validate: bool = False
    acts: tuple[tuple[str, ...], ...] = (
        ("2013-01", "2013-02", "2013-03", "2013-04"),
        ("2013-05", "2013-06"),
    )
    """The periods that arrive before each training; the last of them is tested."""


@dataclass(frozen=True)
class Act:
    """One training: the periods that had arrived, how the execution ended, what it registered."""

    period: str
    outcome: Outcome
    snapshot: dict[str, Any]
    evaluation: dict[str, Any]
    version: dict[str, Any]


@dataclass
class Rehearsal:
    """One run of the story; `tell` hears of everything that begins and ends."""

    aws: EmbeddedAws
    plan: Plan
    tell: Callable[[str], None]
    state: Path
    begun: float
    seconds: dict[str, float] = field(default_factory=dict)
    acts: list[Act] = field(default_factory=list)
    champion: str = ""

    @property
    def total_seconds(self) -> float:
        return round(time.monotonic() - self.begun, 2)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which `aws`, boto3 and `cdk` talk to the embedded AWS."""
        return self.aws.environment(self.plan.account, self.plan.region)

    def run(self) -> None:
        self.deploy()
        for number, periods in enumerate(self.plan.acts):
            self.upload(periods)
            act = self.train(periods[-1])
            self.acts.append(act)
            if number == 0:
                self.make_champion(act)

    def deploy(self) -> None:
        """Synthesize while the account is bootstrapped, then deploy; both by the real CLI."""
        with ThreadPoolExecutor(max_workers=2) as together:
            synth = together.submit(self._synth)
            self._bootstrap()
            synth.result()
        with self._phase("cdk deploy"):
            concurrency = ["--concurrency", "4"]
            approval = ["--require-approval", "never", "--method", self.plan.method]
            self._cdk("deploy").run(
                "deploy", "--app", str(self.assembly), f"{self.plan.stage}/*", *approval, *concurrency
            )
        with self._phase("read back"):
            self.inventory: Inventory = inventory(self._client, self.stacks, self.plan.account, self.plan.region)
        if self.inventory.missing:
            raise RehearsalError(f"deployed, but absent when read back: {self.inventory.missing}")

    @property
    def assembly(self) -> Path:
        return self.state / "cdk.out"

    @property
    def stacks(self) -> list[str]:
        """The stacks CloudFormation says are there, those of the toolkit left out."""
        pages = self._client("cloudformation").get_paginator("describe_stacks").paginate()
        names = [stack["StackName"] for page in pages for stack in page["Stacks"]]
        return sorted(name for name in names if name.startswith(f"{self.plan.stage}-"))

    def upload(self, periods: tuple[str, ...]) -> None:
        with self._phase(f"upload {periods[0]} to {periods[-1]}"):
            for period in periods:
                files = sample.write_period(self.state / "sample" / period, period)
                upload_period(
                    self._client("s3"),
                    bucket=self.plan.data_bucket,
                    prefix=self.plan.periods_prefix,
                    period=period,
                    files=files,
                )

    def train(self, period: str) -> Act:
        """One execution of the deployed pipeline, followed to its end."""
        sagemaker = self._client("sagemaker")
        ensure_champion_record(self._client("s3"), self.plan.champion)
        with self._phase(f"train {period}"):
            arn = start_execution(
                sagemaker, pipeline=self.plan.pipeline, period=period, token=f"rehearsal-of-the-period-{period}-1"
            )
            for news in follow_execution(sagemaker, arn, every_seconds=POLL_SECONDS):
                if isinstance(news, Outcome):
                    outcome = news
                elif news.seconds is not None:
                    self.tell(f"  {news.name:<10} {news.status:<10} {news.seconds:5.1f} s")
        return self._act(period, outcome)

    def make_champion(self, act: Act) -> None:
        with self._phase("make champion"):
            self.champion = act.version["ModelPackageArn"]
            make_champion(self._client("s3"), self._client("sagemaker"), self.plan.champion, self.champion)

    def _act(self, period: str, outcome: Outcome) -> Act:
        if outcome.status != "Succeeded" or outcome.version_arn is None:
            raise RehearsalError(self._why(outcome))
        version = self._client("sagemaker").describe_model_package(ModelPackageName=outcome.version_arn)
        return Act(
            period,
            outcome,
            snapshot=self._output(outcome, "Prepare", "snapshot", "snapshot.json"),
            evaluation=self._output(outcome, "Evaluate", "evaluation", "evaluation.json"),
            version=version,
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

    def _synth(self) -> None:
        context = ["--context", f"environment={self.plan.environment}", "--context", f"commit={self.plan.commit}"]
        with self._phase("cdk synth"):
            validation = [] if self.plan.validate else ["--no-validation"]
            self._cdk("synth").run("synth", "--quiet", "--output", str(self.assembly), *context, *validation)

    def _bootstrap(self) -> None:
        with self._phase("cdk bootstrap"):
            # Where there is no cdk.json: bootstrap needs no app, and must not wait for one.
            self._cdk("bootstrap", self.state).run("bootstrap", f"aws://{self.plan.account}/{self.plan.region}")

    def _cdk(self, name: str, folder: Path | None = None) -> Cdk:
        return Cdk(self.plan.root, folder or self.plan.root, self.environment, self.state / f"cdk-{name}.log")

    def _client(self, service: str) -> Any:
        return self.aws.client(service, self.plan.account, self.plan.region)

    @contextmanager
    def _phase(self, name: str) -> Iterator[None]:
        self.tell(f"{name} ...")
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 2)
        self.tell(f"{name}: {self.seconds[name]:.1f} s")
