"""The server around the handler, as SageMaker asks for it: GET /ping and POST /invocations on port 8080.

https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html

Raw ASGI, because a framework would cost more than a prediction; what came small and whole takes an even shorter way
(`short_way.py`). Requests in flight are finished when SageMaker sends SIGTERM; that, keep-alive, and what HTTP asks
for are uvicorn's.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import os
import sys
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pipeline_code import capture
from pipeline_code.contract import CaptureEnvironment, ContractError, ml_root
from pipeline_code.inference import Answer, Handler
from pipeline_code.served import TOLERANCE, Served, Serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping, Sequence
    from pathlib import Path

    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

MOST_BYTES = 25 * 2**20
"""Largest body SageMaker passes on: https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html."""

BODY_SECONDS = 60.0
"""How long a client may take to send a body; SageMaker itself waits a minute for an answer."""

SMALL_BYTES = 64 * 2**10
"""A body up to this size is answered at once; larger ones in a thread, so that they hold up nobody."""

LARGE_AT_A_TIME = 2
BODIES_AT_A_TIME = 4
"""Bodies above SMALL_BYTES that a worker holds. Others wait unread, within BODY_SECONDS, so that many slow senders of
large bodies cost no memory; what they cost is time of others who send large ones, too."""

GARBAGE_AFTER = 50_000
"""Objects made and not freed after which garbage is looked for; Python's own number is 700."""

GRACE_SECONDS = 30
SETTINGS: dict[str, Any] = {
    "http": "pipeline_code.short_way:ShortWay",
    "interface": "asgi3",
    "proxy_headers": False,  # nobody asks who the client is, and what would answer wraps every request
    "access_log": False,
    "timeout_graceful_shutdown": GRACE_SECONDS,
    "server_header": False,
    "date_header": False,
}
"""Of uvicorn, beside where to listen."""

log = logging.getLogger("pipeline_code.server")


class Server:
    """One worker's ASGI application."""

    def __init__(self, folder: Path) -> None:
        self._served = Served(folder)
        self._handler = Handler(self._served)
        self._large, self._bodies = asyncio.Semaphore(LARGE_AT_A_TIME), asyncio.Semaphore(BODIES_AT_A_TIME)
        self._proven = False
        self._capture = capture.begin(CaptureEnvironment.parse())
        _look_for_garbage_less()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            if self._capture:
                self._capture.end(GRACE_SECONDS)
        elif scope["type"] == "http":
            await _send(send, await self._answer(scope, receive))

    async def _answer(self, scope: Message, receive: Receive) -> Answer:
        asked = scope["method"], scope["path"]
        if asked == ("POST", "/invocations"):
            return await self._invoke(scope, receive)
        if asked == ("GET", "/ping"):
            return self._ping()
        if scope["path"] in {"/ping", "/invocations"}:
            return _refusal(405, f"{asked[0]} {asked[1]}; this server answers GET /ping and POST /invocations")
        return _refusal(404, f"nothing at {scope['path']}; this server answers GET /ping and POST /invocations")

    def _ping(self) -> Answer:
        """Healthy is a server that has answered rows of the trainer's as the trainer did."""
        if not self._proven:
            wrong = differences(self._handler, self._served)
            if wrong:
                return _refusal(503, wrong)
            self._proven = True
        return Answer(200, "text/plain", b"")

    async def _invoke(self, scope: Message, receive: Receive) -> Answer:
        asked = _asked(scope["headers"])
        if isinstance(asked, Answer):
            return asked
        async with AsyncExitStack() as room:  # held until the answer is made
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await _body(asked.length, receive, lambda: room.enter_async_context(self._bodies))
            except ConnectionResetError:
                return _refusal(400, "the body ended before its end")  # nobody is there to read it
            except TimeoutError:
                return _refusal(408, f"the body did not come within {BODY_SECONDS:.0f} seconds")
            if body is None:
                return _refusal(413, f"the body is larger than {MOST_BYTES:,} bytes; send fewer rows, or use batch")
            if len(body) <= SMALL_BYTES:
                return self._predicted(body, asked)
            async with self._large:
                return await asyncio.to_thread(self._predicted, body, asked)

    def at_once(self, headers: Sequence[tuple[bytes, bytes]], body: bytes) -> Answer:
        """The answer to a small POST /invocations that has come whole; see pipeline_code.short_way."""
        asked = _asked(headers)
        return asked if isinstance(asked, Answer) else self._predicted(body, asked)

    def _predicted(self, body: bytes, asked: Asked) -> Answer:
        answer = self._handler.answer(body, asked.type, asked.accept)
        if self._capture and answer.status == 200:  # noqa: PLR2004
            self._capture.offer(body, asked.type, answer.body, answer.type)
        return answer


class Asked(NamedTuple):
    """What the headers of a request say of its body and its answer."""

    type: str
    accept: str
    length: str


def _asked(headers: Sequence[tuple[bytes, bytes]]) -> Asked | Answer:
    length, content_type, accept = "0", "text/csv", ""
    for name, value in headers:
        if name == b"content-type":
            content_type = value.decode("latin-1")
        elif name == b"accept":
            accept = value.decode("latin-1")
        elif name == b"content-length":
            length = value.decode("latin-1")
        elif name == b"content-encoding" and value != b"identity":
            return _refusal(415, f"Content-Encoding {value.decode('latin-1')}; send the body as it is")
    return Asked(content_type, accept, length)


def differences(handler: Handler, served: Served) -> str | None:
    """What is wrong with the answers to the rows saved with the version; None if nothing is."""
    test = served.serving.test
    answer = handler.answer("\n".join(test["rows"]).encode(), "text/csv", "application/json")
    if answer.status != 200:  # noqa: PLR2004
        return f"the version's own rows cannot be predicted: {answer.body.decode()}"
    found = [one["probability"] for one in orjson.loads(answer.body)["predictions"]]
    pairs = zip(found, test["probabilities"], strict=True)
    off = max(abs(ours - theirs) for ours, theirs in pairs)
    return (
        f"predictions are {off:.2g} off those of the trainer, at most {TOLERANCE:g} may be" if off > TOLERANCE else None
    )


async def _body(claimed: str, receive: Receive, room: Callable[[], Awaitable[None]]) -> bytes | None:
    """The whole body, or None if it is too large; what the header claims is not believed, only refused.

    `room` is waited for before more than a small one is kept. Raises ConnectionResetError if the client goes away.
    """
    if claimed.isdigit() and int(claimed) > MOST_BYTES:
        return None
    message = await receive()
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):  # nearly always
        return body if len(body) <= MOST_BYTES else None
    parts, size = [body], len(body)
    if size > SMALL_BYTES:
        await room()
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionResetError
        before, size = size, size + len(message.get("body", b""))
        if before <= SMALL_BYTES < size:
            await room()
        parts.append(message.get("body", b""))
        if size > MOST_BYTES:
            return None
    return b"".join(parts)


def _look_for_garbage_less() -> None:
    """What is there now stays, and requests leave nothing in circles: to look through all of it often only costs."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_AFTER)


def _refusal(status: int, message: str) -> Answer:
    return Answer(status, "application/json", orjson.dumps({"error": message}))


async def _send(send: Send, answer: Answer) -> None:
    headers = [(b"content-type", answer.type.encode()), (b"content-length", b"%d" % len(answer.body))]
    if answer.status in {408, 413}:
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


def create() -> Server:
    """The application of a worker; uvicorn calls it in each."""
    return Server(_folder())


def _folder() -> Path:
    return ml_root() / "model"


def main(arguments: Sequence[str]) -> int:
    """Serve until SIGTERM. SageMaker adds the argument `serve`."""
    import uvicorn

    parser = argparse.ArgumentParser(prog="server")
    parser.add_argument("serve", nargs="?", choices=["serve"], default="serve")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    try:
        Serving.read(_folder())  # what is no version ends here, with a word, and not in a worker that is begun again
    except ContractError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    uvicorn.run(
        f"{__spec__.name}:create",
        factory=True,
        host=given.host,
        port=given.port,
        workers=given.workers,
        log_level="warning",
        **SETTINGS,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
