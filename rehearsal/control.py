"""What only a rehearsal can do, at a path no AWS service has: ask the clock, let time pass, order a fault or a load."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rehearsal import custom_answers, layers
from rehearsal.clock import clock
from rehearsal.faults import FaultError, faults
from rehearsal.load import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

PATH = "/_rehearsal/"

Json = dict[str, Any]


class Control:
    """WSGI middleware that answers PATH itself and passes everything else on."""

    def __init__(self, application: Callable[..., Iterable[bytes]]) -> None:
        self.application = application
        self.orders: dict[str, Callable[[Json], Json]] = {"clock": _clock, "fault": _fault, "load": _load}

    def __call__(self, environ: Json, start_response: Callable[..., Any]) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if not path.startswith(PATH):
            return self.application(environ, start_response)
        kind, _, about = path.removeprefix(PATH).partition("/")
        if kind == layers.ORDER:
            return layers.download(about, start_response)
        length = int(environ.get("CONTENT_LENGTH") or 0)
        given = json.loads(environ["wsgi.input"].read(length) or b"{}")
        status, answer = self._answer(path.removeprefix(PATH), given)
        start_response(status, [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def _answer(self, order: str, given: Json) -> tuple[str, Json]:
        kind, _, about = order.partition("/")
        if kind == custom_answers.ORDER:
            return "200 OK", custom_answers.take(about, given)
        if order not in self.orders:
            return "404 Not Found", {"error": f"no {order!r}; orders are {', '.join(self.orders)}"}
        try:
            return "200 OK", self.orders[order](given)
        except FaultError as error:
            return "400 Bad Request", {"error": str(error)}


def _clock(given: Json) -> Json:
    if "skip" in given:
        clock.skip(float(given["skip"]), str(given["why"]))
    return {"now": clock.now().isoformat(), **clock.told()}


def _load(given: Json) -> Json:
    load.order(given["endpoint"], int(given["requests"]))
    return {}


def _fault(given: Json) -> Json:
    faults.add(given["step"], given["kind"], int(given.get("times", 1)))
    return {}
