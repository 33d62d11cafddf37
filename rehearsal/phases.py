"""Parts of a rehearsal that take time: told when they begin and when they end."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def phase(tell: Callable[[str], None], seconds: dict[str, float], name: str) -> Iterator[None]:
    """Tell of the part, and note how long it took."""
    tell(f"{name} ...")
    start = time.monotonic()
    yield
    seconds[name] = round(time.monotonic() - start, 2)
    tell(f"{name}: {seconds[name]:.1f} s")
