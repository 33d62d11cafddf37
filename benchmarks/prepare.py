"""The prepare step on 5 million rows of 20 columns, against plain pyarrow and against the same work in pandas.

`python benchmarks/prepare.py [MILLIONS [ROUNDS [CONTENDER]]]`, with .venv-bench (`make bench`). The CSV files are made
anew in a temporary folder. Whole processes, by turns; memory is the peak of the process.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from measure import ROOT, Contender, by_turns, report

PYTHON = str(ROOT / ".venv-bench/bin/python")
CONTENDERS = {
    "pyarrow, read and write": "prepare_pyarrow.py",
    "slipway, the whole step": "prepare_slipway.py",
    "pandas, the same work": "prepare_pandas.py",
}


def main(millions: int, rounds: int, only: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        periods = Path(folder) / "periods"
        Contender("data", [PYTHON, "benchmarks/prepare_data.py", str(periods), str(millions)]).run()
        contenders = []
        for name, script in CONTENDERS.items():
            if not name.startswith(only):
                continue
            out = f"{folder}/{script}.out"
            command = ["sh", "-c", f'rm -rf "{out}" && exec "{PYTHON}" benchmarks/{script} "{periods}" "{out}"']
            contenders.append(Contender(name, command))
        by_turns(contenders, rounds)
        print(f"prepare, {millions} million rows x 20 columns of CSV, {rounds} rounds")
        print(report(contenders, reference=contenders[0]))
        if len(contenders) == len(CONTENDERS):
            print(report(contenders, reference=contenders[2]).splitlines()[-2] + "  as parts of pandas")


if __name__ == "__main__":
    millions, rounds, only = (*sys.argv[1:], *("5", "5", "")[len(sys.argv) - 1 :])
    main(int(millions), int(rounds), only)
