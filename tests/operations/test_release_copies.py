"""Releases where what is served are copies: one copy of each version, and no way back through others."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from copying_world import COPIES, CopyingWorld
from moto import mock_aws
from small_world import GROUP_ARN, PARAMETER, STAGE, KilledError, refused

from operations import desired
from operations.journal import INTERRUPTED, REFUSED, SUCCEEDED, Asked, told
from operations.serving_stack import ReleaseError
from operations.verify import Verifier
from operations.versions import VersionError


@pytest.fixture
def world() -> Iterator[CopyingWorld]:
    with mock_aws():
        yield CopyingWorld()


def approved(world: CopyingWorld, *, bad: bool = False) -> str:
    arn = world.register(bad=bad)
    life = {"Stage": STAGE, "StageStatus": "Approved"}
    world.packages[arn] |= {"ModelLifeCycle": life, "ModelApprovalStatus": "Approved"}
    return arn


def released(world: CopyingWorld, *versions: str) -> list[str]:
    """Copies of the versions, which were released one after the other."""
    return [world.releaser().release(version).version for version in versions]


def truth(world: CopyingWorld) -> tuple[str, str]:
    return world.parameters[PARAMETER], world.live


def test_desired_live_and_journal_name_the_copy(world: CopyingWorld) -> None:
    version = approved(world)

    entry = world.releaser().release("1")

    assert entry.version.startswith(COPIES.replace("-group/", "/"))
    assert (entry.copy_of, entry.outcome) == (version, SUCCEEDED)
    assert truth(world) == (entry.version, entry.version)
    assert "version 1 as 1" in next(told(world.journal.entries()))


def test_a_version_that_was_copied_is_not_copied_again(world: CopyingWorld) -> None:
    first, second = approved(world), approved(world)
    copies = released(world, first, second, first)

    assert copies[0] == copies[2] != copies[1]
    assert set(world.copies) == {first, second}


def test_killed_at_every_call_and_run_again_it_ends_in_one_truth_and_one_copy() -> None:
    killed = 0
    for number in itertools.count(1):
        with mock_aws():
            world = CopyingWorld()
            first, second = approved(world), approved(world)
            released(world, first)
            died = _dies(world, second, number)
            world.let_lease_run_out()
            (copy,) = released(world, second)

            assert truth(world) == (copy, copy)
            assert len(world.packages) == 4
            assert world.pristine(copy)
            assert {entry.outcome for entry in world.journal.entries()} <= {SUCCEEDED, INTERRUPTED}
        killed += died
        if not died:
            break

    assert killed > 40


def _dies(world: CopyingWorld, version: str, number: int) -> bool:
    calls = itertools.count(1)

    def count() -> None:
        if next(calls) >= number:
            raise KilledError

    world.before_call = count
    try:
        world.releaser().release(version)
    except KilledError:
        return True
    finally:
        world.before_call = lambda: None
    return False


def test_a_release_that_was_overtaken_while_it_copied_registers_nothing(world: CopyingWorld) -> None:
    version = approved(world)

    def overtake() -> None:
        if world.pushed:
            world.before_call = lambda: None
            world.let_lease_run_out()
            world.journal.lease().take()

    world.before_call = overtake
    with pytest.raises(Exception, match="another release of m is under way"):
        world.releaser().release(version)

    assert (world.copies, world.live) == ({}, "none")


def test_what_was_copied_without_being_served_may_stand_in_the_shadow(world: CopyingWorld) -> None:
    first, second = approved(world), approved(world)
    (copy,) = released(world, first)
    world.parameters["/shadow"] = second
    releaser = replace(world.releaser(), place=replace(world.place, shadow="/shadow"))

    with pytest.raises(VersionError, match=r"in the shadow: .* is no version of"):
        releaser.release(first)
    world.parameters["/shadow"] = releaser.copy("2")

    assert world.copies[second] == world.parameters["/shadow"]
    assert truth(world) == (copy, copy)
    assert releaser.release(first).version == copy


# Without the account that trained.


def test_the_way_back_needs_no_other_account(world: CopyingWorld) -> None:
    first, second = released(world, approved(world), approved(world))
    world.lost = True

    assert world.releaser().rollback().version == first
    assert world.releaser().rollback("2").version == second
    assert world.releaser().release(first).version == first
    assert truth(world) == (first, first)


def test_it_works_is_found_without_the_other_account(world: CopyingWorld) -> None:
    released(world, approved(world))
    world.lost = True

    assert list(Verifier(world.client, "s", [world.place], {})._live(world.place)) == []


@pytest.mark.parametrize("version", ["1", f"{GROUP_ARN.replace('-group/', '/')}/1"])
def test_a_version_that_cannot_be_looked_at_is_not_released(world: CopyingWorld, version: str) -> None:
    released(world, approved(world))
    world.lost = True

    with pytest.raises(VersionError, match="cannot be"):
        world.releaser().release(version)


def test_a_champion_that_cannot_be_reached_is_told_and_the_release_stands(world: CopyingWorld) -> None:
    world.place = replace(world.place, crowns=True)
    first, second = approved(world), approved(world)
    (copy, _), heard = released(world, first, second), list[str]()
    champion = json.loads(world.objects["s3://b/champion/m/champion.json"])
    assert champion["version"] == second
    world.lost = True

    assert replace(world.releaser(), tell=heard.append).rollback().version == copy
    assert any(line.startswith("the champion of b stays what it was") for line in heard)


# What may not be released.


def test_a_version_that_was_rejected_where_it_was_trained_is_refused_and_its_copy_goes_back(
    world: CopyingWorld,
) -> None:
    first, second = approved(world), approved(world)
    copy, _ = released(world, first, second)
    world.packages[first]["ModelApprovalStatus"] = "Rejected"

    with pytest.raises(VersionError, match="is Rejected"):
        world.releaser().release(first)

    assert world.journal.entries()[0].outcome == REFUSED
    assert world.releaser().rollback().version == copy


def test_a_copy_that_was_rejected_is_passed_over(world: CopyingWorld) -> None:
    first, second, _ = released(world, approved(world), approved(world), approved(world))
    world.packages[second]["ModelApprovalStatus"] = "Rejected"

    assert world.releaser().rollback().version == first


def swapped(world: CopyingWorld, copy: str) -> None:
    world.objects[world.as_registered(copy)["ModelDataUrl"]] = b"another"


def renamed(world: CopyingWorld, copy: str) -> None:
    world.packages[copy]["CustomerMetadataProperties"] |= {"copy_of": f"{GROUP_ARN.replace('-group/', '/')}/9"}


def unpushed(world: CopyingWorld, _: str) -> None:
    world.pushed.clear()


@pytest.mark.parametrize(
    ("change", "because"),
    [
        (swapped, "the artifact's sha256 is"),
        (renamed, "the version it copies is .*/9, recorded is .*/1"),
        (unpushed, "there is no such image"),
    ],
)
def test_a_copy_that_is_not_what_was_copied_is_gone_back_to_by_nobody(
    world: CopyingWorld, change: Any, because: str
) -> None:
    first, second = released(world, approved(world), approved(world))
    change(world, first)

    with pytest.raises(VersionError, match=because):
        world.releaser().rollback()

    assert truth(world) == (second, second)


def test_a_version_that_was_changed_before_it_was_copied_is_not_copied(world: CopyingWorld) -> None:
    version = approved(world)
    world.objects[world.as_registered(version)["ModelDataUrl"]] = b"another"

    with pytest.raises(VersionError, match="is not what was registered"):
        world.releaser().release(version)

    assert world.copies == {}


def test_another_version_under_the_same_execution_overwrites_no_copy(world: CopyingWorld) -> None:
    """As whoever has taken the account that trains over could register it."""
    first, second = approved(world), approved(world)
    copy, _ = released(world, first, second)
    before = dict(world.objects)
    forged = approved(world, bad=True)
    package = world.packages[forged]
    record = package["CustomerMetadataProperties"]["provenance"]
    told = json.loads(world.objects[record])
    package["MetadataProperties"] = world.packages[first]["MetadataProperties"]
    world.objects[record] = json.dumps({**told, "execution": "1"}).encode()

    with suppress(VersionError, ReleaseError):
        world.releaser().release(forged)

    assert forged in world.copies
    assert {uri: world.objects[uri] for uri in before if uri.startswith("s3://cb/")} == {
        uri: body for uri, body in before.items() if uri.startswith("s3://cb/")
    }
    assert world.releaser().rollback(first).version == copy


def test_what_stops_the_copying_is_told_and_nothing_has_changed(
    world: CopyingWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise refused("the repository is full", "LimitExceededException")

    monkeypatch.setattr("copying_world.CopyingServices.put_image", fail)
    with pytest.raises(VersionError, match=r"could not be copied to .*/c: .*the repository is full; mend it"):
        world.releaser().release(approved(world))

    assert (truth(world), world.copies) == ((desired.NONE, desired.NONE), {})
    monkeypatch.undo()
    assert released(world, "1") == list(world.copies.values())


def test_a_bad_version_is_taken_back_and_its_copy_stays_for_nobody(world: CopyingWorld) -> None:
    (good,) = released(world, approved(world))

    with pytest.raises(ReleaseError, match="was taken back"):
        world.releaser().release(approved(world, bad=True))

    assert truth(world) == (good, good)


def test_an_approval_acts_once_on_a_copy_too(world: CopyingWorld) -> None:
    version, asked = approved(world), Asked("event", "", 7)

    first, again = (world.releaser().release(version, asked) for _ in range(2))

    assert first == again


def test_what_was_live_before_versions_were_copied_is_copied_on_the_way_back(world: CopyingWorld) -> None:
    """Its journal names the version itself."""
    copying = world.place
    world.place = replace(copying, group=GROUP_ARN, records="b", copying=None)
    first = approved(world)
    released(world, first)
    world.place = copying
    released(world, approved(world))

    assert world.releaser().rollback().version == world.copies[first]
