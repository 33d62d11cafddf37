"""Microseconds of processor time that our parsing, predicting and writing of one row takes in a loop of its own.

`... ROOT`, with .venv-serve; ROOT is what serving_model.py leaves.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pipeline_code.inference import Handler
from pipeline_code.served import Served

CALLS = 35_000


def main(root: Path) -> None:
    handler, row = Handler(Served(root / "model")), (root / "1.csv").read_bytes()
    begun = time.process_time()
    for _ in range(CALLS):
        handler.answer(row)
    print((time.process_time() - begun) * 1e6 / CALLS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
