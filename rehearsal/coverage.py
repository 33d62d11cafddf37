"""What the product calls of AWS: recorded in every rehearsal, and held against the list in coverage.toml."""

from __future__ import annotations

import io
import json
import re
import threading
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

LIST = Path(__file__).with_name("coverage.toml")
SIGNED_FOR = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")


def load() -> dict[str, list[str]]:
    """Service -> operations the product may call."""
    listed: dict[str, list[str]] = tomllib.loads(LIST.read_text())["operations"]
    return listed


class Recorder:
    """A WSGI layer that notes each distinct service and operation, for protocols that name the operation."""

    def __init__(self, application: Callable[..., Iterable[bytes]], file: Path) -> None:
        self.application, self.file = application, file
        self.calls: set[tuple[str, str]] = set()
        self.lock = threading.Lock()

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        called = _called(environ)
        if called and called not in self.calls:
            with self.lock:
                self.calls.add(called)
            self.write()
        return self.application(environ, start_response)

    def write(self) -> None:
        found: dict[str, list[str]] = {}
        with self.lock:
            for service, operation in sorted(self.calls):
                found.setdefault(service, []).append(operation)
            self.file.write_text(json.dumps(found, indent=1))


def _called(environ: dict[str, Any]) -> tuple[str, str] | None:
    """The service from the signature, the operation from the target header or the form's Action."""
    signed = SIGNED_FOR.search(environ.get("HTTP_AUTHORIZATION", ""))
    if signed is None or "HTTP_X_MOTO_ACCOUNT_ID" in environ:  # the latter: the embedded AWS calls itself
        return None
    target = str(environ.get("HTTP_X_AMZ_TARGET", ""))
    if target:
        return signed[1], str(target.rsplit(".", 1)[1])
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        return signed[1], _action(environ)
    return signed[1], str(environ["REQUEST_METHOD"])


def _action(environ: dict[str, Any]) -> str:
    """The form's Action, leaving the body for those behind."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return str(parse_qs(body.decode()).get("Action", ["?"])[0])
