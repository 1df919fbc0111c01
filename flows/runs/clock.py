"""Where a run's time goes, although its stages overlap."""

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Amounts:
    """What a stage has worked on."""

    documents: int = 0
    chunks: int = 0
    tokens: int = 0
    bytes: int = 0

    def __add__(self, other: "Amounts") -> "Amounts":
        return Amounts(*(getattr(self, n) + getattr(other, n) for n in Amounts.__slots__))


@dataclass(slots=True)
class StageRecord:
    """What a run has done in one stage."""

    seconds: float = 0.0
    """Its share of the time that passed."""
    passes: list[float] = field(default_factory=list)
    """How long each time in it took, in seconds, whatever went on beside it."""
    amounts: Amounts = Amounts()


class StageClock:
    """Shares out the time that passes among the stages that are at work in it.

    While two stages work side by side, each gets half of the seconds; so all stages and `other`,
    the time in which none was at work, add up to the total.
    """

    def __init__(
        self, span: Callable[[str], AbstractContextManager[object]] = lambda name: nullcontext()
    ) -> None:
        """Start.

        Args:
            span: Of a stage, what to be in besides while in it: a trace's span, say.
        """
        self._span = span
        self._lock = threading.Lock()
        self._active: Counter[str] = Counter()
        self._records: defaultdict[str, StageRecord] = defaultdict(StageRecord)
        self._started = self._last = time.monotonic()

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Be in a stage until the end of the block."""
        began = time.monotonic()
        self._switch(name, 1)
        try:
            with self._span(name):
                yield
        finally:
            self._switch(name, -1)
            with self._lock:
                self._records[name].passes.append(time.monotonic() - began)

    def count(self, name: str, amounts: Amounts) -> None:
        """Note what a stage has worked on."""
        with self._lock:
            record = self._records[name]
            record.amounts = record.amounts + amounts

    def add(self, parts: Iterable[Mapping[str, StageRecord]], within_s: float) -> None:
        """Note what was done elsewhere while this clock saw no stage at work.

        Args:
            parts: What each of several clocks has recorded.
            within_s: The time in which all of that was; shared out among the stages.
        """
        records = [item for part in parts for item in part.items()]
        worked_s = sum(record.seconds for _, record in records)
        share = min(1.0, within_s / worked_s) if worked_s else 0.0
        with self._lock:
            for name, record in records:
                mine = self._records[name]
                mine.seconds += share * record.seconds
                mine.passes += record.passes
                mine.amounts += record.amounts

    def seconds(self) -> dict[str, float]:
        """By stage; with `total`, and `other` for what no stage took."""
        with self._lock:
            self._share_out()
            taken = {name: record.seconds for name, record in self._records.items()}
            total = self._last - self._started
        return {"total": total, **taken, "other": total - sum(taken.values())}

    def records(self) -> dict[str, StageRecord]:
        """By stage, in the order in which they began, what was done so far."""
        with self._lock:
            self._share_out()
            return {
                name: StageRecord(one.seconds, list(one.passes), one.amounts)
                for name, one in self._records.items()
            }

    def _switch(self, name: str, change: int) -> None:
        with self._lock:
            self._share_out()
            self._active[name] += change

    def _share_out(self) -> None:
        now = time.monotonic()
        n_active = self._active.total()
        for name, n in self._active.items():
            if n:
                self._records[name].seconds += (now - self._last) * n / n_active
        self._last = now
