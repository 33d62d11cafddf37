"""Events for the benchmark of the prepare step: one CSV a month, 20 columns, ordered by time within the month.

`python benchmarks/prepare_data.py FOLDER MILLIONS`: a million rows a month.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl

ROWS_A_MONTH = 1_000_000
KINDS = ("alpha", "beta", "gamma", "delta", "epsilon")


def month(folder: Path, number: int) -> None:
    """One file of a month; ids repeat in no other."""
    draw = np.random.default_rng(number)
    period = f"{2020 + number // 12}-{number % 12 + 1:02}"
    seconds = np.sort(draw.integers(0, 28 * 86_400, ROWS_A_MONTH))
    at = np.datetime64(f"{period}-01T00:00:00", "ms") + seconds.astype("timedelta64[s]")
    columns = {
        "at": pl.Series(at).dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "id": np.arange(number * ROWS_A_MONTH, (number + 1) * ROWS_A_MONTH),
        "year": np.full(ROWS_A_MONTH, int(period[:4])),
        "month": np.full(ROWS_A_MONTH, int(period[5:])),
        "day": seconds // 86_400 + 1,
        "happened": draw.integers(0, 2, ROWS_A_MONTH),
        **{f"kind_{i}": np.array(KINDS)[draw.integers(0, len(KINDS), ROWS_A_MONTH)] for i in range(4)},
        **{f"measure_{i}": np.round(draw.normal(50, 10, ROWS_A_MONTH), 3) for i in range(10)},
    }
    (folder / period).mkdir(parents=True, exist_ok=True)
    file = folder / period / "events.csv"
    pl.DataFrame(columns).write_csv(file)
    with file.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    entry = {"sha256": sha256, "bytes": file.stat().st_size, "version_id": "1"}
    (folder / period / "_READY.json").write_text(json.dumps({"files": {file.name: entry}}))


if __name__ == "__main__":
    for number in range(int(sys.argv[2])):
        month(Path(sys.argv[1]), number)
