"""How fresh a source is, by the clocks that the catalog keeps, against its objective."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class FreshnessState(StrEnum):
    FRESH = "fresh"
    WARNING = "warning"
    ERROR = "error"
    UNKNOWN = "unknown"
    """We did not look, or looked too long ago, to be able to tell."""


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


def judge_freshness(
    clocks: Clocks, now: datetime, *, warn_after: timedelta, error_after: timedelta
) -> FreshnessState:
    """The age of what is not known to be searchable, against the objective.

    That is the oldest change that waits, or all that may have changed since we last looked.
    """
    if clocks.last_check is None or clocks.last_success is None:
        return FreshnessState.UNKNOWN
    age = staleness(clocks, now)
    if age > error_after:
        return FreshnessState.ERROR
    return FreshnessState.WARNING if age > warn_after else FreshnessState.FRESH


def staleness(clocks: Clocks, now: datetime) -> timedelta:
    """How long ago the source may have said something that a search does not find."""
    since = [moment for moment in (clocks.last_success, clocks.oldest_change_waiting) if moment]
    return max(timedelta(0), now - min(since)) if since else timedelta.max


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of lags, in seconds."""

    p50: float
    p95: float
    max: float


def percentiles(seconds: Sequence[float]) -> Percentiles | None:
    """By nearest rank; None of nothing."""
    if not seconds:
        return None
    ordered = sorted(seconds)
    return Percentiles(_rank(ordered, 0.50), _rank(ordered, 0.95), ordered[-1])


def _rank(ordered: Sequence[float], share: float) -> float:
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
