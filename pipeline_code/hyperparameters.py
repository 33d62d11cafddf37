"""The hyperparameters a training job accepts: names, types and ranges, checked where declared and where used."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline_code.contract import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Range:
    """The values one hyperparameter may take, bounds included."""

    type: type[int | float]
    minimum: float
    maximum: float

    def __str__(self) -> str:
        return f"{'a whole number' if self.type is int else 'a number'} from {self.minimum:g} to {self.maximum:g}"


BOOSTER = {
    "eta": Range(float, 0.001, 1),
    "max_depth": Range(int, 1, 16),
    "min_child_weight": Range(float, 0, 10_000),
    "subsample": Range(float, 0.1, 1),
    "colsample_bytree": Range(float, 0.1, 1),
    "lambda": Range(float, 0, 1_000),
    "alpha": Range(float, 0, 1_000),
    "gamma": Range(float, 0, 1_000),
    "max_bin": Range(int, 16, 1_024),
    # Sums of gradients depend on how many threads share the rows, so the number is part of the model.
    "nthread": Range(int, 1, 96),
    "seed": Range(int, 0, 2**31 - 1),
}
"""Passed to XGBoost under the same name: https://xgboost.readthedocs.io/en/stable/parameter.html"""

ROUNDS = {
    "num_boost_round": Range(int, 1, 10_000),
    "early_stopping_rounds": Range(int, 1, 1_000),
}

RANGES = {**BOOSTER, **ROUNDS}


def problems(given: Mapping[str, str]) -> list[str]:
    """Everything wrong with hyperparameters as SageMaker passes them, all values strings; empty if they are fine."""
    found = [
        f"hyperparameter {name!r} is unknown; known are {', '.join(RANGES)}"
        for name in sorted(set(given) - set(RANGES))
    ]
    found += [f"hyperparameter {name!r} is missing; give {RANGES[name]}" for name in RANGES if name not in given]
    for name, allowed in RANGES.items():
        if name in given and _value(given[name], allowed) is None:
            found.append(f"hyperparameter {name!r} is {given[name]!r}; give {allowed}")
    return found


def parse(given: Mapping[str, str]) -> dict[str, int | float]:
    """The typed values; raises ContractError naming every problem."""
    found = problems(given)
    if found:
        raise ContractError("\n".join(found))
    return {name: allowed.type(given[name]) for name, allowed in RANGES.items()}


def _value(text: str, allowed: Range) -> float | None:
    try:
        value = allowed.type(text)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and allowed.minimum <= value <= allowed.maximum else None
