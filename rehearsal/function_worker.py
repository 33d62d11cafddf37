"""The process of a Lambda function: events come in on standard input, answers go out, a line each."""

from __future__ import annotations

import importlib
import io
import json
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from importlib.abc import MetaPathFinder
from pathlib import Path
from typing import Any

RUNTIME = {"boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3"}
"""What Lambda's Python runtime brings beside the standard library."""


class OnlyTheRuntime(MetaPathFinder):
    """Refuses what would not be there in Lambda."""

    def __init__(self, folder: Path) -> None:
        self.own = {path.stem for path in folder.iterdir()}

    def find_spec(self, name: str, _path: object = None, _target: object = None) -> None:
        top = name.split(".", maxsplit=1)[0]
        if top not in self.own | RUNTIME | set(sys.stdlib_module_names):
            raise ModuleNotFoundError(f"No module named {top!r} in Lambda's runtime", name=name)


def main(folder: Path, handler: str) -> None:
    # Optional speed-ups that libraries look for and do without are answered "not there" as well.
    sys.meta_path.insert(0, OnlyTheRuntime(folder))
    sys.path.insert(0, str(folder))
    answers = sys.stdout
    for line in sys.stdin:
        said = io.StringIO()
        with redirect_stdout(said), redirect_stderr(said):
            answer = _answer(handler, json.loads(line))
        answer["log"] = said.getvalue().splitlines()
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _answer(handler: str, event: Any) -> dict[str, Any]:
    module, _, name = handler.rpartition(".")
    try:
        result = getattr(importlib.import_module(module), name)(event, None)
        json.dumps(result)
    except Exception as error:  # noqa: BLE001 a function's failure is its answer
        traceback.print_exc()
        return {"error": {"errorType": type(error).__name__, "errorMessage": str(error)}}
    return {"result": result}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
