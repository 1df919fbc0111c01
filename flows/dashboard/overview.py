"""All sources at a glance: what the first page and `/api/overview` show."""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy.engine import Connection, RowMapping

from checks.freshness import FreshnessState, Percentiles
from flows.alerts.status import alert_statuses
from flows.dashboard.links import next_run
from flows.dashboard.stores import Stores
from flows.dashboard.trends import Point, lag_points
from flows.freshness.status import SourceStatus, quick_statuses
from flows.settings import Settings
from index.catalog import browsing

_SPARK_RUNS: Final = 40
_WORST_FIRST: Final = (
    FreshnessState.ERROR,
    FreshnessState.UNKNOWN,
    FreshnessState.WARNING,
    FreshnessState.FRESH,
)
_KEPT_S: Final = 5.0
_NAMED: Final = 4


@dataclass(frozen=True, slots=True)
class RunInShort:
    id: str
    kind: str
    state: str
    started_at: datetime
    ended_at: datetime | None
    error: str | None


@dataclass(frozen=True, slots=True)
class ErrorBudget:
    """Of the last 30 days, or since it is watched."""

    share_within: float | None
    """Of the time, how much it was within its objective; 0 to 1, None if it is not watched yet."""
    target: float
    left: float | None
    """Share of the budget that is not used up; below 0 if more than all of it is."""


@dataclass(frozen=True, slots=True)
class SourceOverview:
    """A source as it stands."""

    name: str
    root: str
    state: FreshnessState
    stale_for_s: float | None
    """Seconds since the source may have said something that a search does not find."""
    breach_in_s: float | None
    """Until the objective is missed if nothing happens; below 0 once it is."""
    warn_after_s: float
    error_after_s: float
    lag: Percentiles | None
    """In seconds, of what became searchable in the last days; None if nothing changed."""
    share_within: float | None
    """Of changes, those searchable within `error_after`; 0 to 1."""
    budget: ErrorBudget
    n_stale: int
    """Documents whose last good version is searchable, and that have changed since."""
    n_left: int
    """Documents that the last run left to the next, having read as many as it may."""
    n_in_future: int
    """Documents that were changed in the future, by their modification times."""
    documents: Mapping[str, int]
    """By outcome of the last run that read them."""
    n_documents: int
    n_chunks: int
    quarantined: Mapping[str, int]
    """Open entries by reason."""
    n_quarantined: int
    last_check: datetime | None
    check_failed: bool
    """The last attempt to list it failed."""
    last_success: datetime | None
    newest_change_seen: datetime | None
    newest_change_searchable: datetime | None
    oldest_change_waiting: datetime | None
    last_run: RunInShort | None
    schedule: str | None
    next_run_at: datetime | None
    lags: Sequence[Point]
    """Of its last runs, the oldest first."""


@dataclass(frozen=True, slots=True)
class AlertInShort:
    kind: str
    source: str
    severity: str
    summary: str
    since: datetime
    resolved_at: datetime | None
    last_sent: datetime | None
    n_pending: int
    n_failed: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The whole index."""

    state: FreshnessState
    """The worst of its sources."""
    sentence: str
    at: datetime
    n_documents: int
    n_chunks: int
    n_quarantined: int
    sources: Sequence[SourceOverview]
    alerts: Sequence[AlertInShort]


class Statuses:
    """What `headwater status` says, asked for once in a while however many look at it."""

    def __init__(self, stores: Stores, kept_s: float = _KEPT_S) -> None:
        self._stores = stores
        self._kept_s = kept_s
        self._lock = threading.Lock()
        self._asked_at = float("-inf")
        self._known: list[SourceStatus] = []

    def get(self) -> list[SourceStatus]:
        """At most some seconds old.

        Raises:
            UserError: Nothing has been ingested.
            StoreUnavailable: The catalog cannot be read.
        """
        with self._lock:
            catalog = self._stores.catalog()
            if time.monotonic() - self._asked_at > self._kept_s:
                with catalog.reading() as connection:
                    now = datetime.now(UTC)
                    self._known = quick_statuses(self._stores.settings, connection, now)
                self._asked_at = time.monotonic()
            return self._known


def overview(stores: Stores, statuses: Statuses) -> Overview:
    """The whole index and each source.

    Raises:
        UserError: Nothing has been ingested.
        StoreUnavailable: The catalog cannot be read.
    """
    catalog, now = stores.catalog(), datetime.now(UTC)
    known = statuses.get()
    with catalog.reading() as connection:
        last = browsing.last_runs(connection)
        sources = [
            _source(stores.settings, connection, one, last.get(one.source), now) for one in known
        ]
    alerts = alerts_in_short(stores)
    return Overview(
        state=_worst(sources),
        sentence=_sentence(sources),
        at=now,
        n_documents=sum(one.n_documents for one in sources),
        n_chunks=sum(one.n_chunks for one in sources),
        n_quarantined=sum(one.n_quarantined for one in sources),
        sources=sources,
        alerts=alerts,
    )


def source_overview(stores: Stores, statuses: Statuses, name: str) -> SourceOverview | None:
    """One source; None if there is none of this name."""
    status = next((one for one in statuses.get() if one.source == name), None)
    if status is None:
        return None
    with stores.catalog().reading() as connection:
        last = browsing.last_runs(connection).get(name)
        return _source(stores.settings, connection, status, last, datetime.now(UTC))


def _source(
    settings: Settings,
    connection: Connection,
    status: SourceStatus,
    last: RowMapping | None,
    now: datetime,
) -> SourceOverview:
    configured = settings.source(status.source)
    schedule = configured.schedule if configured else None
    fresh, clocks = status.freshness, status.clocks
    return SourceOverview(
        name=status.source,
        root=status.root,
        state=status.state,
        stale_for_s=fresh.stale_for_s,
        breach_in_s=fresh.breach_in_s,
        warn_after_s=fresh.objective.warn_after.total_seconds(),
        error_after_s=fresh.objective.error_after.total_seconds(),
        lag=fresh.lags.seconds,
        share_within=fresh.share_within,
        budget=ErrorBudget(fresh.budget.share_within, fresh.budget.target, fresh.budget.left),
        n_stale=fresh.n_stale,
        n_left=fresh.n_left,
        n_in_future=fresh.skew.n_documents,
        documents=status.documents,
        n_documents=sum(status.documents.values()),
        n_chunks=status.n_chunks,
        quarantined=status.quarantined,
        n_quarantined=sum(status.quarantined.values()),
        last_check=clocks.last_check,
        check_failed=clocks.check_failed,
        last_success=clocks.last_success,
        newest_change_seen=clocks.newest_change_seen,
        newest_change_searchable=clocks.newest_change_searchable,
        oldest_change_waiting=clocks.oldest_change_waiting,
        last_run=_run(last),
        schedule=schedule,
        next_run_at=next_run(schedule, now, last["started_at"] if last else None),
        lags=lag_points(connection, status.source, _SPARK_RUNS),
    )


def _run(row: RowMapping | None) -> RunInShort | None:
    if row is None:
        return None
    names = ("id", "kind", "state", "started_at", "ended_at", "error")
    return RunInShort(**{name: row[name] for name in names})


def alerts_in_short(stores: Stores) -> list[AlertInShort]:
    """Those that are on, and those with messages that did not arrive."""
    return [
        AlertInShort(
            kind=one.alert.key.kind,
            source=one.alert.key.source,
            severity=one.alert.severity.value,
            summary=one.alert.summary,
            since=one.alert.started_at,
            resolved_at=one.alert.resolved_at,
            last_sent=one.last_sent,
            n_pending=sum(row["state"] == "pending" for row in one.undelivered),
            n_failed=sum(row["state"] == "failed" for row in one.undelivered),
        )
        for one in alert_statuses(stores.catalog())
    ]


def _worst(sources: Sequence[SourceOverview]) -> FreshnessState:
    states = {one.state for one in sources}
    return next((state for state in _WORST_FIRST if state in states), FreshnessState.UNKNOWN)


def _sentence(sources: Sequence[SourceOverview]) -> str:
    n_sources = "1 source" if len(sources) == 1 else f"{len(sources):,} sources"
    wanting = [one for one in sources if one.state is not FreshnessState.FRESH]
    if not sources:
        return "There is no source yet."
    if not wanting:
        return "The source is fresh." if len(sources) == 1 else f"All {n_sources} are fresh."
    wanting.sort(key=lambda one: _WORST_FIRST.index(one.state))
    named = ", ".join(f"{one.name} ({one.state.value})" for one in wanting[:_NAMED])
    more = f" and {len(wanting) - _NAMED:,} more" if len(wanting) > _NAMED else ""
    return f"{len(wanting):,} of {n_sources} not fresh: {named}{more}."
