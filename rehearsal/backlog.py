"""The queue of an asynchronous endpoint: so many requests are worked at as its instances take, the others wait.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_AsyncInferenceClientConfig.html
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Backlog:
    """`size` counts those that are worked at, too, as ApproximateBacklogSize does."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._worked_at = 0
        self.size = 0

    def join(self) -> None:
        """One request more."""
        with self._changed:
            self.size += 1

    @contextmanager
    def turn(self, room: Callable[[], int]) -> Iterator[None]:
        """Wait until there is room for one that joined, and let it go afterwards."""
        with self._changed:
            self._changed.wait_for(lambda: self._worked_at < room())
            self._worked_at += 1
        try:
            yield
        finally:
            with self._changed:
                self._worked_at -= 1
                self.size -= 1
                self._changed.notify_all()

    def look(self) -> None:
        """There may be more room than before."""
        with self._changed:
            self._changed.notify_all()
