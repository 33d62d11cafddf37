"""A version as an endpoint holds it: encoding, trees, the words for its answers, and a prediction to test it by."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from pipeline_code.contract import ContractError
from pipeline_code.predictor import MODEL_FILE, read_saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pipeline_code.encoding import Encoding

COMPILED_FILE = "model.onnx"
SERVING_FILE = "serving.json"
OUTPUTS = ["probability"]
TOLERANCE = 1e-6
"""How far the compiled trees may be from XGBoost's own answer: float32 adds up in another order."""


@dataclass(frozen=True)
class Serving:
    """serving.json, which the package step adds to a model folder.

    `test` holds CSV lines of real rows and the probabilities the trainer gave them. Up to `crossover` rows the compiled
    trees answer, above it XGBoost; 0 is XGBoost always.
    """

    model: str
    outcomes: tuple[str, str]
    crossover: int
    test: Mapping[str, Sequence[Any]]
    threshold: float = 0.5

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises ContractError for a folder that was never packaged."""
        if not (folder / SERVING_FILE).is_file():
            raise ContractError(f"model without {SERVING_FILE}; serve a version that the step `package` has made")
        saved = json.loads((folder / SERVING_FILE).read_text(encoding="utf-8"))
        return cls(**{**saved, "outcomes": tuple(saved["outcomes"])})

    def write(self, folder: Path) -> None:
        """Beside the booster; the same values give the same bytes."""
        (folder / SERVING_FILE).write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")


class Served:
    """Predicts rows that are encoded already. XGBoost is imported when the first large batch needs it."""

    def __init__(self, folder: Path) -> None:
        self.serving = Serving.read(folder)
        self.encoding: Encoding = read_saved(folder)[0]
        self._folder = folder
        self._compiled: Any = None
        if self.serving.crossover:
            from pipeline_code.compiled import OneRow, session

            self._compiled = session((folder / COMPILED_FILE).read_bytes())
            self._one = OneRow(self._compiled, len(self.encoding.features))
        import numpy as np

        self._numpy = np
        self._cells = [_cell(word) for word in self.serving.outcomes]

    def predict(self, rows: Sequence[Sequence[float]]) -> list[float]:
        """The probability of the label for each row."""
        if len(rows) == 1 <= self.serving.crossover:
            return [self._one.predict(rows[0])]
        matrix = self._numpy.array(rows, dtype=self._numpy.float32)
        if len(rows) <= self.serving.crossover:
            answers: list[float] = self._compiled.run(OUTPUTS, {"rows": matrix})[0][:, 0].tolist()
            return answers
        found: list[float] = self._booster.inplace_predict(matrix).tolist()
        return found

    def outcome(self, probability: float) -> str:
        """The word for a probability."""
        return self.serving.outcomes[probability >= self.serving.threshold]

    def outcome_cell(self, probability: float) -> str:
        """The same as a cell of CSV."""
        return self._cells[probability >= self.serving.threshold]

    @cached_property
    def _booster(self) -> Any:
        import xgboost

        booster = xgboost.Booster(model_file=self._folder / MODEL_FILE)
        booster.set_param({"nthread": 1})  # a server's workers are its parallelism
        return booster


def _cell(word: str) -> str:
    quoted = word.replace('"', '""')
    return f'"{quoted}"' if quoted != word or "," in word else word
