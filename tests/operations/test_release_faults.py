"""What went wrong with releases once, each by itself; the machine beside it finds such things."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws
from small_world import CLAIMS, GROUP_ARN, PARAMETER, STACK_FAILS, STAGE, KilledError, SmallWorld

from operations import probes
from operations.asking import Served
from operations.journal import BEGAN, FAILED, INTERRUPTED, ROLLED_BACK, SUCCEEDED, Asked
from operations.serving_stack import ReleaseError
from operations.versions import Checked, VersionError, arn_of


@pytest.fixture
def world() -> Iterator[SmallWorld]:
    with mock_aws():
        yield SmallWorld()


def approved(world: SmallWorld, *, bad: bool = False) -> str:
    arn = world.register(bad=bad)
    life = {"Stage": STAGE, "StageStatus": "Approved"}
    world.packages[arn] |= {"ModelLifeCycle": life, "ModelApprovalStatus": "Approved"}
    return arn


def die_when(world: SmallWorld, holds: Any) -> None:
    """Kill the release at the first call at which something holds."""

    def look() -> None:
        if holds():
            raise KilledError

    world.before_call = look


def killed(world: SmallWorld, arn: str, holds: Any) -> None:
    die_when(world, holds)
    with pytest.raises(KilledError):
        world.releaser().release(arn)
    world.before_call = lambda: None
    world.let_lease_run_out()


def outcomes(world: SmallWorld) -> list[str]:
    return [entry.outcome for entry in world.journal.entries()]


def test_a_killed_release_is_closed_by_the_next_and_what_is_desired_is_live_again(world: SmallWorld) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)
    killed(world, second, lambda: world.parameters[PARAMETER] == second)
    world.packages[second]["ModelApprovalStatus"] = "Rejected"

    with pytest.raises(VersionError):
        world.releaser().release(second)

    assert (world.parameters[PARAMETER], world.live) == (first, first)
    assert outcomes(world)[1] == INTERRUPTED
    assert BEGAN not in outcomes(world)


def test_a_bad_version_whose_release_was_killed_is_taken_back_to_what_was_before_it(world: SmallWorld) -> None:
    good, bad = approved(world), approved(world, bad=True)
    world.releaser().release(good)
    killed(world, bad, lambda: world.live == bad)

    with pytest.raises(ReleaseError, match="was taken back"):
        world.releaser().release(bad)

    assert (world.parameters[PARAMETER], world.live) == (good, good)


def test_an_unproven_version_does_not_stay_when_the_next_one_is_refused(world: SmallWorld) -> None:
    good, bad, other = approved(world), approved(world, bad=True), world.register()
    world.releaser().release(good)
    killed(world, bad, lambda: world.live == bad)

    with pytest.raises(VersionError):
        world.releaser().release(other)

    assert (world.parameters[PARAMETER], world.live) == (good, good)


def test_one_command_goes_back_from_a_release_that_was_killed_while_its_stack_went_on(world: SmallWorld) -> None:
    first, second, third = approved(world), approved(world), approved(world)
    world.releaser().release(first)
    world.releaser().release(second)
    killed(world, third, lambda: world.stack["StackStatus"] == "UPDATE_IN_PROGRESS")

    assert world.releaser().rollback().version == second


def test_a_stack_that_claims_success_can_be_released_to_again(world: SmallWorld) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)
    world.ending = CLAIMS
    with pytest.raises(ReleaseError, match="rolled back by its alarm"):
        world.releaser().release(second)
    assert (world.live, world.parameters[PARAMETER]) == (first, first)

    assert world.releaser().release(second).outcome == SUCCEEDED
    assert len(world.configs) == len(world.models) == 1


def test_what_cannot_be_taken_back_is_said_and_desired_is_what_is_live(world: SmallWorld) -> None:
    good, bad = approved(world), approved(world, bad=True)
    world.releaser().release(good)

    def fail_the_second() -> None:
        if world.live == bad:
            world.ending = STACK_FAILS

    world.before_call = fail_the_second
    with pytest.raises(ReleaseError, match="could not be put back"):
        world.releaser().release(bad)

    assert (world.live, world.parameters[PARAMETER]) == (bad, bad)
    assert outcomes(world)[0] == FAILED


def test_infrastructure_that_is_deployed_just_now_is_waited_for(world: SmallWorld) -> None:
    first = approved(world)

    def deploy() -> None:
        if world.parameters[PARAMETER] == first and world.looks == 0 and not world.endpoint and "x" not in seen:
            seen.add("x")
            world.stack["StackStatus"], world.looks, world.wanted = "UPDATE_IN_PROGRESS", 2, "none"
            world.stack["Outputs"] = [{"OutputKey": "Configuration", "OutputValue": "old"}]
            world.configs["old"], world.models["old-model"] = "old-model", "none"

    seen: set[str] = set()
    world.before_call = deploy

    assert world.releaser().release(first).outcome == SUCCEEDED
    assert seen == {"x"}


def test_content_that_is_swapped_while_it_is_released_is_taken_back(world: SmallWorld) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)

    def swap() -> None:
        if world.live == second:
            uri = world.packages[second]["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]
            world.objects[uri] = b"another"

    world.before_call = swap
    with pytest.raises(ReleaseError, match="changed while it was released"):
        world.releaser().release(second)

    assert world.live == first


def test_an_approval_whose_release_was_killed_acts_when_it_is_run_again_and_then_no_more(world: SmallWorld) -> None:
    arn, other = approved(world), approved(world)
    asked = Asked("event", "", 7)
    die_when(world, lambda: world.parameters[PARAMETER] == arn)
    with pytest.raises(KilledError):
        world.releaser().release(arn, asked)
    world.before_call = lambda: None
    world.let_lease_run_out()

    assert world.releaser().release(arn, asked).outcome == SUCCEEDED
    world.releaser().release(other)
    with pytest.raises(ReleaseError, match="approval 7 was overtaken by 7"):
        world.releaser().release(arn, asked)


@pytest.mark.parametrize(
    "arn", [f"{GROUP_ARN}/1".replace("-group/g", "/other"), "arn:aws:sagemaker:x:1:model-package/gg/1"]
)
def test_a_version_of_another_group_is_refused(arn: str) -> None:
    with pytest.raises(VersionError, match="is no version of"):
        arn_of(None, GROUP_ARN, arn)


class Answers:
    """A runtime that answers what it is told to."""

    def __init__(self, *bodies: bytes) -> None:
        self.bodies = list(bodies)

    def invoke_endpoint(self, **_: Any) -> Any:
        return {"Body": io.BytesIO(self.bodies.pop(0))}


@pytest.mark.parametrize(
    "body",
    [b'{"predictions": [{"probability": NaN}]}', b'{"predictions": []}', b"[]", b"<html>", b'{"predictions": null}'],
)
def test_answers_that_are_none_fail_the_smoke_test(body: bytes) -> None:
    good = b'{"predictions": [{"probability": 0.5}]}'

    answers = Answers(good, body)

    told = probes.smoke(Served(lambda _: answers, "e", "s"), Checked("a", ("1", "2"), (0.5, 0.5), "image"))

    assert told is not None
    assert told.startswith("smoke test: ")


def test_answers_that_are_none_are_failed_probes_and_end_nothing() -> None:
    told: list[Any] = []

    class CloudWatch:
        def put_metric_data(self, **request: Any) -> None:
            told.append(request["MetricData"][0]["Value"])

    answers = Answers(b"[]", b"{}")

    def client(service: str) -> Any:
        return answers if service == "sagemaker-runtime" else CloudWatch()

    probes.probe(Served(client, "e", "s"), Checked("a", ("1", "2"), (0.5, 0.5), "image"))

    assert told == [2]


def test_a_failing_release_is_told_and_leaves_what_can_be_collected(world: SmallWorld) -> None:
    good, bad, better = approved(world), approved(world, bad=True), approved(world)
    world.releaser().release(good)
    with pytest.raises(ReleaseError, match="smoke test"):
        world.releaser().release(bad)
    assert outcomes(world)[0] == ROLLED_BACK

    world.releaser().release(better)

    assert len(world.configs) == len(world.models) == 1
