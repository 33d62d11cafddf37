"""Step caching: a step that ran before with the same arguments hands on its results instead of running again.

SageMaker compares arguments, never the data they point to; so a step may only be cached if its arguments name what
cannot change: https://docs.aws.amazon.com/sagemaker/latest/dg/pipelines-default-keys.html
"""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

Json = dict[str, Any]

ATTRIBUTES = {
    "Processing": ("AppSpecification", "Environment", "ProcessingInputs"),
    "Training": ("AlgorithmSpecification", "CheckpointConfig", "Environment", "HyperParameters", "InputDataConfig"),
}
"""The arguments that are compared, by step type."""

DURATION = re.compile(
    r"P?(?:(?P<years>\d+)Y)?(?:(?P<months>\d+)M)?(?:(?P<weeks>\d+)W)?(?:(?P<days>\d+)D)?"
    r"(?:T(?:(?P<hours>\d+)H)?(?:(?P<minutes>\d+)M)?)?",
    re.IGNORECASE,
)
DAYS_PER_MONTH, DAYS_PER_YEAR = 30, 365


@dataclass(frozen=True)
class Kept:
    """A step that succeeded: in which execution, when, and what it left."""

    execution: str
    ended: datetime
    result: Json
    metadata: Json


class Cache:
    """The newest success of each step of each pipeline with each set of arguments."""

    def __init__(self) -> None:
        self._kept: dict[str, Kept] = {}
        self._lock = threading.Lock()

    def find(self, pipeline: str, step: Json, arguments: Json, now: datetime) -> Kept | None:
        """A success that has not expired, if the step asks for one."""
        config = step.get("CacheConfig", {})
        if not config.get("Enabled"):
            return None
        with self._lock:
            kept = self._kept.get(_key(pipeline, step, arguments))
        expires = config.get("ExpireAfter")
        if kept is None or (expires and kept.ended + duration(expires) < now):
            return None
        return kept

    def keep(self, pipeline: str, step: Json, arguments: Json, kept: Kept) -> None:
        if step["Type"] in ATTRIBUTES:
            with self._lock:
                self._kept[_key(pipeline, step, arguments)] = kept


def duration(text: str) -> timedelta:
    """An ISO 8601 duration as SageMaker takes it, with or without the P: 30d, PT1H, P30DT5H."""
    match = DURATION.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"{text!r} is no duration; give one such as 30d or PT12H")
    years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
    return timedelta(
        days=years * DAYS_PER_YEAR + months * DAYS_PER_MONTH + weeks * 7 + days, hours=hours, minutes=minutes
    )


def mistakes(config: Json, kind: str) -> list[str]:
    """What is wrong with a step's CacheConfig; empty if nothing is."""
    if kind not in ATTRIBUTES:
        return [f"a {kind} step is not cached; steps that are: {', '.join(ATTRIBUTES)}"]
    found = [
        f"{key!r} is unknown; known are Enabled, ExpireAfter" for key in config if key not in {"Enabled", "ExpireAfter"}
    ]
    if not isinstance(config.get("Enabled"), bool):
        found.append(f"Enabled is {config.get('Enabled')!r}; give true or false")
    if "ExpireAfter" in config:
        try:
            duration(str(config["ExpireAfter"]))
        except ValueError as error:
            found.append(f"ExpireAfter: {error}")
    return found


def _key(pipeline: str, step: Json, arguments: Json) -> str:
    compared = {name: arguments.get(name) for name in ATTRIBUTES[step["Type"]]}
    return json.dumps([pipeline, step["Name"], step["Type"], compared], sort_keys=True, default=str)
