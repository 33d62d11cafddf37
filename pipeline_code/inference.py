"""The handler of an endpoint: the body of a request to the body of its answer, with no web server in sight.

A request carries the model's declared features before encoding, in text/csv (with a header or in the declared order),
application/json (rows, records, or either below "instances") or application/jsonlines. Each row is answered by the
probability of the label and the class. What is wrong with a request is said with row, column, value and what is
allowed; nothing a client sends is an error of the server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline_code.request_rows import CSV, JSON, JSON_LINES, SHOWN, RequestError, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipeline_code.served import Served

TYPES = (CSV, JSON, JSON_LINES)
ALIASES = {"application/x-jsonlines": JSON_LINES, "application/jsonl": JSON_LINES}


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
        told["problems"] = error.problems[:SHOWN]
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
    """The first media type of `accept` that can be written; without one, that of the request."""
    if not accept or accept == "*/*":
        return given
    for part in accept.lower().split(","):
        name = part.split(";")[0].strip()
        name = ALIASES.get(name, name)
        if name in TYPES:
            return name
        if name in {"*/*", "application/*", "text/*"}:
            return {"application/*": JSON, "text/*": CSV}.get(name, given)
    raise RequestError(f"Accept {accept!r} names nothing that can be written; ask for one of {', '.join(TYPES)}", 406)


def _records(probabilities: list[float], served: Served) -> Iterator[dict[str, Any]]:
    for probability in probabilities:
        yield {"probability": probability, "class": served.outcome(probability)}


def _write_csv(probabilities: list[float], served: Served) -> bytes:
    return "".join([f"{p!r},{served.outcome_cell(p)}\n" for p in probabilities]).encode()


def _write_json(probabilities: list[float], served: Served) -> bytes:
    return orjson.dumps({"predictions": list(_records(probabilities, served))})


def _write_json_lines(probabilities: list[float], served: Served) -> bytes:
    return b"".join(orjson.dumps(record) + b"\n" for record in _records(probabilities, served))


WRITERS: dict[str, Callable[[list[float], Served], bytes]] = {
    CSV: _write_csv,
    JSON: _write_json,
    JSON_LINES: _write_json_lines,
}
