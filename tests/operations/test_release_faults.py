"""What went wrong with releases once, each by itself; the machine beside it finds such things."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from moto import mock_aws
from small_world import CLAIMS, GROUP_ARN, PARAMETER, PLACE, STACK_FAILS, STAGE, KilledError, SmallWorld

from operations.journal import BEGAN, FAILED, INTERRUPTED, REFUSED, ROLLED_BACK, SUCCEEDED, Asked, BusyError
from operations.serving_stack import ReleaseError, ServingStack
from operations.versions import VersionError, arn_of

if TYPE_CHECKING:
    from operations.release import Releaser


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


def test_a_release_that_was_overtaken_while_its_stack_stuck_writes_nothing(
    world: SmallWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, third = approved(world), approved(world), approved(world)
    world.releaser().release(first)

    def stick(*_: Any) -> None:
        world.let_lease_run_out()
        world.journal.lease().take()
        world.parameters[PARAMETER] = third  # what the release that took over wants
        raise ReleaseError("the stack is stuck and stays so")

    monkeypatch.setattr(ServingStack, "update", stick)
    with pytest.raises(BusyError):
        world.releaser().release(second)

    assert world.parameters[PARAMETER] == third
    assert outcomes(world)[0] == BEGAN  # for whoever has taken over to close


def test_to_go_back_twice_goes_back_by_two(world: SmallWorld) -> None:
    first, second, third = approved(world), approved(world), approved(world)
    for arn in (first, second, third):
        world.releaser().release(arn)

    assert world.releaser().rollback().version == second
    assert world.releaser().rollback().version == first
    with pytest.raises(ReleaseError, match="no earlier version"):
        world.releaser().rollback()


def test_the_way_back_does_not_lead_to_a_version_that_was_left_by_going_back(world: SmallWorld) -> None:
    first, left, third = approved(world), approved(world), approved(world)
    world.releaser().release(first)
    world.releaser().release(left)
    world.releaser().rollback()
    world.releaser().release(third)
    world.releaser().release(third)  # which changes nothing, not the way back either

    assert world.releaser().rollback().version == first


def test_the_way_back_is_that_of_releases_that_succeeded(world: SmallWorld) -> None:
    """One that was killed before its version served says nothing of what was live before that version."""
    first, second, third = approved(world), approved(world), approved(world)
    for arn in (first, second, third):
        world.releaser().release(arn)
    killed(world, second, lambda: world.parameters[PARAMETER] == second)

    assert world.releaser().rollback().version == second
    assert world.releaser().rollback().version == first


def test_the_way_back_leads_past_versions_that_were_rejected_since(world: SmallWorld) -> None:
    first, second, third = approved(world), approved(world), approved(world)
    for arn in (first, second, third):
        world.releaser().release(arn)
    world.packages[second]["ModelApprovalStatus"] = "Rejected"

    assert world.releaser().rollback().version == first


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
            world.configs["old"], world.models["old-model"], world.owned = "old-model", "none", "old"

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


def test_an_image_that_is_pushed_anew_while_it_is_released_is_taken_back(world: SmallWorld) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)

    def push() -> None:
        if world.live == second:
            world.digest = "sha256:2"

    world.before_call = push
    with pytest.raises(ReleaseError, match=r"changed while it was released: the image .* is sha256:2 now"):
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


def left(world: SmallWorld) -> tuple[list[str], list[str]]:
    """Configurations and models."""
    return sorted(world.configs), sorted(world.models)


def test_a_deployment_between_a_failed_release_and_the_next_costs_no_model_that_is_live(world: SmallWorld) -> None:
    """It replaces the configuration alone: the failed release had begun with one that names the very same model."""
    good, bad = approved(world), approved(world, bad=True)
    world.releaser().release(good)
    with pytest.raises(ReleaseError):
        world.releaser().release(bad)
    world.deploy()

    world.releaser().release(good)

    assert world.live == good
    assert left(world) == ([world.owned], [world.configs[world.owned]])


def test_neither_what_serves_nor_what_the_stack_believes_in_is_collected(world: SmallWorld) -> None:
    """The endpoint went back from a deployment that its stack takes for done; both are of the version."""
    first, second = approved(world), approved(world)
    world.releaser().release(first)
    world.releaser().release(second)
    world.deploy(stays=False)
    assert world.endpoint
    serves = world.endpoint["EndpointConfigName"]

    world.releaser().release(second)

    both = sorted([serves, world.owned])
    assert left(world) == (both, sorted(world.configs[name] for name in both))


def test_nothing_is_collected_while_somebody_deploys(world: SmallWorld) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)

    def deploy() -> None:
        if outcomes(world)[0] == SUCCEEDED and world.live == second:
            world.stack["StackStatus"], world.looks = "UPDATE_IN_PROGRESS", 2

    world.before_call = deploy
    world.releaser().release(second)

    assert (len(world.configs), len(world.models)) == (2, 2)


def test_what_cannot_be_removed_is_told_and_the_release_stands(world: SmallWorld) -> None:
    first, second, heard = approved(world), approved(world), list[str]()
    world.releaser().release(first)
    world.forbidden = frozenset({"list_models"})

    assert replace(world.releaser(), tell=heard.append).release(second).outcome == SUCCEEDED
    assert "stays until the next release: " in heard[-1]
    assert len(world.configs) == 2

    world.forbidden = frozenset()
    world.releaser().release(second)
    assert left(world) == ([world.owned], [world.configs[world.owned]])


def test_what_others_have_made_is_left_alone(world: SmallWorld) -> None:
    world.configs["by-hand"], world.models["by-hand"] = "by-hand", "none"

    world.releaser().release(approved(world))
    world.releaser().release(approved(world))

    assert left(world) == (sorted(["by-hand", world.owned]), sorted(["by-hand", world.configs[world.owned]]))


# The version in the shadow.


def shadowed(world: SmallWorld, version: str) -> Releaser:
    """The releaser of a model that has a shadow, in which a version stands."""
    world.parameters["/shadow"] = version
    return replace(world.releaser(), place=replace(PLACE, shadow="/shadow"))


def unapproved(world: SmallWorld) -> str:
    return world.register()


def swapped(world: SmallWorld) -> str:
    arn = approved(world)
    (container,) = world.packages[arn]["InferenceSpecification"]["Containers"]
    world.objects[container["ModelDataUrl"]] = b"another"
    return arn


def of_another_image(world: SmallWorld) -> str:
    record = world.packages[arn := approved(world)]["CustomerMetadataProperties"]["provenance"]
    world.objects[record] = world.objects[record].replace(b"sha256:1", b"sha256:2")
    return arn


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (unapproved, "is Development/Passed, PendingManualApproval; this environment takes versions from"),
        (swapped, "is not what was registered: the artifact's sha256 is"),
        (of_another_image, "is sha256:1 now, recorded is sha256:2"),
        (lambda _: "arn:aws:sagemaker:eu-west-1:111111111111:model-package/other/1", "is no version of"),
        (lambda _: f"{GROUP_ARN.replace('-group/', '/')}/9", "cannot be read: .*; name one that is registered"),
    ],
)
def test_a_version_in_the_shadow_that_could_not_be_released_is_refused(
    world: SmallWorld, made: Callable[[SmallWorld], str], told: str
) -> None:
    first, second = approved(world), approved(world)
    world.releaser().release(first)

    with pytest.raises(VersionError, match=f"^in the shadow: .*{told}.* --name /shadow --value none --overwrite$"):
        shadowed(world, made(world)).release(second)

    assert (world.live, world.parameters[PARAMETER], outcomes(world)[0]) == (first, first, REFUSED)


def test_a_number_in_the_shadow_is_no_version(world: SmallWorld) -> None:
    """SageMaker would look for a model package of that name, and the stack could not be updated."""
    with pytest.raises(VersionError, match=r"^in the shadow: /shadow says '1'; it takes a version's ARN, or none$"):
        shadowed(world, "1").release(approved(world))


def test_a_version_in_the_shadow_that_may_be_there_bars_nothing(world: SmallWorld) -> None:
    first, second, other = approved(world), approved(world), approved(world)

    shadowed(world, "none").release(first)
    shadowed(world, other).release(second)
    world.packages[other]["ModelApprovalStatus"] = "PendingManualApproval"  # asked for another stage meanwhile
    shadowed(world, other).rollback()

    assert outcomes(world) == [SUCCEEDED] * 3


def test_not_even_the_way_back_serves_a_shadow_that_was_rejected_or_changed(world: SmallWorld) -> None:
    first, second, other = approved(world), approved(world), approved(world)
    world.releaser().release(first)
    shadowed(world, other).release(second)
    world.packages[other]["ModelApprovalStatus"] = "Rejected"

    with pytest.raises(VersionError, match=r"^in the shadow: .* is Rejected"):
        shadowed(world, other).rollback()
    with pytest.raises(VersionError, match=r"^in the shadow: .* is not what was registered"):
        shadowed(world, swapped(world)).rollback()

    assert shadowed(world, "none").rollback().version == first


def test_a_failing_release_is_told_and_leaves_what_can_be_collected(world: SmallWorld) -> None:
    good, bad, better = approved(world), approved(world, bad=True), approved(world)
    world.releaser().release(good)
    with pytest.raises(ReleaseError, match="smoke test"):
        world.releaser().release(bad)
    assert outcomes(world)[0] == ROLLED_BACK

    world.releaser().release(better)

    assert len(world.configs) == len(world.models) == 1
