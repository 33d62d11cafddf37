"""The same version as it is mostly served: gunicorn, Flask and pandas, as in AWS's own framework containers."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import flask
import pandas as pd
import xgboost

FOLDER = Path(os.environ["SLIPWAY_ML_ROOT"]) / "model"
SAVED = json.loads((FOLDER / "features.json").read_text())
BOOSTER = xgboost.Booster(model_file=FOLDER / "model.ubj")
BOOSTER.set_param({"nthread": 1})
HALF = 0.5
app = flask.Flask(__name__)


@app.get("/ping")
def ping() -> tuple[str, int]:
    return "", 200


@app.post("/invocations")
def invocations() -> flask.Response:
    rows = pd.read_csv(io.BytesIO(flask.request.data), header=None, names=SAVED["features"])
    for name, values in SAVED["categories"].items():
        rows[name] = rows[name].map({value: code for code, value in enumerate(values)})
    scores = BOOSTER.predict(xgboost.DMatrix(rows.astype("float32")))
    words = ["late" if score >= HALF else "on time" for score in scores]
    text = "".join(f"{score},{word}\n" for score, word in zip(scores, words, strict=True))
    return flask.Response(text, mimetype="text/csv")
