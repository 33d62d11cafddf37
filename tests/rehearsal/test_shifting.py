"""The shares of the traffic by which an endpoint's deployment goes over."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from rehearsal import metrics, shifting
from rehearsal.clock import clock
from rehearsal.shifting import Plan


def steps(kind: str, **sizes: int) -> list[float]:
    routing: dict[str, Any] = {"Type": kind, "WaitIntervalInSeconds": 60}
    routing |= {name: {"Type": "CAPACITY_PERCENT", "Value": size} for name, size in sizes.items()}
    plan = Plan.of({"BlueGreenUpdatePolicy": {"TrafficRoutingConfiguration": routing}})
    return [round(share, 6) for share in plan.steps]


@pytest.mark.parametrize(
    ("percent", "shares"),
    [
        (10, [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0]),
        (20, [0.2, 0.4, 0.6, 0.8, 1.0]),
        (25, [0.25, 0.5, 0.75, 1.0]),
        (30, [0.3, 0.6, 0.9, 1.0]),
        (50, [0.5, 1.0]),
    ],
)
def test_linear_steps_are_equal_and_the_last_is_the_rest(percent: int, shares: list[float]) -> None:
    assert steps("LINEAR", LinearStepSize=percent) == shares


def test_a_canary_is_one_share_and_then_all_of_it() -> None:
    assert steps("CANARY", CanarySize=10) == [0.1, 1.0]
    assert steps("ALL_AT_ONCE") == [1.0]


def test_a_bake_waits_until_the_new_fleet_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine the first probe comes after the time that really passes; its error must still be seen."""
    green = SimpleNamespace(weight=1.0, answered=0, origin=SimpleNamespace(endpoint="live"))

    def judge(_place: Any, alarm: str, _since: Any) -> metrics.Verdict:
        return metrics.Verdict(alarm, raised=green.answered > 0, reason="it failed")

    monkeypatch.setattr(metrics, "judge", judge)
    probe = threading.Timer(shifting.WATCHED_SECONDS + 0.3, lambda: setattr(green, "answered", 1))
    probe.start()

    verdict = shifting._bake(Plan((1.0,), 0, ("errors",)), None, clock.now(), green)  # type: ignore[arg-type]

    assert verdict
    assert verdict.raised
