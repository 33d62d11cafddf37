"""uvicorn's protocol with a short way for what nearly every request is: small, soon whole, and nothing before it.

uvicorn makes an event and a task for each request before its body is read, which costs more than a prediction. A
request that is all there needs neither: it is answered where it was parsed. Everything else (large or slow bodies,
pipelines that wait, HTTP/1.0, upgrades, expectations, clients that do not read) goes uvicorn's way, unchanged.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from pipeline_code.server import SMALL_BYTES, Server

if TYPE_CHECKING:
    from asyncio.events import TimerHandle

    from pipeline_code.inference import Answer

PATH = b"/invocations"
HOLD_SECONDS = 0.5
"""How long the rest of a small body may take before its request goes the long way, where a minute is given."""


class ShortWay(HttpToolsProtocol):
    """One connection. `_held` is the body so far of a request that may take the short way, `_patience` its timer."""

    _held: bytes | None = None
    _patience: TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """A packet; what is held at its end has not come whole, as from clients that send head and body apart."""
        self._lose_patience()
        super().data_received(data)
        if self._held is None or self.transport.is_closing():
            return
        if len(self._held) > SMALL_BYTES or self._claims_much():
            self._the_long_way()
        else:
            self._patience = self.loop.call_later(HOLD_SECONDS, self._the_long_way)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody is left to answer."""
        self._held = None
        self._lose_patience()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """What has begun is in flight, and finished."""
        if self._held is not None:
            self._the_long_way()
        super().shutdown()

    def on_headers_complete(self) -> None:
        """Headers are there; nothing is begun yet for what may be short."""
        if self._may_be_short():
            self._held = b""
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if self._held is None:
            super().on_body(body)
        else:
            self._held += body

    def on_message_complete(self) -> None:
        """The request is whole."""
        if self._held is not None:
            answer = self._answer(self._held)
            if answer:
                self._held = None
                self.transport.write(_written(answer))
                self.on_response_complete()
                return
            self._the_long_way()
        super().on_message_complete()

    def _may_be_short(self) -> bool:
        parser = self.parser
        return (
            self.url == PATH
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not (self.expect_100_continue or parser.should_upgrade() or self.flow.write_paused)
            and (self.cycle is None or self.cycle.response_complete)
        )

    def _claims_much(self) -> bool:
        """Asked of a body that has not come whole: a large one is refused before it comes, which is the long way's."""
        claimed = dict(self.headers).get(b"content-length", b"0")
        return not claimed.isdigit() or int(claimed) > SMALL_BYTES

    def _answer(self, body: bytes) -> Answer | None:
        """None is for the long way: too large to hold up others, or a fault, which uvicorn reports."""
        app = self.app
        if len(body) > SMALL_BYTES or not isinstance(app, Server):
            return None
        try:
            return app.at_once(self.headers, body)
        except Exception:  # noqa: BLE001 whatever it is, the long way meets it again and says so
            return None

    def _the_long_way(self) -> None:
        held, self._held = self._held, None
        self._lose_patience()
        super().on_headers_complete()
        if held:
            super().on_body(held)

    def _lose_patience(self) -> None:
        if self._patience:
            self._patience.cancel()
            self._patience = None


def _written(answer: Answer) -> bytes:
    head = b"content-type: %b\r\ncontent-length: %d\r\n\r\n" % (answer.type.encode(), len(answer.body))
    return STATUS_LINE[answer.status] + head + answer.body
