"""The same version behind BentoML: a service of two workers, as its documentation has it, asked with rows in JSON.

A data frame as the type of `rows` costs several times as much, so it is not what is compared; nor are access log and
metrics.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import bentoml
import numpy as np
import xgboost

HALF = 0.5


@bentoml.service(workers=2, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class Trees:
    """What `bentoml serve serving_bentoml:Trees` starts."""

    def __init__(self) -> None:
        folder = Path(os.environ["SLIPWAY_ML_ROOT"]) / "model"
        saved = json.loads((folder / "features.json").read_text())
        known = {
            name: {value: code for code, value in enumerate(values)} for name, values in saved["categories"].items()
        }
        self._codes = [(saved["features"].index(name), codes) for name, codes in known.items()]
        self._features = saved["features"]
        self._booster = xgboost.Booster(model_file=folder / "model.ubj")
        self._booster.set_param({"nthread": 1})

    @bentoml.api
    def predict(self, rows: list[list[float | str | None]]) -> dict[str, list[float] | list[str]]:
        for row in rows:
            for column, codes in self._codes:
                row[column] = codes.get(row[column])
        matrix = xgboost.DMatrix(np.array(rows, "float32"), feature_names=self._features, nthread=1)
        scores = self._booster.predict(matrix)
        return {
            "probability": scores.tolist(),
            "class": ["late" if score >= HALF else "on time" for score in scores],
        }
