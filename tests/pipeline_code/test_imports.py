"""No step pays for an import it does not use: what each loads on its real work, in the job's own environment."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from real_jobs import Real, stage_step

from stacks.config import ROOT

if TYPE_CHECKING:
    from pathlib import Path

HEAVY = {"matplotlib", "narwhals", "numpy", "onnx", "pandas", "polars", "pyarrow", "scipy", "sklearn", "xgboost"}
SERVE = {"SLIPWAY_SERVE_PYTHON": str(ROOT / ".venv-serve/bin/python")}
RUN = """
import json, sys
from pipeline_code.__main__ import main
code = main([sys.argv[1]])
print(json.dumps(sorted({name.split(".")[0] for name in sys.modules})))
sys.exit(code)
"""
USED = {
    "prepare": {"narwhals", "polars"},
    "train": {"numpy", "polars", "scipy", "xgboost"},  # xgboost itself imports scipy
    "evaluate": {"matplotlib", "numpy", "polars", "scipy", "xgboost"},
    "record": set(),
    "package": {"numpy", "onnx", "polars", "scipy", "xgboost"},
}


@pytest.mark.parametrize("step", USED)
def test_a_step_loads_what_it_uses(step: str, real: Real, no_champion: Path, tmp_path: Path) -> None:
    inputs = {
        "prepare": {"periods": real.periods},
        "train": {"dataset": real.dataset},
        "evaluate": {
            "dataset": real.dataset,
            "snapshot": real.snapshot,
            "model": real.archive.parent,
            "champion": no_champion,
        },
        "record": {"snapshot": real.snapshot, "evaluation": real.evaluation, "package": real.package},
        "package": {"dataset": real.dataset, "model": real.archive.parent},
    }
    job = stage_step(step, tmp_path, inputs[step])
    told = {name: getattr(job.environment, name) for name in ("model", "period", *job.step.told)}
    variables = {f"SLIPWAY_{name.upper()}": value for name, value in told.items()}

    done = subprocess.run(
        [str(ROOT / ".venv-job/bin/python"), "-c", RUN, step],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "SLIPWAY_ML_ROOT": str(tmp_path), **SERVE, "HOME": str(tmp_path), **variables},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert HEAVY & set(json.loads(done.stdout.splitlines()[-1])) == USED[step]
