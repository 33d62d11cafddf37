"""The arithmetic of Application Auto Scaling: by its documentation's own examples."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rehearsal.scaling_policies import Cooldowns, Limits, Wish, chosen, stepped, tracked

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("capacity", "value", "target", "wanted"),
    [
        (2, 70.0, 70.0, 2),
        (2, 71.0, 70.0, 3),
        (2, 140.0, 70.0, 4),
        (5, 50.0, 70.0, 4),  # 1.43 too many: one is removed
        (3, 0.0, 70.0, 0),
        (0, 12.0, 5.0, 3),  # a queue before the first instance
        (3, sum([1 / 3] * 9), 3.0, 3),  # nine requests to three instances, not a bit more
    ],
)
def test_each_instance_gets_its_target(capacity: int, value: float, target: float, wanted: int) -> None:
    assert tracked(capacity, value, target) == wanted


def configuration(kind: str, *steps: tuple[float | None, float | None, int], **more: Any) -> dict[str, Any]:
    names = ("MetricIntervalLowerBound", "MetricIntervalUpperBound", "ScalingAdjustment")
    given = [{name: v for name, v in zip(names, step, strict=True) if v is not None} for step in steps]
    return {"AdjustmentType": kind, "StepAdjustments": given, **more}


@pytest.mark.parametrize(
    ("beyond", "wanted"), [(0, 10), (9.9, 10), (10, 11), (20, 13), (-9.9, 10), (-10, 9), (-19, 9), (-20, 7)]
)
def test_the_step_that_covers_the_distance_is_taken(beyond: float, wanted: int) -> None:
    steps = configuration(
        "PercentChangeInCapacity",
        (0, 10, 0),
        (10, 20, 10),
        (20, None, 30),
        (-10, 0, 0),
        (-20, -10, -10),
        (None, -20, -30),
    )
    assert stepped(10, beyond, steps) == wanted


@pytest.mark.parametrize(
    ("kind", "adjustment", "more", "wanted"),
    [
        ("ChangeInCapacity", 2, {}, 6),
        ("ChangeInCapacity", -1, {}, 3),
        ("ExactCapacity", 7, {}, 7),
        ("PercentChangeInCapacity", 40, {}, 5),  # 1.6 is rounded down
        ("PercentChangeInCapacity", 10, {}, 5),  # less than one is one
        ("PercentChangeInCapacity", -40, {}, 3),
        ("PercentChangeInCapacity", 25, {"MinAdjustmentMagnitude": 2}, 6),
    ],
)
def test_capacity_is_adjusted_as_its_type_says(kind: str, adjustment: int, more: dict[str, Any], wanted: int) -> None:
    assert stepped(4, 0, configuration(kind, (0, None, adjustment), **more)) == wanted


def test_without_a_step_nothing_changes() -> None:
    assert stepped(4, -1, configuration("ChangeInCapacity", (0, None, 1))) == 4


def wish(capacity: int, *, tracks: bool = False) -> Wish:
    return Wish(capacity, f"to-{capacity}", "a", tracks=tracks)


@pytest.mark.parametrize(
    ("wishes", "tracking", "capacity"),
    [
        ([], 0, None),
        ([wish(4)], 0, None),
        ([wish(5), wish(7)], 0, 7),  # the one that leaves most
        ([wish(3), wish(2)], 0, 3),
        ([wish(2), wish(5)], 0, 5),  # growing before shrinking
        ([wish(99)], 0, 10),
        ([wish(0)], 0, 2),
        ([wish(3, tracks=True)], 1, 3),
        ([wish(3, tracks=True)], 2, None),  # another one that tracks is not content
        ([wish(3, tracks=True), wish(2)], 2, 2),  # a step asks nobody
    ],
)
def test_one_wish_is_carried_out(wishes: list[Wish], tracking: int, capacity: int | None) -> None:
    found = chosen(4, wishes, Limits(2, 10), tracking)

    assert (found.capacity if found else None) == capacity


def test_what_was_added_counts_while_it_cools_down() -> None:
    cooldowns = Cooldowns()

    cooldowns.note(2, 4, NOON)

    assert cooldowns.base(4, NOON + timedelta(seconds=59), 60) == 2
    assert cooldowns.base(4, NOON + timedelta(seconds=60), 60) == 4


def test_shrinking_waits_and_growing_ends_the_wait() -> None:
    cooldowns = Cooldowns()

    cooldowns.note(4, 3, NOON)

    assert not cooldowns.may_shrink(NOON + timedelta(seconds=299), 300)
    assert cooldowns.may_shrink(NOON + timedelta(seconds=300), 300)
    cooldowns.note(3, 5, NOON)
    assert cooldowns.may_shrink(NOON + timedelta(seconds=1), 300)
