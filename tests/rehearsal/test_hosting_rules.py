"""What an update of an endpoint retains of it, by the properties that AWS names."""

from __future__ import annotations

from typing import Any

import pytest

from rehearsal.fleet import Fleet, Origin
from rehearsal.hosted import Endpoint
from rehearsal.hosting_rules import kept

PERCENT = "InitialSamplingPercentage"


def config(name: str, percent: int | None, variant: str = "main") -> dict[str, Any]:
    capture = {"DataCaptureConfig": {PERCENT: percent}} if percent else {}
    described = {"VariantName": variant, "InitialInstanceCount": 2, "ModelName": name}
    return {"EndpointConfigName": name, "ProductionVariants": [described], **capture}


def endpoint(percent: int | None) -> Endpoint:
    """One that was made with two instances and has three by now, and half of its weight."""
    described = {**config("old", None)["ProductionVariants"][0], "InitialVariantWeight": 0.5}
    place: Any = None
    return Endpoint({}, config("old", percent), [Fleet(Origin("live", "main", "old"), place, described, instances=3)])


def after(request: dict[str, Any], *, old: int | None = 20, new: dict[str, Any] | None = None) -> tuple[Any, ...]:
    """Instances, weight and share of captured requests after an update."""
    made = kept(endpoint(old), request, new or config("new", 60))
    (variant,) = made["ProductionVariants"]
    assert (made["EndpointConfigName"], variant["ModelName"]) == ("new", "new")
    share = made.get("DataCaptureConfig", {}).get(PERCENT)
    return variant["InitialInstanceCount"], variant.get("InitialVariantWeight", 1.0), share


def request(*excluded: str, retain: bool = True) -> dict[str, Any]:
    kinds = [{"VariantPropertyType": kind} for kind in excluded]
    return {"RetainAllVariantProperties": retain, "ExcludeRetainedVariantProperties": kinds}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, (2, 1.0, 60)),
        (request("DataCaptureConfig", retain=False), (2, 1.0, 60)),
        ({"RetainAllVariantProperties": True}, (3, 0.5, 20)),
        (request("DataCaptureConfig"), (3, 0.5, 60)),
        (request("DataCaptureConfig", "DesiredWeight"), (3, 1.0, 60)),
        (request("DesiredInstanceCount"), (2, 0.5, 20)),
    ],
)
def test_all_is_retained_but_what_is_excluded(asked: dict[str, Any], found: tuple[Any, ...]) -> None:
    assert after(asked) == found


def test_no_capture_is_retained_too() -> None:
    assert after(request(), old=None) == (3, 0.5, None)


def test_a_variant_of_another_name_retains_nothing_of_its_own() -> None:
    assert after(request("DataCaptureConfig"), new=config("new", 60, "other")) == (2, 1.0, 60)
