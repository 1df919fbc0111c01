"""Keeping the requests to a source within what it may be asked."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final


class Gate:
    """Lets so many through at once, and so many in a second; of one process."""

    def __init__(self, at_once: int, per_second: float | None = None) -> None:
        """Make a gate.

        Args:
            at_once: How many may be within.
            per_second: How many may enter in a second, evenly spread; any number if None.
        """
        self.at_once = at_once
        self._within = threading.Semaphore(at_once)
        self._gap_s = 1 / per_second if per_second else 0.0
        self._lock = threading.Lock()
        self._next = 0.0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until a request may be made, which is over with the block."""
        with self._within:
            if self._gap_s:
                self._wait_for_gap()
            yield

    def _wait_for_gap(self) -> None:
        with self._lock:
            enters_at = max(time.monotonic(), self._next)
            self._next = enters_at + self._gap_s
        time.sleep(max(0.0, enters_at - time.monotonic()))


OPEN: Final = Gate(at_once=8)
"""For sources of which the settings say nothing."""
