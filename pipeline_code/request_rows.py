"""The body of a request to rows of numbers, or a word on everything that is wrong with it.

What a body becomes takes many times its bytes in Python, so large ones are read row by row: rows are kept as float32,
and of what is wrong the first problems only.
"""

from __future__ import annotations

import csv
from array import array
from typing import TYPE_CHECKING, Any

import orjson

from pipeline_code.request_cells import Cells
from pipeline_code.request_problems import Problems, RequestError, short

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pipeline_code.encoding import Encoding
    from pipeline_code.request_cells import Row

CSV, JSON, JSON_LINES = "text/csv", "application/json", "application/jsonlines"
MOST_ROWS = 500_000
"""Rows of a request; a body of the largest size has fewer if they are longer than fifty bytes."""

MOST_LINE = 2**20
"""Characters of a row of CSV."""

MANY = 64 * 2**10
"""Bytes of a body from which its rows are kept as float32."""


class Rows:
    """Request bodies to rows of numbers, in the order of the features."""

    def __init__(self, encoding: Encoding) -> None:
        self._features = encoding.features
        self._named = ", ".join(encoding.features)
        self._cells = Cells(encoding)

    def parse(self, body: bytes, media: str) -> Sequence[Row]:
        """One list of floats a row; raises RequestError naming the rows, columns and values that are wrong."""
        many = len(body) > MANY
        if len(body) > MOST_ROWS:
            _count(body, media)
        if media == CSV:
            rows = self._csv(body, many=many)
        elif media == JSON:
            rows = self._kept(self._values(_json_rows(_load(body))), many=many)
        else:
            rows = self._kept(self._values(_json_lines(body)), many=many)
        if not len(rows):
            raise RequestError("the request holds no rows; send at least one")
        return rows

    def _kept(self, rows: Iterable[Row], *, many: bool) -> Sequence[Row]:
        if not many:
            return list(rows)
        import numpy as np

        packed = array("f")
        for row in rows:
            packed.extend(row)
        kept: Any = np.array(packed, np.float32).reshape(-1, len(self._features))
        return kept  # type: ignore[no-any-return] # a matrix is a sequence of its rows

    def _csv(self, body: bytes, *, many: bool) -> Sequence[Row]:
        try:
            text = body.decode()
        except UnicodeDecodeError as error:
            raise RequestError(f"the body is not UTF-8 (byte {error.start}); send UTF-8") from None
        # quoting, other line ends, digits that float() would group
        if not ('"' in text or "\r" in text or "_" in text or self._may_have_header(text)):
            lines = _lines(text) if many else text.split("\n")
            try:
                return self._kept(map(self._cells.line, filter(None, lines)), many=many)
            except ValueError:
                pass
        return self._kept(self._careful_csv(text), many=many)

    def _may_have_header(self, text: str) -> bool:
        """Whether the first line may be one; the careful way looks closely, and at empty lines before it."""
        end = text.find("\n")
        first = text if end < 0 else text[:end]
        return self._features[0] in first or self._features[-1] in first or not first

    def _careful_csv(self, text: str) -> Iterator[Row]:
        """The long way: quoted cells, a header, and a word on everything that is wrong."""
        problems = Problems()
        order: Sequence[int] = range(len(self._features))
        allowed, width, number = f"{len(order)} columns: {self._named}", len(order), 0
        for place, line in enumerate(_records(text)):
            if not place and (header := self._header(line)):
                order, width = [header.index(name) for name in self._features], len(header)
                allowed = f"{width} columns: {self._named}"
                continue
            number += 1
            if len(line) != width:
                problems.add(row=number, value=len(line), allowed=allowed)
                continue
            row = self._cells.texts(number, [line[cell] for cell in order], problems)
            if not problems.count:
                yield row
        problems.end()

    def _header(self, line: Sequence[str]) -> list[str]:
        """Its names if a line is one: a name among its cells can be no value of the first feature's kind."""
        header = [cell.strip() for cell in line]
        if self._features[0] not in header and self._features[-1] not in header:
            return []
        missing = [name for name in self._features if name not in header]
        if missing:
            raise RequestError(f"columns missing: {', '.join(missing)}; this model needs {self._named}")
        return header

    def _values(self, values: Iterable[Any]) -> Iterator[Row]:
        """Rows and records of JSON, which has types."""
        problems = Problems()
        for number, value in enumerate(values, 1):
            if isinstance(value, dict):
                missing = [name for name in self._features if name not in value]
                if missing:
                    problems.add(row=number, column=", ".join(missing), allowed="every feature, or null")
                    continue
                cells = [value[name] for name in self._features]
            elif isinstance(value, list) and len(value) == len(self._features):
                cells = value
            else:
                found = f"{len(value)} values" if isinstance(value, list) else short(value)
                problems.add(row=number, value=found, allowed=f"a record, or a row of {self._named}")
                continue
            row = self._cells.values(number, cells, problems)
            if not problems.count:
                yield row
        problems.end()


def _count(body: bytes, media: str) -> None:
    """Too many rows are refused before anything is made of them; wrapping takes a list or two."""
    lines = 0 if media == JSON else max(body.count(b"\n"), body.count(b"\r"))
    lists = 0 if media == CSV else body.count(b"[") + body.count(b"{")
    if lines > MOST_ROWS or lists > MOST_ROWS + 2:
        raise RequestError(f"the request holds more than {MOST_ROWS:,} rows; send fewer at a time", 413)


def _lines(text: str) -> Iterator[str]:
    """One after another, for a list of all would take several times the text."""
    start = 0
    while start < len(text):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end + 1


def _records(text: str) -> Iterator[list[str]]:
    """The rows of CSV, which may take several lines each; empty lines are none."""
    size = 0

    def lines() -> Iterator[str]:
        nonlocal size
        for line in _lines(text):
            size += len(line)
            if size > MOST_LINE:
                raise RequestError(f"a row is longer than {MOST_LINE:,} characters; end each with a line feed")
            yield f"{line}\n"

    try:
        for record in csv.reader(lines(), strict=True):
            size = 0
            if record:
                yield record
    except csv.Error as error:
        raise RequestError(f"the body is not CSV: {error}") from None


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
        raise RequestError(f'{short(value)} holds no rows; send a list of rows or records, or {{"instances": [...]}}')
    return value


def _json_lines(body: bytes) -> Iterator[Any]:
    lines = (line for line in body.splitlines() if line.strip())
    return (_load(line, number) for number, line in enumerate(lines, 1))
