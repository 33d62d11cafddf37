"""The story of delivery: pushes through the deployed pipeline, good ones and bad ones, into four accounts."""

from __future__ import annotations

import hashlib
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from rehearsal import session
from rehearsal.background import Background
from rehearsal.delivery_ground import PROCESSES, Ground, kill
from rehearsal.fork import fork
from rehearsal.phases import phase
from rehearsal.pushes import Delivering, Pushed
from rehearsal.release_acts import ReleaseActs
from rehearsal.repository import Repository
from rehearsal.scenes import PRODUCTION, Scene
from rehearsal.story import Rehearsal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from rehearsal.embedded import EmbeddedAws
    from rehearsal.plan import Plan
    from rehearsal.release_acts import Site

FIRST = Scene("arrival", "2013-04", history=("2013-01", "2013-02", "2013-03"), ships=PRODUCTION)
ADDED = "arrival_delay"
"""The model that a push adds."""

SECONDS = 60
"""How long the story waits for what a deployment starts."""


class DeliveryError(Exception):
    """Why the story of delivery stopped."""


@dataclass(frozen=True)
class DeliveryPlan:
    """Plain values: where the pipeline stands and what it is called, and the plan of the model that goes through it."""

    root: Path
    training: Plan
    account: str
    region: str
    stack: str
    pipeline: str
    bucket: str
    source_bucket: str
    source_key: str
    pages: str
    checks: tuple[str, ...]

    @property
    def sites(self) -> tuple[Site, ...]:
        return self.training.sites


@dataclass
class Delivery:
    """One run of the story; `tell` hears of everything that begins and ends."""

    aws: EmbeddedAws
    plan: DeliveryPlan
    tell: Callable[[str], None]
    state: Path
    begun: float
    seconds: dict[str, float] = field(default_factory=dict)
    pushes: list[Pushed] = field(default_factory=list)
    trained: dict[str, list[str]] = field(default_factory=dict)
    taken_back: dict[str, str] = field(default_factory=dict)
    killed: list[str] = field(default_factory=list)

    @property
    def total_seconds(self) -> float:
        return round(time.monotonic() - self.begun, 2)

    def run(self) -> None:
        self.found()
        self.push("everything, for the first time")
        self._train_and_release()
        self._a_model_is_added()
        self._a_model_changes()
        self._staging_does_not_work()
        self._two_at_once()

    def found(self) -> None:
        """Accounts that trust the one that delivers, a team's fork, and one `cdk deploy`."""
        delivery = {
            "account": self.plan.account,
            "region": self.plan.region,
            "source": {"provider": "s3"},
            "checks": list(self.plan.checks),
        }
        files: dict[str, dict[str, Any]] = {f"{site.environment}.toml": {} for site in self.plan.sites}
        tree = fork(self.plan.root, self.state / "fork", {"platform.toml": {"delivery": delivery}, **files}, whole=True)
        self.repository = Repository(tree, self.plan.source_bucket, self.plan.source_key)
        synth = Background(partial(self._synth, tree))
        ground = Ground(self.aws, self.plan.root, self.state)
        with self._phase("cdk bootstrap, four accounts"):
            ground.bootstrap((self.plan.account, self.plan.region), self.plan.sites)
        synth.wait()
        with self._phase(f"cdk deploy {self.plan.stack}"):
            ground.deploy((self.plan.account, self.plan.region), self.plan.stack)
        self.delivering = Delivering(
            self._client, self.plan.pipeline, self.plan.bucket, self.plan.pages, self.production, self.tell
        )

    def push(self, change: str, *, wanted: str = "Succeeded") -> Pushed:
        """Push what the repository holds now, and see it end as it should."""
        with self._phase(f"push: {change}"):
            pushed = self.delivering.push(change, self.repository)
        return self._kept(pushed, wanted)

    def _kept(self, pushed: Pushed, wanted: str) -> Pushed:
        self.pushes.append(pushed)
        self.tell(f"  {pushed.outcome}")
        if pushed.status != wanted:
            raise DeliveryError(f"push {pushed.change!r} {pushed.status.lower()}, not {wanted.lower()}:\n{pushed.why}")
        return pushed

    def _train_and_release(self) -> None:
        """What endpoints are asked for needs a version: data arrives, a version is trained, approved and released."""
        act = self.rehearsal.play(FIRST)
        with self._phase("release"):
            self.rehearsal.acting.ship(act.version["ModelPackageArn"])

    def _a_model_is_added(self) -> None:
        """New stacks change the pipeline itself; the process that does it is killed in the middle, and run again."""
        self.repository.add_model(self.plan.training.model, ADDED)
        change = f"a model is added: a folder, {ADDED}"
        with self._phase(f"push: {change}"):
            before, execution = self.production(), self.delivering.begin(self.repository)
            first = self.delivering.follow(change, execution, before, self._kill)
            pushed = self._run_again(change, first, before) if PROCESSES.is_dir() else first
        self._kept(pushed, "Succeeded")
        if len(pushed.executions) < 2:  # noqa: PLR2004 the first, and the one after the change
            raise DeliveryError(f"a model was added, and the pipeline did not change: {pushed.executions}")

    def _run_again(self, change: str, first: Pushed, before: str) -> Pushed:
        if not self.killed:
            raise DeliveryError(f"nothing changed the pipeline, so nothing could be killed: {first.status}")
        self.tell(f"  killed in the middle: {self.killed[0]}; the stage is run again")
        self.delivering.retry(first.executions[-1], "UpdatePipeline")
        return self.delivering.follow(change, first.executions[-1], before)

    def _kill(self, _execution: str) -> None:
        """Once, the `cdk deploy` of a build of this rehearsal."""
        killed = "" if self.killed else kill(f"deploy {self.plan.stack}", self.state)
        self.killed += [killed] if killed else []

    def _a_model_changes(self) -> None:
        """Its data is there; the change of its folder trains it once it is deployed, and trains no other."""
        added = self._rehearsal_of(ADDED)
        added.upload(FIRST.history)
        before = {model: self._runs(model) for model in (self.plan.training.model, ADDED)}
        file = f"pipeline_code/models/{ADDED}/__init__.py"
        self.repository.edit(file, lambda text: text.replace('"""', '"""Changed. ', 1))
        self.push(f"the folder of {ADDED} changes")
        with self._phase(f"train {ADDED}, code"):
            self._until(lambda: len(self._runs(ADDED)) > len(before[ADDED]), f"no run of {ADDED} began")
            added.follow(self._runs(ADDED)[0])
        self.trained = {model: [run for run in self._runs(model) if run not in runs] for model, runs in before.items()}
        if {model: len(runs) for model, runs in self.trained.items()} != {self.plan.training.model: 0, ADDED: 1}:
            raise DeliveryError(f"the folder of {ADDED} changed, and runs that began are {self.trained}")

    def _staging_does_not_work(self) -> None:
        """It deploys, and answers later than it now says it must: taken back where it came to, and no further."""
        staging = self._at("Staging")
        before = self._state(staging)
        file, line = f"environments/{staging.environment}.toml", '"latency_ms" = '
        self.repository.edit(file, lambda text: text.replace(line, f"{line}1 # ", 1))
        known = self.delivering.executions()
        pushed = self.push("staging is to answer within 1 ms", wanted="Failed")
        if pushed.prod_before != pushed.prod_after:
            raise DeliveryError("staging did not work, and production has changed")
        with self._phase("taken back"):
            back = self.delivering.started([*known, *pushed.executions])
            self.delivering.follow("taken back", back, self.production())
        after = self._state(staging)
        self.taken_back = {"execution": back, "before": before, "after": after}
        if before != after:
            raise DeliveryError(f"staging is not what it was: {before}, now {after}")
        self.repository.edit(file, lambda text: text.replace(f"{line}1 # ", line, 1))

    def _two_at_once(self) -> None:
        """The second overtakes the first, or follows it; production warns of costs where the second says."""
        production = self._at(PRODUCTION)
        file, line = f"environments/{production.environment}.toml", '"alert_percents" = ['
        with self._phase("push: two at once"):
            before = self.production()
            self.repository.edit(file, lambda text: text.replace(line, f"{line}40, ", 1))
            first = self.delivering.begin(self.repository)
            self.repository.edit(file, lambda text: text.replace(f"{line}40, ", f"{line}45, ", 1))
            second = self.delivering.begin(self.repository)
            one = Background(
                lambda: self.pushes.append(self.delivering.follow("two at once, the first", first, before))
            )
            pushed = self.delivering.follow("two at once, the second", second, before)
            one.wait()
        self._kept(pushed, "Succeeded")
        warns = self._warnings(production)
        if 45 not in warns or 40 in warns:  # noqa: PLR2004 what the pushes say
            raise DeliveryError(f"production warns at {sorted(warns)} percent, and the second push says 45, not 40")

    def _warnings(self, site: Site) -> set[int]:
        """At how many percent of its budget an environment warns, as AWS Budgets has it."""
        budgets = self.aws.client("budgets", site.account, site.region)
        (budget, *_) = budgets.describe_budgets(AccountId=site.account)["Budgets"]
        asked = {"AccountId": site.account, "BudgetName": budget["BudgetName"]}
        told = budgets.describe_notifications_for_budget(**asked)["Notifications"]
        return {int(each["Threshold"]) for each in told}

    @cached_property
    def rehearsal(self) -> Rehearsal:
        return self._rehearsal_of(self.plan.training.model)

    def _rehearsal_of(self, model: str) -> Rehearsal:
        """The story of one model, whose parts this one plays."""
        plan = self.plan.training
        plan = replace(
            plan,
            root=self.repository.folder,
            model=model,
            pipeline=plan.pipeline.replace(plan.model.replace("_", "-"), model.replace("_", "-")),
            periods_prefix=plan.periods_prefix.replace(plan.model, model),
        )
        made = Rehearsal(self.aws, plan, self.tell, self.state, self.begun, Background(lambda: None), self.seconds)
        made.acting = ReleaseActs(self.aws, plan.root, plan.sites, self.tell)
        return made

    def _runs(self, model: str) -> list[str]:
        """Executions of a model's pipeline, the newest first."""
        plan = self._rehearsal_of(model).plan
        client = self.aws.client("sagemaker", plan.account, plan.region)
        listed = client.list_pipeline_executions(PipelineName=plan.pipeline)["PipelineExecutionSummaries"]
        return [each["PipelineExecutionArn"] for each in listed]

    def production(self) -> str:
        return self._state(self._at(PRODUCTION))

    def _at(self, stage: str) -> Site:
        return next(site for site in self.plan.sites if site.place.stage == stage)

    def _state(self, site: Site) -> str:
        """What an environment is, in a word: the templates that are deployed there, by content."""
        client = self.aws.client("cloudformation", site.account, site.region)
        digest = hashlib.sha256()
        pages = client.get_paginator("describe_stacks").paginate()
        names = sorted(stack["StackName"] for page in pages for stack in page["Stacks"])
        for name in names:
            if name.startswith(f"{site.stage}-"):
                digest.update(f"{name}\0{client.get_template(StackName=name)['TemplateBody']}".encode())
        return digest.hexdigest()[:12]

    def _until(self, holds: Callable[[], bool], otherwise: str) -> None:
        end = time.monotonic() + SECONDS
        while not holds():
            if time.monotonic() > end:
                raise DeliveryError(f"{otherwise} within {SECONDS} seconds")
            time.sleep(0.25)

    def _synth(self, tree: Path) -> None:
        with self._phase("cdk synth"):
            Ground(self.aws, self.plan.root, self.state).synth(tree)

    def _client(self, service: str) -> Any:
        return self.aws.client(service, self.plan.account, self.plan.region)

    def _phase(self, name: str) -> AbstractContextManager[None]:
        return phase(self.tell, self.seconds, name)


@contextmanager
def start(plan: DeliveryPlan, tell: Callable[[str], None]) -> Iterator[Delivery]:
    """A story ready to run; nothing of it stays behind."""
    begun = time.monotonic()
    with session.folder() as state:
        tell("embedded AWS ...")
        with session.embedded(plan.root, state) as aws:
            tell(f"embedded AWS: {time.monotonic() - begun:.1f} s, {aws.endpoint}")
            yield Delivery(aws, plan, tell, state, begun, {"embedded AWS": round(time.monotonic() - begun, 2)})
