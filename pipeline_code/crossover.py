"""`python -m pipeline_code.crossover FOLDER`: up to how many rows the compiled trees answer sooner than XGBoost.

Run by the server's own Python, because that is where it counts. Prints a JSON object: `crossover` in rows, 0 where the
compiled trees are never sooner or not the same; `difference`, the largest between the two on the version's test rows.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_code.served import COMPILED_FILE, TOLERANCE

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1, 8, 16, 32, 64, 128, 256)
"""Powers of two are near enough, and a measurement that differs a little comes to the same."""

ROUNDS, CALLS = 5, 10


def measure(folder: Path, rows: Any) -> dict[str, float]:
    """Time both on the same rows (float32, rows x features), at least as many as the largest of SIZES."""
    import numpy as np
    import xgboost

    from pipeline_code.compiled import session
    from pipeline_code.predictor import MODEL_FILE

    compiled = session((folder / COMPILED_FILE).read_bytes())
    booster = xgboost.Booster(model_file=folder / MODEL_FILE)
    booster.set_param({"nthread": 1})
    fast, native = compiled.run(None, {"rows": rows})[0][:, 0], booster.inplace_predict(rows)
    difference = float(np.max(np.abs(fast.astype(np.float64) - native.astype(np.float64))))
    crossover = 0
    for size in SIZES if difference <= TOLERANCE else ():
        some = np.ascontiguousarray(rows[:size])
        if _seconds(partial(compiled.run, None, {"rows": some})) > _seconds(partial(booster.inplace_predict, some)):
            break
        crossover = size
    return {"crossover": crossover, "difference": difference}


def _seconds(call: Callable[[], Any]) -> float:
    """The least of several rounds: what else the machine does only adds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(CALLS):
            call()
        best = min(best, time.perf_counter() - start)
    return best


if __name__ == "__main__":
    import numpy as np

    sys.stdout.write(json.dumps(measure(Path(sys.argv[1]), np.load(sys.argv[2]))) + "\n")
