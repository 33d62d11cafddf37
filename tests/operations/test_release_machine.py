"""Whatever happens to releases, in whatever order: afterwards desired and live are one approved version."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from copying_world import CopyingWorld
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from moto import mock_aws
from small_world import CLAIMS, PARAMETER, STACK_FAILS, STAGE, TABLE, KilledError, SmallWorld

from operations import desired
from operations.approvals import Approvals, Target
from operations.journal import BEGAN, REFUSED, ROLLED_BACK, SUCCEEDED, Asked, BusyError
from operations.release import Releaser
from operations.serving_stack import ReleaseError
from operations.versions import VersionError
from rehearsal.faults import FAILING

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving_world import Serving

    from operations.journal import Entry
    from rehearsal.embedded import EmbeddedAws

TOLD = (ReleaseError, VersionError, BusyError)
STAGES = st.sampled_from(["Staging", "Production"])
CALLS = st.integers(1, 60)


@dataclass
class Pipelines:
    """Executions by their token; each is run by whoever takes it out."""

    by_token: dict[str, dict[str, str]] = field(default_factory=dict)

    def start_pipeline_execution(self, **request: Any) -> dict[str, str]:
        given = {each["name"]: each["value"] for each in request["variables"]}
        self.by_token.setdefault(request["clientRequestToken"], given)
        return {"pipelineExecutionId": request["clientRequestToken"]}


class ReleaseMachine(RuleBasedStateMachine):
    """Everything that may befall one model in one environment."""

    World: type[SmallWorld] = SmallWorld

    def __init__(self) -> None:
        super().__init__()
        self.mock = mock_aws()
        self.mock.start()
        self.world = self.World(went_live=self._went_live)
        self.events: list[dict[str, Any]] = []
        self.pipelines = Pipelines()
        self.was_live: set[str] = set()
        self.settled = True
        self.seconds = 0
        self.collected = 0
        self.tampered = False

    def teardown(self) -> None:
        self.mock.stop()

    # What people and the world do.

    @rule(bad=st.booleans())
    def register(self, *, bad: bool) -> None:
        if len(self.world.trained) < 5:
            self.world.register(bad=bad)

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data(), stage=STAGES)
    def ask(self, data: Any, stage: str) -> None:
        self._change(data, ModelLifeCycle={"Stage": stage, "StageStatus": "PendingApproval"})

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data(), stage=STAGES)
    def approve(self, data: Any, stage: str) -> None:
        life = {"Stage": stage, "StageStatus": "Approved"}
        self._change(data, ModelLifeCycle=life, ModelApprovalStatus="Approved")

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data())
    def reject(self, data: Any) -> None:
        self._change(data, ModelApprovalStatus="Rejected")

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data(), what=st.sampled_from(["Image", "Environment", "artifact", "another's"]))
    def swap_content(self, data: Any, what: str) -> None:
        package = self.world.packages[self._version(data)]
        (container,) = package["InferenceSpecification"]["Containers"]
        if what == "artifact":
            self.world.objects[container["ModelDataUrl"]] += b"x"
        elif what == "another's":  # with its record: all that names the content is then right
            other = self.world.packages[self._version(data)]
            package.update({key: other[key] for key in ("InferenceSpecification", "CustomerMetadataProperties")})
            self.tampered = True  # a copy that does not say any more of what it is one is made again
        else:
            changed = {**container, what: "other:2" if what == "Image" else {"A": "1"}}
            package["InferenceSpecification"] = {"Containers": [changed]}

    @rule(ending=st.sampled_from([STACK_FAILS, CLAIMS]))
    def the_next_update_fails(self, ending: str) -> None:
        self.world.ending = ending

    @precondition(lambda self: self.settled and self.world.owned and self.world.live == self.world.applied)
    @rule()
    def infrastructure_is_deployed(self) -> None:
        self.world.deploy()
        self._leaves_something()

    # What machines do.

    @precondition(lambda self: self.events)
    @rule(data=st.data(), again=st.booleans())
    def deliver(self, data: Any, *, again: bool) -> None:
        event = data.draw(st.sampled_from(self.events))
        if not again:
            self.events.remove(event)
        self._consumer().hear(event)

    @precondition(lambda self: self.events)
    @rule(data=st.data(), dies_at=st.integers(1, 4))
    def the_consumer_dies_and_hears_it_again(self, data: Any, dies_at: int) -> None:
        event = data.draw(st.sampled_from(self.events))
        with suppress(KilledError):
            self._dying(dies_at, lambda: self._consumer().hear(event))
        self._consumer().hear(event)

    @precondition(lambda self: self.pipelines.by_token)
    @rule(data=st.data())
    def run_an_execution(self, data: Any) -> None:
        given = data.draw(st.sampled_from(list(self.pipelines.by_token.values())))
        self._run(lambda: self._release(given["version"], Asked("event", "", int(given["approval"]))))

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data())
    def release(self, data: Any) -> None:
        arn = self._version(data)
        self._run(lambda: self._release(arn))

    @rule()
    def rollback(self) -> None:
        self._run(lambda: self.world.releaser().rollback())

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data(), dies_at=CALLS, back=st.booleans())
    def a_release_dies(self, data: Any, dies_at: int, *, back: bool) -> None:
        arn = self._version(data)
        doing = self.world.releaser().rollback if back else lambda: self._release(arn)
        try:
            self._dying(dies_at, doing)
        except KilledError:
            self.settled = False
            self._leaves_something()
        except TOLD:
            pass
        self.world.let_lease_run_out()

    @precondition(lambda self: self.world.packages)
    @rule(data=st.data(), at=CALLS, runs_out=st.booleans())
    def two_release_at_once(self, data: Any, at: int, *, runs_out: bool) -> None:
        """The second begins at a call of the first; it takes over where the lease of the first has run out."""
        first, second = self._version(data), self._version(data)

        def interfere() -> None:
            if runs_out:
                self.world.let_lease_run_out()
                self.settled = False  # who stalled between renewing and writing is put right by the next release
            with suppress(*TOLD):
                self._release(second)

        self.world.let_lease_run_out()
        with suppress(*TOLD, ClientError):  # what one who stalled looks at, the other may have removed
            self._at(at, interfere, lambda: self._release(first))

    @precondition(lambda self: not self.settled)
    @rule(data=st.data())
    def run_again(self, data: Any) -> None:
        self.release(data) if self.world.packages else None

    # What holds afterwards.

    @invariant()
    def one_truth(self) -> None:
        if self.settled:
            assert self.world.parameters[PARAMETER] == self.world.live
            assert [entry for entry in self._entries() if entry.outcome == BEGAN] == []

    @invariant()
    def an_approval_acts_once(self) -> None:
        acted = Counter(e.approval for e in self._entries() if e.outcome in {SUCCEEDED, ROLLED_BACK} and e.approval)
        assert set(acted.values()) <= {1}

    @invariant()
    def what_nothing_serves_is_gone_when_a_release_has_succeeded(self) -> None:
        newest = next(iter(self._entries()), None)
        if not self.settled or newest is None or newest.outcome != SUCCEEDED or newest.number <= self.collected:
            return
        assert set(self.world.configs) == {self.world.owned} - {""}
        assert set(self.world.models) == set(self.world.configs.values())

    @invariant()
    def it_answers_as_its_version(self) -> None:
        newest = next((entry for entry in self._entries() if entry.outcome != REFUSED), None)
        if newest and newest.outcome in {SUCCEEDED, ROLLED_BACK} and self.world.endpoint and self.settled:
            assert self.world.live not in self.world.bad

    def _leaves_something(self) -> None:
        """For a release that has not begun yet to collect."""
        self.collected = max((entry.number for entry in self._entries()), default=0)

    def _went_live(self, arn: str) -> None:
        assert self.world.may_be_released(arn) or arn in self.was_live, f"{arn} went live"
        self.was_live.add(arn)

    def _release(self, arn: str, asked: Asked | None = None) -> None:
        entry = self.world.releaser().release(arn, asked or Asked())
        assert entry.is_of(arn)
        assert entry.version == self.world.live

    def _run(self, doing: Callable[[], object]) -> None:
        self.world.let_lease_run_out()
        with suppress(*TOLD):
            doing()
        self.settled = True

    def _entries(self) -> list[Entry]:
        return self.world.journal.entries() if self._started else []

    @property
    def _started(self) -> bool:
        return "dynamodb" in vars(self.world) or bool(self.world.packages)

    def _version(self, data: Any) -> str:
        return str(data.draw(st.sampled_from(sorted(self.world.packages))))

    def _change(self, data: Any, **fields: Any) -> None:
        arn = self._version(data)
        self.seconds += data.draw(st.integers(0, 1))
        package = self.world.packages[arn]
        package.update(fields, LastModifiedTime=f"{len(self.events)}-{self.seconds}-{id(fields)}")
        detail = {key: package[key] for key in ("ModelPackageGroupName", "ModelPackageArn", "ModelLifeCycle")}
        told = {"id": f"event-{len(self.events)}-{id(detail)}", "time": f"{self.seconds:09}"}
        self.events.append({**told, "detail": {**detail, "UpdatedModelPackageFields": list(fields)}})

    def _consumer(self) -> Approvals:
        client, targets = self.world.client, (Target("staging", STAGE),)
        services: dict[str, Any] = {"sagemaker": client("sagemaker"), "dynamodb": client("dynamodb")}
        return Approvals(
            **services, codepipeline=self.pipelines, table=TABLE, pipeline="p", models={"g": "m"}, targets=targets
        )

    def _dying(self, dies_at: int, doing: Callable[[], object]) -> None:
        def die() -> None:
            raise KilledError

        self._at(dies_at, die, doing, for_good=True)

    def _at(
        self, number: int, what: Callable[[], None], doing: Callable[[], object], *, for_good: bool = False
    ) -> None:
        """Let something happen at a call; one who died makes no more calls."""
        calls = 0

        def count() -> None:
            nonlocal calls
            calls += 1
            if calls == number or (for_good and calls > number):
                self.world.before_call = count if for_good else lambda: None
                what()

        self.world.before_call = count
        try:
            doing()
        finally:
            self.world.before_call = lambda: None


class CopyingMachine(ReleaseMachine):
    """The same where what is served is a copy, and copies are asked for, approved, rejected and swapped, too."""

    World = CopyingWorld

    @invariant()
    def a_version_has_one_copy(self) -> None:
        numbers = [self.world.number(arn) for arn in self.world.packages if arn not in self.world.trained]
        assert len(numbers) == len(set(numbers)) or self.tampered


def run(examples: int, steps: int, machine: type[ReleaseMachine] = ReleaseMachine) -> None:
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            derandomize=True,
            phases=(Phase.explicit, Phase.generate),  # to shrink a failing one takes minutes; its steps are printed
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_whatever_happens_one_approved_version_is_desired_and_live() -> None:
    run(examples=25, steps=20)


def test_whatever_happens_where_versions_are_copied_one_approved_copy_is_desired_and_live() -> None:
    run(examples=25, steps=20, machine=CopyingMachine)


@pytest.mark.long
def test_whatever_happens_for_long_where_versions_are_copied_one_approved_copy_is_desired_and_live() -> None:
    run(examples=150, steps=30, machine=CopyingMachine)


@pytest.mark.long
def test_whatever_happens_for_long_one_approved_version_is_desired_and_live() -> None:
    run(examples=150, steps=30)


# The small world ends as the embedded AWS does.


def story(releases: Any, register: Callable[[], str], fails: Callable[[], None], truth: Callable[[], Any]) -> list[Any]:
    """The same steps in either world: what became of each, and what is desired and live then, by its number."""
    seen: list[Any] = []

    def step(doing: Callable[[], Any]) -> None:
        try:
            outcome = doing().outcome
        except (ReleaseError, VersionError) as error:
            outcome = type(error).__name__
        seen.append((outcome, *truth()))

    for _ in range(3):
        register()
    step(releases.rollback)
    step(lambda: releases.release("1"))
    step(lambda: releases.release("1"))
    step(lambda: releases.release("2"))
    fails()
    step(lambda: releases.release("3"))
    step(lambda: releases.release("3", Asked("event", "", 4)))
    step(lambda: releases.release("2", Asked("event", "", 3)))
    step(releases.rollback)
    return [*seen, [(entry.version.rsplit("/", 1)[-1], entry.outcome) for entry in releases.journal.entries()]]


def number(arn: str) -> str:
    return arn.rsplit("/", 1)[-1]


def small_story() -> list[Any]:
    with mock_aws():
        world = SmallWorld()

        def register() -> str:
            arn = world.register()
            world.packages[arn] |= {
                "ModelLifeCycle": {"Stage": STAGE, "StageStatus": "Approved"},
                "ModelApprovalStatus": "Approved",
            }
            return arn

        def truth() -> tuple[str, str, int]:
            return number(world.parameters[PARAMETER]), number(world.live), len(world.configs)

        return story(world.releaser(), register, lambda: setattr(world, "ending", STACK_FAILS), truth)


def test_the_small_world_ends_as_the_embedded_aws_does(serving: Serving, aws: EmbeddedAws) -> None:
    serving.deploy()
    releases = Releaser(serving.world.client, serving.place, poll_seconds=0.05)

    def truth() -> tuple[str, str, int]:
        wanted = desired.read(serving.world.client("ssm"), serving.place.parameter)
        return (
            number(wanted),
            number(releases.live()),
            len(serving.sagemaker.list_endpoint_configs()["EndpointConfigs"]),
        )

    real = story(
        releases, lambda: serving.register().arn, lambda: aws.order_fault(serving.place.endpoint, FAILING), truth
    )

    assert small_story() == real
