"""The instances behind one variant of an endpoint configuration: here one process of the server its image starts.

How many they are is a number beside it: capacity.py says what it decides. Every answer leaves the metrics that
SageMaker publishes (answered.py).
"""

from __future__ import annotations

import http.client
import io
import os
import socket
import tarfile
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

from rehearsal.answered import Answer, tell
from rehearsal.faults import FAILING, ODD, SLOW
from rehearsal.jobs import processes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from rehearsal.captures import Capture
    from rehearsal.image import Image
    from rehearsal.resources import Place

Json = dict[str, Any]

HOST = "127.0.0.1"
HEALTHY_SECONDS = 60.0
ANSWER_SECONDS = 60.0
LAST_LINES = 20
GRACE_SECONDS = 5.0
"""SageMaker gives a container half a minute between SIGTERM and SIGKILL; here nothing takes so long."""

SLOW_SECONDS = 1.0
PASSED_ON = ("content-type", "accept", "x-amzn-sagemaker-custom-attributes")


class FleetError(Exception):
    """Why instances did not come into service, in SageMaker's words."""


@dataclass(frozen=True)
class Origin:
    """Whose metrics these are; those of an inference component go by its name, too."""

    endpoint: str
    variant: str
    config: str
    component: str = ""


@dataclass(frozen=True)
class Reply:
    """What the container said."""

    status: int
    type: str
    body: bytes


@dataclass(eq=False)
class Fleet:
    """Started, healthy, asked, ended. `weight` is its share of the endpoint's requests.

    `instances` may as well be copies of a component; `queued` says that its requests come from a queue.
    """

    origin: Origin
    place: Place
    described: Json
    weight: float = 1.0
    instances: int = 1
    queued: bool = False
    credit: float = 0.0
    fault: str | None = None
    role: str = ""
    capture: Capture | None = None
    answered: int = 0
    _asked: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _said: list[str] = field(default_factory=list)
    _ended: bool = False
    _port: int = 0

    def start(self, image: Image, folder: Path, archive: bytes, environment: Mapping[str, str]) -> None:
        """Unpack the model as SageMaker does, run the container, wait until it is healthy."""
        root = folder / "opt-ml"
        _unpack(archive, root / "model")
        self._port = _free_port()
        command = [
            str(image.python),
            "-m",
            "pipeline_code.server",
            "--port",
            str(self._port),
            "--workers",
            "1",
            "serve",
        ]
        variables = {
            "PATH": os.pathsep.join([str(image.python.parent), "/usr/bin", "/bin"]),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",
            **environment,
            "SLIPWAY_ML_ROOT": str(root),
        }
        run = threading.Thread(target=self._run, args=(command, image.source, variables), daemon=True)
        run.start()
        self._wait_until_healthy()

    def _run(self, command: list[str], source: Path, variables: Mapping[str, str]) -> None:
        processes.run(
            command,
            folder=source,
            environment=variables,
            heard=self._said.append,
            seconds=float("inf"),
            until=self._stop.is_set,
            grace=GRACE_SECONDS,
        )
        self._ended = True

    def _wait_until_healthy(self) -> None:
        end = time.monotonic() + HEALTHY_SECONDS
        while time.monotonic() < end and not self._ended:
            try:
                if self._ask("GET", "/ping", b"", {}).status == http.client.OK:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        self.end()
        said = " ".join(self._said[-LAST_LINES:])
        reason = (
            f"The primary container for production variant {self.origin.variant} did not pass the ping health check."
        )
        raise FleetError(f"{reason} {said}".strip())

    def invoke(self, body: bytes, headers: Mapping[str, str]) -> Reply:
        """One request through to the container; a container that is gone answers as SageMaker would for it."""
        begun = time.monotonic()
        passed = {name: value for name, value in headers.items() if name.lower() in PASSED_ON}
        self._asked += 1
        if self.fault == SLOW:
            time.sleep(SLOW_SECONDS)
        try:
            reply = self._ask("POST", "/invocations", body, passed)
        except OSError as error:
            reply = Reply(http.client.SERVICE_UNAVAILABLE, "text/plain", f"{type(error).__name__}: {error}".encode())
        reply = self._befallen(reply)
        tell(self, Answer(reply.status, (time.monotonic() - begun) * 1e6))
        self.answered += 1
        if self.capture and reply.status < http.client.BAD_REQUEST:
            self.capture.keep(body, headers, reply)
        return reply

    def _befallen(self, reply: Reply) -> Reply:
        """What the fault that was ordered makes of an answer."""
        if self.fault == FAILING and self._asked % 2 == 1:
            said = b"the container failed, as it was ordered to"
            return Reply(http.client.INTERNAL_SERVER_ERROR, "text/plain", said)
        return Reply(http.client.OK, reply.type, b"{}") if self.fault == ODD else reply

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        connection = http.client.HTTPConnection(HOST, self._port, timeout=ANSWER_SECONDS)
        try:
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return Reply(response.status, response.getheader("content-type", ""), response.read())
        except http.client.HTTPException as error:
            raise OSError(str(error)) from error
        finally:
            connection.close()

    def end(self) -> None:
        """Take the instances away."""
        self._stop.set()


def download(place: Place, role: str, uri: str) -> bytes:
    """A model's artifact, fetched with the execution role's own keys."""
    found = urlparse(uri)
    got = place.acting_as(role).client("s3").get_object(Bucket=found.netloc, Key=found.path.lstrip("/"))
    body: bytes = got["Body"].read()
    return body


def _unpack(archive: bytes, folder: Path) -> None:
    folder.mkdir(parents=True)
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        for member in packed:
            content = packed.extractfile(member) if member.isfile() else None
            target = (folder / member.name).resolve()
            if content is not None and target.is_relative_to(folder.resolve()):
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(content.read())


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
