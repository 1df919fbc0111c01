"""Where a run's time goes, although its stages overlap."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager


class StageClock:
    """Shares out the time that passes among the stages that are at work in it.

    While two stages work side by side, each gets half of the seconds; so all stages and `other`,
    the time in which none was at work, add up to the total.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._active: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._started = self._last = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Be in a stage until the end of the block."""
        self._switch(name, 1)
        try:
            yield
        finally:
            self._switch(name, -1)

    def seconds(self) -> dict[str, float]:
        """By stage; with `total`, and `other` for what no stage took."""
        with self._lock:
            self._share_out()
            taken = dict(self._seconds)
            total = self._last - self._started
        return {"total": total, **taken, "other": total - sum(taken.values())}

    def _switch(self, name: str, change: int) -> None:
        with self._lock:
            self._share_out()
            self._active[name] += change

    def _share_out(self) -> None:
        now = time.monotonic()
        n_active = self._active.total()
        for name, n in self._active.items():
            if n:
                self._seconds[name] += (now - self._last) * n / n_active
        self._last = now
