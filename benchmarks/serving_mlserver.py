"""The same version behind MLServer: a custom runtime, as its documentation has it, with the V2 inference protocol.

A request brings the numbers as one tensor and each category as a tensor of strings. The data frame that MLServer can
make of a tensor a column costs several times as much, so it is not what is compared.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import xgboost
from mlserver import MLModel
from mlserver.codecs import NumpyCodec, StringCodec
from mlserver.types import InferenceRequest, InferenceResponse

HALF = 0.5


class Trees(MLModel):
    """What model-settings.json names as its implementation."""

    async def load(self) -> bool:
        folder = Path(os.environ["SLIPWAY_ML_ROOT"]) / "model"
        saved = json.loads((folder / "features.json").read_text())
        self._codes = {
            name: {value: code for code, value in enumerate(values)} for name, values in saved["categories"].items()
        }
        self._features = saved["features"]
        self._booster = xgboost.Booster(model_file=folder / "model.ubj")
        self._booster.set_param({"nthread": 1})
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        given = {tensor.name: self.decode(tensor) for tensor in payload.inputs}
        codes = [[known.get(value, np.nan) for value in given[name]] for name, known in self._codes.items()]
        rows = np.column_stack([given["numbers"], *codes]).astype("float32")
        scores = self._booster.predict(xgboost.DMatrix(rows, feature_names=self._features, nthread=1))
        words = ["late" if score >= HALF else "on time" for score in scores]
        outputs = [
            NumpyCodec.encode_output("probability", scores),
            StringCodec.encode_output("class", words, use_bytes=False),
        ]
        return InferenceResponse(model_name=self.name, outputs=outputs)
