"""Makes a version for the tests of the SDK, by the interpreter of .venv: the SDK's own environment trains nothing.

Argument: an empty folder. Writes real.json there, the paths of what was made.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from real_jobs import make_real, write_no_champion, write_periods


def main() -> None:
    root = Path(sys.argv[1])

    def folder(name: str) -> Path:
        (root / name).mkdir()
        return root / name

    made = make_real(write_periods(folder("periods")), write_no_champion(folder("champion")), folder)
    (root / "real.json").write_text(json.dumps({name: str(path) for name, path in asdict(made).items()}))


if __name__ == "__main__":
    main()
