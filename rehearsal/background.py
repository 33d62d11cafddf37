"""Work that goes on beside the story: it never keeps the process from ending, and its failure is met where it is awaited."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class Background:
    """Runs `work` in a thread of its own from now on."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work, self._failure = work, None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except Exception as error:  # noqa: BLE001 raised again where it is awaited
            self._failure: Exception | None = error

    def wait(self) -> None:
        """Until the work is done; raises what it raised."""
        self._thread.join()
        if self._failure:
            raise self._failure
