"""Capture by the server itself: a share of requests and answers, kept without holding up a single one.

The files have the layout and the form of SageMaker's own data capture, so that whoever reads the one reads the other:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
A record that finds the queue full is dropped and counted; so is what cannot be written.
"""

from __future__ import annotations

import base64
import logging
import queue
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipeline_code.contract import CaptureEnvironment

    Write = Callable[[str, bytes], None]

MOST_WAITING = 1_000
"""Records that may wait to be written; a request of the largest size is 25 MB, so they are counted in bytes as well."""

MOST_BYTES = 64 * 2**20
"""Bytes of all records that are held: those that wait, and those of the file that is gathered or being written."""

FILE_RECORDS, FILE_BYTES, FILE_SECONDS = 500, 8 * 2**20, 60.0
"""A file is written when it has so many records or bytes, or is so old; one record may be larger."""

WHOLE = 100
TEXT = {"text/csv": "CSV", "application/json": "JSON", "application/jsonlines": "JSON"}
"""Content types kept as text; all others as base64, as SageMaker keeps types that its configuration does not name."""

log = logging.getLogger("pipeline_code.capture")


@dataclass(frozen=True)
class Exchange:
    """One request and its answer, each with its content type."""

    asked: bytes
    asked_type: str
    answered: bytes
    answered_type: str
    at: datetime

    @property
    def size(self) -> int:
        return len(self.asked) + len(self.answered)

    def line(self) -> bytes:
        """The exchange as a line of SageMaker's capture files."""
        event = {"eventId": str(uuid.uuid4()), "inferenceTime": self.at.strftime("%Y-%m-%dT%H:%M:%SZ")}
        kept = {
            "endpointInput": _side("INPUT", self.asked_type, self.asked),
            "endpointOutput": _side("OUTPUT", self.answered_type, self.answered),
        }
        return orjson.dumps({"captureData": kept, "eventMetadata": event, "eventVersion": "0"}) + b"\n"


def _side(mode: str, media: str, content: bytes) -> dict[str, str]:
    encoding = TEXT.get(media.partition(";")[0].strip().lower(), "BASE64")
    data = base64.b64encode(content).decode() if encoding == "BASE64" else content.decode(errors="replace")
    return {"observedContentType": media, "mode": mode, "data": data, "encoding": encoding}


@dataclass
class Capture:
    """A bounded queue and the one thread that writes what is in it; `dropped` counts what was not kept."""

    percent: int
    write: Write
    most_waiting: int = MOST_WAITING
    file_seconds: float = FILE_SECONDS
    dropped: int = 0
    written: int = 0
    _credit: int = 0
    _bytes: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._waiting: queue.SimpleQueue[Exchange | None] = queue.SimpleQueue()
        self._writer = threading.Thread(target=self._run, name="capture", daemon=True)
        self._writer.start()

    def offer(self, asked: bytes, asked_type: str, answered: bytes, answered_type: str) -> None:
        """Keep this exchange if its turn has come and there is room; never waits for anything that is slow."""
        exchange = Exchange(asked, asked_type, answered, answered_type, datetime.now(UTC))
        with self._lock:
            self._credit += self.percent
            if self._credit < WHOLE:
                return
            self._credit -= WHOLE
            if self._waiting.qsize() >= self.most_waiting or self._bytes + exchange.size > MOST_BYTES:
                self.dropped += 1
                return
            self._bytes += exchange.size
        self._waiting.put(exchange)

    def end(self, seconds: float) -> None:
        """Write what is waiting, for up to so many seconds; called when the server ends."""
        self._ended.set()
        self._waiting.put(None)
        self._writer.join(seconds)

    def _run(self) -> None:
        first: Exchange | None = None
        while first or not self._ended.is_set() or self._waiting.qsize():
            first = first or self._waiting.get()
            if first:
                first = self._kept(first)

    def _kept(self, first: Exchange) -> Exchange | None:
        """Writes the file that begins with `first`; the first of the next one, if it has come. Room is made after."""
        found, following = self._gathered(first)
        self._file(found)
        with self._lock:
            self._bytes -= sum(exchange.size for exchange in found)
        return following

    def _gathered(self, first: Exchange) -> tuple[list[Exchange], Exchange | None]:
        """The exchanges of one file, which follow `first` within its hour and the limits; and the first of the next.

        A file lies in the folder of its hour, so it ends with it.
        """
        found, size, hour = [first], first.size, first.at.replace(minute=0, second=0, microsecond=0)
        until = min(first.at + timedelta(seconds=self.file_seconds), hour + timedelta(hours=1))
        while len(found) < FILE_RECORDS:
            try:
                exchange = self._waiting.get(timeout=max(0.0, (until - datetime.now(UTC)).total_seconds()))
            except queue.Empty:
                break
            if exchange is None:
                break
            if size + exchange.size > FILE_BYTES or not hour <= exchange.at < hour + timedelta(hours=1):
                return found, exchange
            found.append(exchange)
            size += exchange.size
        return found, None

    def _file(self, exchanges: list[Exchange]) -> None:
        first = exchanges[0].at
        name = f"{first:%Y/%m/%d/%H/%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        try:
            self.write(name, b"".join(exchange.line() for exchange in exchanges))
            self.written += len(exchanges)
        except Exception:  # whatever keeps a file from being written must not end the writer
            with self._lock:
                self.dropped += len(exchanges)
            log.exception("%d captured requests could not be written; %d dropped so far", len(exchanges), self.dropped)


def begin(wanted: CaptureEnvironment | None) -> Capture | None:
    """Capture as the environment asks for it; None if it asks for none."""
    if wanted is None:
        return None
    place = urlparse(wanted.destination)
    to_bucket = place.scheme == "s3"
    write = _to_bucket(place.netloc, place.path.strip("/")) if to_bucket else _to_folder(Path(wanted.destination))
    return Capture(wanted.percent, write)


def _to_folder(folder: Path) -> Write:
    def write(name: str, content: bytes) -> None:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    return write


def _to_bucket(bucket: str, prefix: str) -> Write:
    """The only use of AWS in a container; its credentials are those of the model's role, which may write here alone."""
    import boto3

    s3: Any = boto3.client("s3")

    def write(name: str, content: bytes) -> None:
        s3.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)

    return write
