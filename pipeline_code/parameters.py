"""What a run is given: period and listing, the server's image, who asked and why, its author, the hyperparameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline_code import hyperparameters

if TYPE_CHECKING:
    from collections.abc import Mapping

Json = dict[str, Any]

REASONS = ("manual", "schedule", "arrival", "code", "drift")
UNKNOWN = "unknown"
TYPES = {int: "Integer", float: "Float"}


def get(name: str) -> Json:
    """The variable that becomes a parameter's value when the pipeline runs."""
    return {"Get": f"Parameters.{name}"}


PERIOD, LISTING, REASON = (get(name) for name in ("Period", "Listing", "Reason"))
STARTED_BY, AUTHOR = (get(name) for name in ("StartedBy", "Author"))
SERVE_IMAGE_DIGEST = get("ServeImageDigest")


def declared(given: Mapping[str, str]) -> list[Json]:
    """The `Parameters` of a definition; the model's own hyperparameters are the defaults."""
    return [
        {"Name": "Period", "Type": "String"},
        {"Name": "Listing", "Type": "String"},
        {"Name": "ServeImageDigest", "Type": "String"},
        {"Name": "Reason", "Type": "String", "DefaultValue": REASONS[0], "EnumValues": list(REASONS)},
        {"Name": "StartedBy", "Type": "String", "DefaultValue": UNKNOWN},
        {"Name": "Author", "Type": "String"},
        *(
            {"Name": name, "Type": TYPES[allowed.type], "DefaultValue": allowed.type(given[name])}
            for name, allowed in hyperparameters.RANGES.items()
            if name in given
        ),
    ]


def passed(given: Mapping[str, str]) -> Json:
    """The `HyperParameters` of a training request, which takes strings only."""
    return {name: {"Std:Join": {"On": "", "Values": [get(name)]}} for name in given}
