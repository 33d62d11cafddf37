"""Microseconds of processor time that our parsing, predicting and writing of one row takes in a loop of its own.

`... ROOT`, with .venv-serve; ROOT is what serving_model.py leaves.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from pipeline_code.inference import Handler
from pipeline_code.served import Served

LOOPS, CALLS = 7, 5_000


def main(root: Path) -> None:
    handler, row = Handler(Served(root / "model")), (root / "1.csv").read_bytes()
    print(min(_loop(handler, row) for _ in range(LOOPS)))


def _loop(handler: Handler, row: bytes) -> float:
    begun = time.process_time()
    for _ in range(CALLS):
        handler.answer(row)
    return (time.process_time() - begun) * 1e6 / CALLS


if __name__ == "__main__":
    main(Path(sys.argv[1]))
