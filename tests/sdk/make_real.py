"""Makes a version for the tests of the SDK, by the interpreter of .venv: the SDK's own environment trains nothing.

Arguments: the periods, the folder that says there is no champion, an empty folder. Prints the paths as JSON.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from real_jobs import make_real


def main() -> None:
    periods, no_champion, root = (Path(argument) for argument in sys.argv[1:])

    def folder(name: str) -> Path:
        (root / name).mkdir()
        return root / name

    made = make_real(periods, no_champion, folder)
    (root / "real.json").write_text(json.dumps({name: str(path) for name, path in asdict(made).items()}))


if __name__ == "__main__":
    main()
