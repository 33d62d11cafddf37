"""One clock for waits: what AWS would wait for is skipped here, counted and told, never slept and never left out."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class Wait:
    """A wait that was skipped: how long, what for, and the time it ended."""

    why: str
    seconds: float
    until: str


class Clock:
    """The time of the embedded AWS: this machine's, ahead by all waits that were skipped."""

    def __init__(self) -> None:
        self._ahead = timedelta()
        self._waits: list[Wait] = []
        self._heard: list[Callable[[datetime, datetime], None]] = []
        self._lock = threading.Lock()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._ahead

    def skip(self, seconds: float, why: str) -> None:
        """Let time pass at once. Whoever listens hears of the span that passed."""
        with self._lock:
            before = self.now()
            self._ahead += timedelta(seconds=seconds)
            after = self.now()
            self._waits.append(Wait(why, seconds, after.isoformat()))
        for heard in self._heard:
            heard(before, after)

    def listen(self, heard: Callable[[datetime, datetime], None]) -> None:
        """`heard(before, after)` is called whenever time was skipped."""
        self._heard.append(heard)

    def follow(self, look: Callable[[], None]) -> None:
        """`look()` is called whenever time was skipped, and each second as it passes by itself."""
        self.listen(lambda _before, _after: look())

        def watch() -> None:
            while True:
                threading.Event().wait(LOOK_SECONDS)
                look()

        threading.Thread(target=watch, daemon=True).start()

    def told(self) -> dict[str, Any]:
        """All waits so far, and what they add up to in seconds."""
        waits = list(self._waits)
        return {"waits": [asdict(wait) for wait in waits], "simulated_seconds": sum(wait.seconds for wait in waits)}


clock = Clock()
"""The one of this process."""
