"""Layers of images: what was pushed can be fetched, at an address of this very server instead of a pre-signed one.

moto keeps of a layer how long it is, and nothing of what is in it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

ORDER = "layer"

_contents: dict[str, bytes] = {}


def keep(content: bytes) -> str:
    """Whoever knows a layer's digest finds it; returns the digest."""
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    _contents[digest] = content
    return digest


def url(endpoint: str, digest: str) -> str:
    """Where a layer is fetched."""
    return f"{endpoint}/_rehearsal/{ORDER}/{digest}"


def download(digest: str, start_response: Callable[..., Any]) -> list[bytes]:
    """The answer to a request for a layer."""
    found = _contents.get(digest)
    status = "404 Not Found" if found is None else "200 OK"
    start_response(status, [("Content-Type", "application/octet-stream")])
    return [found or b""]
