"""The handler of an endpoint: the body of a request to the body of its answer, with no web server in sight.

A request carries the model's declared features before encoding, in text/csv (with a header or in the declared order),
application/json (rows, records, or either below "instances") or application/jsonlines. Each row is answered by the
probability of the label and the class. What is wrong with a request is said with row, column, value and what is
allowed; nothing a client sends is an error of the server.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline_code.request_problems import RequestError
from pipeline_code.request_rows import CSV, JSON, JSON_LINES, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline_code.served import Served

TYPES = (CSV, JSON, JSON_LINES)
ALIASES = {"application/x-jsonlines": JSON_LINES, "application/jsonl": JSON_LINES}
PART = 1_000
"""Records written at a time."""

WEIGHT = re.compile(r"q\s*=\s*([01](?:\.[0-9]*)?)")


class Answer(NamedTuple):
    """Status, media type and body of a response; a tuple, because one is made for every request."""

    status: int
    type: str
    body: bytes


class Handler:
    """Answers requests for one version."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._rows = Rows(served.encoding)

    def answer(self, body: bytes, content_type: str = CSV, accept: str = "") -> Answer:
        """Predictions, or what is wrong with the request."""
        try:
            given = media_type(content_type)
            wanted = _wanted(accept, given)
            rows = self._rows.parse(body, given)
            return Answer(200, wanted, WRITERS[wanted](self._served.predict(rows), self._served))
        except RequestError as error:
            return _explained(error)


def _explained(error: RequestError) -> Answer:
    """As JSON, whatever was asked for."""
    told: dict[str, Any] = {"error": error.message}
    if error.problems:
        told["problems"] = error.problems
    return Answer(error.status, JSON, orjson.dumps(told))


def media_type(content_type: str) -> str:
    """One of TYPES; parameters such as a charset may follow it, and only UTF-8 is one."""
    if content_type in TYPES:
        return content_type
    name, *parameters = content_type.lower().split(";")
    name = ALIASES.get(name.strip(), name.strip())
    for parameter in parameters:
        key, _, value = parameter.strip().partition("=")
        if key == "charset" and value.strip('"') not in {"utf-8", "utf8", "us-ascii"}:
            raise RequestError(f"charset {value} is not supported; send UTF-8", 415)
    if name not in TYPES:
        raise RequestError(f"Content-Type {name!r} is not supported; send one of {', '.join(TYPES)}", 415)
    return name


def _wanted(accept: str, given: str) -> str:
    """The media type that `accept` gives the most weight; of equals the first it names, then that of the request."""
    if not accept or accept == "*/*":
        return given
    if accept in TYPES:
        return accept
    weights = _weights(accept)
    named = [name for name in weights if name in TYPES]
    chosen = max((*named, given, JSON, CSV, JSON_LINES), key=lambda name: _weight(name, weights))
    if _weight(chosen, weights):
        return chosen
    raise RequestError(f"Accept {accept!r} names nothing that can be written; ask for one of {', '.join(TYPES)}", 406)


def _weights(accept: str) -> dict[str, float]:
    """Each media type or range with its q, which is 1 where none is told or it is no weight."""
    weights: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        told = [WEIGHT.fullmatch(parameter) for parameter in parameters]
        weights.setdefault(ALIASES.get(name, name), next((float(q[1]) for q in told if q), 1.0))
    return weights


def _weight(media: str, weights: dict[str, float]) -> float:
    """What the closest range says: 0 forbids a type that a wider range allows."""
    ranges = (media, f"{media.partition('/')[0]}/*", "*/*")
    return next((weights[name] for name in ranges if name in weights), 0.0)


def _records(probabilities: list[float], served: Served) -> Iterator[dict[str, Any]]:
    for probability in probabilities:
        yield {"probability": probability, "class": served.outcome(probability)}


def _write_csv(probabilities: list[float], served: Served) -> bytes:
    return "".join([f"{p!r},{served.outcome_cell(p)}\n" for p in probabilities]).encode()


def _write_json(probabilities: list[float], served: Served) -> bytes:
    """In parts, for the records of a large body are several times its answer."""
    records = _records(probabilities, served)
    parts = [orjson.dumps(list(islice(records, PART)))[1:-1] for _ in range(0, len(probabilities), PART)]
    return b'{"predictions":[%b]}' % b",".join(parts)


def _write_json_lines(probabilities: list[float], served: Served) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in _records(probabilities, served))


WRITERS: dict[str, Callable[[list[float], Served], bytes]] = {
    CSV: _write_csv,
    JSON: _write_json,
    JSON_LINES: _write_json_lines,
}
