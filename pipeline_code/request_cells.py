"""The cells of one row of a request to numbers, in the order of the features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import orjson

from pipeline_code.encoding import MISSING
from pipeline_code.request_problems import short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipeline_code.encoding import Encoding
    from pipeline_code.request_problems import Problems

EMPTY = frozenset({"", "NA"})
"""How CSV spells a missing value, as in the data contract."""

MOST = 3.4028234e38
"""The largest number the trees' float32 holds."""

NUMBER, CATEGORY = "a finite number or null", "a string or null"

Row = list[float]


class Cells:
    """Texts or values of a row to its numbers."""

    def __init__(self, encoding: Encoding) -> None:
        self._features = encoding.features
        self._codes = [encoding.codes.get(name) for name in encoding.features]
        self._spelt = [
            (place, {value: repr(code) for value, code in codes.items()})
            for place, codes in enumerate(self._codes)
            if codes is not None
        ]

    def line(self, line: str) -> Row:
        """A line of CSV without quotes; raises ValueError if anything is wrong with it."""
        try:
            return self._quick(line)
        except (ValueError, TypeError, IndexError):
            return self._exact(line)

    def texts(self, number: int, cells: Sequence[str], problems: Problems) -> Row:
        """Cells of CSV; each that is wrong is told."""
        return self._checked(number, cells, _from_text, problems)

    def values(self, number: int, cells: Sequence[Any], problems: Problems) -> Row:
        """Values of JSON; each that is wrong is told."""
        return self._checked(number, cells, _from_json, problems)

    def _quick(self, line: str) -> Row:
        """What is spelt like JSON's numbers, read as such: several times as fast as float() for each.

        JSON has other values too. Its words are told by their letters; lists and texts have no length for hypot, which
        is also as long as the longest number; and a list over several cells leaves fewer values.
        """
        cells = line.split(",", len(self._codes))
        gaps = []
        for place, codes in self._spelt:
            code = codes.get(cells[place])
            if code is None:
                gaps.append(place)
            cells[place] = code or "0"
        place = 0
        for _ in range(cells.count("")):
            place = cells.index("", place)
            gaps.append(place)
            cells[place] = "0"
        text = ",".join(cells)
        if "u" in text or "l" in text:  # true, false, null
            raise ValueError
        row = orjson.loads(f"[{text}]")
        if len(row) != len(self._codes) or not math.hypot(*row) <= MOST:
            raise ValueError
        row = list(map(float, row))
        for place in gaps:
            row[place] = MISSING
        return row

    def _exact(self, line: str) -> Row:
        """The same in everything that float() reads."""
        cells = line.split(",", len(self._codes))
        return [_from_text(cell, codes) for cell, codes in zip(cells, self._codes, strict=True)]

    def _checked(self, number: int, cells: Sequence[Any], read: Callable[[Any, Any], float], problems: Problems) -> Row:
        row = []
        for name, cell, codes in zip(self._features, cells, self._codes, strict=True):
            try:
                row.append(read(cell, codes))
            except ValueError:
                allowed = NUMBER if codes is None else CATEGORY
                problems.add(row=number, column=name, value=short(cell), allowed=allowed)
        return row


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
    if not -MOST <= number <= MOST:  # neither is what is spelt nan
        raise ValueError
    return number
