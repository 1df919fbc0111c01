"""How fresh a source is: read from the catalog, and kept in its history."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.engine import Connection

from checks.error_budget import WINDOW, Budget
from checks.freshness import (
    Clocks,
    FreshnessState,
    Objective,
    Percentiles,
    judge_freshness,
    percentiles,
    share_within,
    staleness,
    time_to_breach,
)
from flows.runs.budget import read_budget
from flows.settings import Settings
from flows.source_settings import Freshness
from index.catalog import history
from index.catalog import runs as run_rows
from index.catalog.history import CanaryFound, Look
from index.catalog.staleness import (
    DocumentCounts,
    Skew,
    change_times,
    count_documents,
    count_stale,
    find_skew,
)
from index.records import iso

LAG_WINDOW: Final = timedelta(days=7)
"""Lags are published of what became searchable in it."""


@dataclass(frozen=True, slots=True)
class Lags:
    """From changes at the source until they were searchable."""

    window: timedelta
    seconds: Percentiles | None
    """None if nothing changed."""
    n_changes: int
    n_backlog: int
    """Changes from before the source was followed, which are not among them."""
    n_in_time: int
    """Of these changes, those searchable within `error_after`."""


@dataclass(frozen=True, slots=True)
class SourceFreshness:
    """A source as it stands."""

    source: str
    at: datetime
    objective: Objective
    clocks: Clocks
    lags: Lags
    n_late: int
    """Documents that have been served stale for longer than `error_after`."""
    n_stale: int
    """Documents whose last good version is searchable, and that have changed since."""
    n_left: int
    """Documents that the last run had no room for."""
    skew: Skew
    budget: Budget
    canary: CanaryFound | None
    """The last one that was written; None if none ever was."""
    documents: DocumentCounts = field(repr=False)

    @property
    def state(self) -> FreshnessState:
        return judge_freshness(self.clocks, self.at, self.objective)

    @property
    def share_within(self) -> float | None:
        """Of recent changes, those searchable within `error_after`; 0 to 1, None if none is due."""
        return share_within(self.lags.n_in_time, self.lags.n_changes, self.n_late)

    @property
    def stale_for_s(self) -> float | None:
        """Seconds since the source may have said something that a search does not find."""
        return _seconds(staleness(self.clocks, self.at))

    @property
    def waiting_for_s(self) -> float | None:
        """Age of the oldest change that is not searchable yet, in seconds; None if all are."""
        oldest = self.clocks.oldest_change_waiting
        return _seconds(max(self.at - oldest, timedelta(0))) if oldest else None

    @property
    def breach_in_s(self) -> float | None:
        """Until the objective is missed if nothing happens, in seconds; below 0 once it is."""
        return _seconds(time_to_breach(self.clocks, self.at, self.objective))

    def as_json(self) -> dict[str, Any]:
        """For `headwater status --json`."""
        clocks = self.clocks
        return {
            "state": self.state.value,
            "last_check": iso(clocks.last_check),
            "check_failed": clocks.check_failed,
            "last_success": iso(clocks.last_success),
            "complete_as_of": iso(clocks.complete_as_of),
            "newest_change_seen": iso(clocks.newest_change_seen),
            "newest_change_searchable": iso(clocks.newest_change_searchable),
            "oldest_change_waiting": iso(clocks.oldest_change_waiting),
            "waiting_for_seconds": self.waiting_for_s,
            "stale_for_seconds": self.stale_for_s,
            "breach_in_seconds": self.breach_in_s,
            "objective": {
                "warn_after_seconds": self.objective.warn_after.total_seconds(),
                "error_after_seconds": self.objective.error_after.total_seconds(),
                "target": self.objective.target,
            },
            "lag_seconds": _lags_as_json(self.lags),
            "share_within_objective": _rounded(self.share_within),
            "stale_documents": self.n_stale,
            "left_documents": self.n_left,
            "clock_skew": {
                "documents": self.skew.n_documents,
                "furthest": iso(self.skew.furthest),
                "uris": list(self.skew.uris),
            },
            "budget": _budget_as_json(self.budget),
            "canary": self.canary and _canary_as_json(self.canary),
        }


def _lags_as_json(lags: Lags) -> dict[str, Any]:
    found = lags.seconds
    names = ("p50", "p95", "p99", "max")
    return {
        **{name: round(getattr(found, name), 1) if found else None for name in names},
        "changes": lags.n_changes,
        "backlog": lags.n_backlog,
        "window_seconds": lags.window.total_seconds(),
    }


def _budget_as_json(budget: Budget) -> dict[str, Any]:
    spans = budget.spans
    return {
        "window_seconds": WINDOW.total_seconds(),
        "watched_seconds": round(spans.total_s, 1),
        "outside_seconds": round(spans.outside_s, 1),
        "unknown_seconds": round(spans.unknown_s, 1),
        "share_within": _rounded(budget.share_within),
        "target": budget.target,
        "left": _rounded(budget.left),
    }


def _canary_as_json(canary: CanaryFound) -> dict[str, Any]:
    return {
        "written": iso(canary.written_at),
        "lag_seconds": canary.lag_seconds,
        "error": canary.error,
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 6)


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)


def objective_of(settings: Settings, source: str) -> Objective:
    """What the settings ask of a source; the default for one that was ingested as a path."""
    configured = settings.source(source)
    return (configured.freshness if configured else Freshness()).objective


def read_clocks(connection: Connection, source: str, now: datetime) -> Clocks:
    """The times of a source that the catalog keeps."""
    row = run_rows.find_source(connection, source)
    times = change_times(connection, source, now)
    return Clocks(
        last_check=row["last_check_at"] if row else None,
        last_success=row["last_success_at"] if row else None,
        newest_change_seen=times.newest_seen,
        newest_change_searchable=times.newest_searchable,
        oldest_change_waiting=min(
            (time for time in (times.oldest_waiting, row and row["left_since"]) if time),
            default=None,
        ),
        complete_as_of=row["complete_as_of"] if row else None,
        check_failed=run_rows.last_check_failed(connection, source),
    )


def read_freshness(
    connection: Connection,
    source: str,
    objective: Objective,
    now: datetime,
    counts: DocumentCounts | None = None,
    lags: Lags | None = None,
) -> SourceFreshness:
    """A source as it stands, whether or not it was ever read.

    Args:
        connection: To the catalog.
        source: Its name.
        objective: How stale it may be.
        now: The time.
        counts: Of its documents, where they are known already.
        lags: Of its changes, where they are known already.
    """
    clocks = read_clocks(connection, source, now)
    counts = counts or count_documents(connection).get(source) or DocumentCounts({}, 0, 0)
    return SourceFreshness(
        source=source,
        at=now,
        objective=objective,
        clocks=clocks,
        lags=lags or _lags(connection, source, objective, now),
        n_late=count_stale(connection, source, now - objective.error_after),
        n_stale=counts.n_stale,
        n_left=row["n_left"] if (row := run_rows.find_source(connection, source)) else 0,
        skew=find_skew(connection, source, _all_read_by(connection, source, clocks, now)),
        budget=read_budget(connection, source, objective, now),
        canary=history.last_canary(connection, source),
        documents=counts,
    )


def _lags(connection: Connection, source: str, objective: Objective, now: datetime) -> Lags:
    recent = run_rows.recent_lags(connection, source, now - LAG_WINDOW)
    limit_s = objective.error_after.total_seconds()
    return Lags(
        window=LAG_WINDOW,
        seconds=percentiles(recent.seconds),
        n_changes=len(recent.seconds),
        n_backlog=recent.n_backlog,
        n_in_time=sum(lag <= limit_s for lag in recent.seconds),
    )


def lags_of(look: Look) -> Lags:
    """As they were when a source was looked at."""
    times = (look.lag_p50, look.lag_p95, look.lag_max, look.lag_p99)
    known = [seconds for seconds in times if seconds is not None]
    return Lags(
        window=LAG_WINDOW,
        seconds=Percentiles(*known) if len(known) == len(times) else None,
        n_changes=look.n_lags,
        n_backlog=look.n_backlog,
        n_in_time=look.n_in_time,
    )


def _all_read_by(connection: Connection, source: str, clocks: Clocks, now: datetime) -> datetime:
    """When every document that the catalog has of a source had been read."""
    last = run_rows.last_run(connection, source)
    return (last and last["ended_at"]) or now


def source_roots(connection: Connection, settings: Settings) -> dict[str, str]:
    """By name, where every source is that is configured or was ever ingested."""
    roots = {row["name"]: row["root"] for row in run_rows.all_sources(connection)}
    roots |= {source.name: source.uri for source in settings.sources}
    return dict(sorted(roots.items()))
