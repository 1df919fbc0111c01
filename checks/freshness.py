"""How fresh a source is, by the clocks that the catalog keeps, against its objective."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil


class FreshnessState(StrEnum):
    FRESH = "fresh"
    WARNING = "warning"
    ERROR = "error"
    """Staler than the objective allows, whatever the reason."""
    UNKNOWN = "unknown"
    """Nobody could look since, or ever; and not yet for so long that it is an error."""


@dataclass(frozen=True, slots=True)
class Objective:
    """How stale a source may be."""

    warn_after: timedelta
    error_after: timedelta
    target: float = 0.99
    """Share of the time in which it is to be within `error_after`, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """What is known of a source's times."""

    last_check: datetime | None
    """When it was last listed."""
    last_success: datetime | None
    """When the last run that did not fail ended."""
    newest_change_seen: datetime | None
    newest_change_searchable: datetime | None
    oldest_change_waiting: datetime | None
    """The oldest change that is not searchable yet; None if all are."""
    complete_as_of: datetime | None
    """When that last run began to list it: what was there by then is accounted for."""
    check_failed: bool = False
    """The last attempt to list it failed."""

    @property
    def true_until(self) -> datetime | None:
        """Until when all that the source said is what a search finds; None if that is not known."""
        if self.complete_as_of is None:
            return None
        return min(self.complete_as_of, self.oldest_change_waiting or self.complete_as_of)


def judge_freshness(clocks: Clocks, now: datetime, objective: Objective) -> FreshnessState:
    """The age of what is not known to be searchable, against the objective.

    That is the oldest change that waits, or all that may have changed since we last looked. A
    source is called fresh, or a little stale, only by who could look at it.
    """
    age = staleness(clocks, now)
    if age is None:
        return FreshnessState.UNKNOWN
    if age > objective.error_after:
        return FreshnessState.ERROR
    if clocks.check_failed:
        return FreshnessState.UNKNOWN
    return FreshnessState.WARNING if age > objective.warn_after else FreshnessState.FRESH


def staleness(clocks: Clocks, now: datetime) -> timedelta | None:
    """How long ago the source may have said something that a search does not find.

    None if it was never followed with success.
    """
    until = clocks.true_until
    return None if until is None else max(timedelta(0), now - until)


def time_to_breach(clocks: Clocks, now: datetime, objective: Objective) -> timedelta | None:
    """Until the source is staler than the objective allows if nothing happens; below 0 after it.

    None if it was never followed with success.
    """
    until = clocks.true_until
    return None if until is None else until + objective.error_after - now


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of lags, in seconds."""

    p50: float
    p95: float
    max: float
    p99: float


def percentiles(seconds: Sequence[float]) -> Percentiles | None:
    """By nearest rank; None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Percentiles(
        p50=_rank(ordered, 50), p95=_rank(ordered, 95), p99=_rank(ordered, 99), max=ordered[-1]
    )


def _rank(ordered: Sequence[float], percent: int) -> float:
    return ordered[max(1, ceil(percent * len(ordered) / 100)) - 1]


def share_within(n_in_time: int, n_changes: int, n_late: int) -> float | None:
    """Of changes, the share that was searchable in time; None if none was due.

    Args:
        n_in_time: That became searchable within the objective.
        n_changes: That became searchable at all.
        n_late: That did not, and are past the objective already.
    """
    n_due = n_changes + n_late
    return n_in_time / n_due if n_due else None
