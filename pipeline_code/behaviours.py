"""Does the model react as the world does? One feature is changed on all rows and the mean score watched."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from pipeline_code.metrics import Scores
    from pipeline_code.model import Behaviour
    from pipeline_code.predictor import Predictor


@dataclass(frozen=True)
class Observed:
    """A behaviour and by how much the mean score moved."""

    behaviour: Behaviour
    moved: float

    @property
    def passed(self) -> bool:
        """NaN passes nothing."""
        if self.behaviour.direction == "still":
            return abs(self.moved) <= self.behaviour.bound
        sign = 1 if self.behaviour.direction == "up" else -1
        return sign * self.moved >= self.behaviour.bound

    @property
    def expected(self) -> str:
        """What was asked for, in words."""
        if self.behaviour.direction == "still":
            return f"within {self.behaviour.bound:g}"
        return f"{self.behaviour.direction} by {self.behaviour.bound:g} or more"


def observe(
    behaviours: Iterable[Behaviour], predictor: Predictor, columns: Mapping[str, npt.NDArray[Any]], scores: Scores
) -> list[Observed]:
    """Score the changed rows; `scores` are those of the unchanged ones."""
    return [
        Observed(behaviour, float((predictor.predict(_changed(behaviour, columns)) - scores).mean()))
        for behaviour in behaviours
    ]


def _changed(behaviour: Behaviour, columns: Mapping[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    """An unknown value stays unknown when something is added to it; setting replaces it too."""
    values = columns[behaviour.feature]
    changed = values + behaviour.value if behaviour.change == "add" else np.full(len(values), behaviour.value)
    return {**columns, behaviour.feature: changed}
