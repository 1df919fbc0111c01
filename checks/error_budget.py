"""In which share of the time a source was within its objective.

Between two looks nothing is learned, so a source only grows older: what was known at the first of
them tells the state of every moment until the second.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from checks.freshness import Clocks, Objective

WINDOW: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Spans:
    """Seconds of a stretch of time."""

    within_s: float = 0.0
    """No staler than `error_after`, as far as was known."""
    outside_s: float = 0.0
    """Staler than that."""
    unknown_s: float = 0.0
    """Nobody could look, or ever had."""

    @property
    def total_s(self) -> float:
        return self.within_s + self.outside_s + self.unknown_s

    def __add__(self, other: "Spans") -> "Spans":
        return Spans(
            self.within_s + other.within_s,
            self.outside_s + other.outside_s,
            self.unknown_s + other.unknown_s,
        )

    def share(self, part: float) -> "Spans":
        """Of all three, so much; 0 to 1."""
        return Spans(self.within_s * part, self.outside_s * part, self.unknown_s * part)


@dataclass(frozen=True, slots=True)
class Budget:
    """How a source kept to its objective in the last 30 days, or since it is watched."""

    spans: Spans
    target: float
    """Share of the time that was meant to be within, 0 to 1."""

    @property
    def share_within(self) -> float | None:
        """0 to 1; None if it is not watched yet."""
        return self.spans.within_s / self.spans.total_s if self.spans.total_s else None

    @property
    def left(self) -> float | None:
        """Share of the error budget that is not used up; below 0 if more than all of it is.

        None if it is not watched yet, or there is none to use up.
        """
        if self.share_within is None or self.target >= 1:
            return None
        return 1 - (1 - self.share_within) / (1 - self.target)


def spend(clocks: Clocks, since: datetime, until: datetime, objective: Objective) -> Spans:
    """How the time between two moments counts, by what was known at the first of them."""
    length = max(0.0, (until - since).total_seconds())
    true_until = clocks.true_until
    if true_until is None:
        return Spans(unknown_s=length)
    in_time = (true_until + objective.error_after - since).total_seconds()
    good = min(length, max(0.0, in_time))
    known, unknown = (0.0, good) if clocks.check_failed else (good, 0.0)
    return Spans(within_s=known, outside_s=length - good, unknown_s=unknown)
