"""How each server is asked for the same rows: where, in what body, and how its answer is read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Saved = dict[str, Any]
    Cell = float | str | None

SCRIPT = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "{type}"
wrk.body = io.open("{file}"):read("*a")
"""


@dataclass(frozen=True)
class Asked:
    """`body` makes one of lines of CSV and features.json; `read` gives the probabilities of an answer."""

    path: str
    type: str
    suffix: str
    body: Callable[[list[str], Saved], str]
    read: Callable[[bytes], list[float]]


def _csv(lines: list[str], _: Saved) -> str:
    return "\n".join(lines) + "\n"


def _read_csv(answer: bytes) -> list[float]:
    return [float(line.split(",")[0]) for line in answer.decode().splitlines()]


def _cells(lines: list[str], saved: Saved) -> list[list[Cell]]:
    return [
        [
            _cell(text, name in saved["categories"])
            for name, text in zip(saved["features"], line.split(","), strict=True)
        ]
        for line in lines
    ]


def _cell(text: str, category: bool) -> Cell:
    if not text:
        return None
    return text if category else float(text)


def _rows(lines: list[str], saved: Saved) -> str:
    return json.dumps({"rows": _cells(lines, saved)})


def _read_rows(answer: bytes) -> list[float]:
    return list(json.loads(answer)["probability"])


def _tensors(lines: list[str], saved: Saved) -> str:
    """Numbers as one tensor, since they come first, and each category as its own."""
    rows, count = _cells(lines, saved), len(saved["features"]) - len(saved["categories"])
    numbers = [cell for row in rows for cell in row[:count]]
    inputs = [_tensor("numbers", "FP64", [len(rows), count], "np", numbers)]
    for column, name in enumerate(saved["features"][count:], count):
        inputs.append(_tensor(name, "BYTES", [len(rows), 1], "str", [row[column] for row in rows]))
    return json.dumps({"inputs": inputs})


def _tensor(name: str, datatype: str, shape: list[int], codec: str, data: list[Cell]) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"content_type": codec}, "data": data}


def _read_tensors(answer: bytes) -> list[float]:
    return list(json.loads(answer)["outputs"][0]["data"])


SAGEMAKER = Asked("/invocations", "text/csv", "csv", _csv, _read_csv)
BENTOML = Asked("/predict", "application/json", "rows.json", _rows, _read_rows)
V2 = Asked("/v2/models/trees/infer", "application/json", "v2.json", _tensors, _read_tensors)
