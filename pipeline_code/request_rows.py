"""The body of a request to rows of numbers, or a word on everything that is wrong with it."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from pipeline_code.encoding import MISSING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline_code.encoding import Encoding

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
EMPTY = frozenset({"", "NA"})
"""How CSV spells a missing value, as in the data contract."""

MOST = 3.4028234e38
"""The largest number the trees' float32 holds."""

NUMBER, CATEGORY = "a finite number or null", "a string or null"
SHOWN = 20

Row = list[float]


@dataclass
class RequestError(Exception):
    """Why a request gets no predictions; `status` is 400, 406 or 415."""

    message: str
    status: int = 400
    problems: list[dict[str, Any]] = field(default_factory=list)


class Rows:
    """Request bodies to rows of numbers, in the order of the features."""

    def __init__(self, encoding: Encoding) -> None:
        self._features = encoding.features
        self._codes = [encoding.codes.get(name) for name in encoding.features]

    def parse(self, body: bytes, media: str) -> list[Row]:
        """One list of floats a row; raises RequestError naming the rows, columns and values that are wrong."""
        if media == CSV:
            rows = self._csv(body)
        elif media == JSON:
            rows = self._values(_json_rows(_load(body)))
        else:
            lines = [line for line in body.splitlines() if line.strip()]
            rows = self._values([_load(line, number) for number, line in enumerate(lines, 1)])
        if not rows:
            raise RequestError("the request holds no rows; send at least one")
        return rows

    def _csv(self, body: bytes) -> list[Row]:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise RequestError(f"the body is not UTF-8 (byte {error.start}); send UTF-8") from None
        if '"' in text or "\r" in text or "_" in text:  # quoting, other line ends, digits that float() would group
            return self._careful_csv(text)
        lines = [line.split(",") for line in text.split("\n") if line]
        if lines and not self._features_in(lines[0]):
            try:
                return [self._cells(line) for line in lines]
            except ValueError:
                pass
        return self._careful_csv(text)

    def _features_in(self, line: Sequence[str]) -> bool:
        """Whether a line is a header: a name among its cells can be no value of the first feature's kind."""
        return self._features[0] in line or self._features[-1] in line

    def _cells(self, cells: Sequence[str]) -> Row:
        """One line in the declared order; raises ValueError if anything is wrong with it."""
        row = []
        for cell, codes in zip(cells, self._codes, strict=True):
            if codes is not None:
                row.append(codes.get(cell, MISSING))
            elif cell in EMPTY:
                row.append(MISSING)
            else:
                number = float(cell)
                if not -MOST <= number <= MOST:  # neither is what is spelt nan
                    raise ValueError
                row.append(number)
        return row

    def _careful_csv(self, text: str) -> list[Row]:
        """The long way: quoted cells, a header, and a word on everything that is wrong."""
        try:
            lines = [line for line in csv.reader(io.StringIO(text), strict=True) if line]
        except csv.Error as error:
            raise RequestError(f"the body is not CSV: {error}") from None
        order: Sequence[int] = range(len(self._features))
        width = len(self._features)
        if lines and self._features_in([cell.strip() for cell in lines[0]]):
            header = [cell.strip() for cell in lines.pop(0)]
            missing = [name for name in self._features if name not in header]
            if missing:
                raise RequestError(f"columns missing: {', '.join(missing)}; this model needs {self._named()}")
            order, width = [header.index(name) for name in self._features], len(header)
        problems: list[dict[str, Any]] = []
        rows = []
        for number, line in enumerate(lines, 1):
            if len(line) != width:
                problems.append({"row": number, "value": len(line), "allowed": f"{width} columns: {self._named()}"})
                continue
            rows.append(self._checked(number, [line[place] for place in order], _from_text, problems))
        _raise(problems)
        return rows

    def _values(self, values: Sequence[Any]) -> list[Row]:
        """Rows and records of JSON, which has types."""
        problems: list[dict[str, Any]] = []
        rows = []
        for number, value in enumerate(values, 1):
            if isinstance(value, dict):
                missing = [name for name in self._features if name not in value]
                if missing:
                    problems.append({"row": number, "column": ", ".join(missing), "allowed": "every feature, or null"})
                    continue
                cells = [value[name] for name in self._features]
            elif isinstance(value, list) and len(value) == len(self._features):
                cells = value
            else:
                found = f"{len(value)} values" if isinstance(value, list) else _short(value)
                problems.append({"row": number, "value": found, "allowed": f"a record, or a row of {self._named()}"})
                continue
            rows.append(self._checked(number, cells, _from_json, problems))
        _raise(problems)
        return rows

    def _checked(
        self, number: int, cells: Sequence[Any], read: Callable[[Any, Any], float], problems: list[dict[str, Any]]
    ) -> Row:
        row = []
        for name, cell, codes in zip(self._features, cells, self._codes, strict=True):
            try:
                row.append(read(cell, codes))
            except ValueError:
                allowed = NUMBER if codes is None else CATEGORY
                problems.append({"row": number, "column": name, "value": _short(cell), "allowed": allowed})
        return row

    def _named(self) -> str:
        return ", ".join(self._features)


def _from_text(cell: str, codes: dict[Any, float] | None) -> float:
    if codes is not None:
        return codes.get(cell, MISSING)
    cell = cell.strip()
    if cell in EMPTY:
        return MISSING
    if "_" in cell:
        raise ValueError
    return _finite(float(cell))


def _from_json(cell: Any, codes: dict[Any, float] | None) -> float:
    if cell is None:
        return MISSING
    if codes is not None:
        if type(cell) is not str:
            raise ValueError
        return codes.get(cell, MISSING)
    if type(cell) is not float and type(cell) is not int:
        raise ValueError
    return _finite(float(cell))


def _finite(number: float) -> float:
    if not -MOST <= number <= MOST:
        raise ValueError
    return number


def _load(body: bytes, line: int | None = None) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        where = f"line {line}: " if line else ""
        raise RequestError(f"{where}the body is not JSON: {error}") from None


def _json_rows(value: Any) -> Sequence[Any]:
    if isinstance(value, dict) and "instances" in value:
        value = value["instances"]
    if isinstance(value, dict) or (isinstance(value, list) and value and not isinstance(value[0], list | dict)):
        return [value]
    if not isinstance(value, list):
        raise RequestError(f'{_short(value)} holds no rows; send a list of rows or records, or {{"instances": [...]}}')
    return value


def _raise(problems: list[dict[str, Any]]) -> None:
    if problems:
        more = f", the first {SHOWN} are listed" if len(problems) > SHOWN else ""
        raise RequestError(f"{len(problems)} values cannot be used{more}", problems=problems)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= 50 else f"{text[:47]}..."  # noqa: PLR2004 enough to recognize it
