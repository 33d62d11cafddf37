"""Work that goes on beside the story; its failure is met where it is awaited, and it outlives nobody."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Background:
    """Runs `work` in a thread of its own from now on."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 raised again where it is awaited
            self._failure = error

    def wait(self) -> None:
        """Until the work is done; raises what it raised."""
        self._thread.join()
        if self._failure:
            raise self._failure
