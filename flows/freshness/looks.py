"""Keeping how fresh sources are in their history."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.engine import Connection

from checks.error_budget import Spans, spend
from checks.freshness import Objective
from flows.freshness.sources import SourceFreshness, objective_of, read_freshness, source_roots
from flows.runs.budget import clocks_of
from flows.settings import Settings
from index.catalog import chunks as chunk_rows
from index.catalog import history
from index.catalog.generations import live_generation
from index.catalog.history import Look


def record_freshness(
    connection: Connection, source: str, objective: Objective, now: datetime
) -> SourceFreshness:
    """Add a source as it stands to its history.

    Args:
        connection: Of a writing transaction.
        source: Its name.
        objective: How stale it may be.
        now: The time.
    """
    found = read_freshness(connection, source, objective, now)
    before = history.last_look(connection, source)
    if before and before.at > now:
        return found  # The clock was set back; what is known is newer than this.
    spans = spend(clocks_of(before), before.at, now, objective) if before else Spans()
    live = live_generation(connection)
    lag = found.lags.seconds
    look = Look(
        source=source,
        at=now,
        state=found.state.value,
        last_check=found.clocks.last_check,
        last_success=found.clocks.last_success,
        complete_as_of=found.clocks.complete_as_of,
        newest_change_seen=found.clocks.newest_change_seen,
        newest_change_searchable=found.clocks.newest_change_searchable,
        oldest_change_waiting=found.clocks.oldest_change_waiting,
        check_failed=found.clocks.check_failed,
        n_stale=found.n_stale,
        n_lags=found.lags.n_changes,
        n_backlog=found.lags.n_backlog,
        lag_p50=lag.p50 if lag else None,
        lag_p95=lag.p95 if lag else None,
        lag_p99=lag.p99 if lag else None,
        lag_max=lag.max if lag else None,
        n_in_time=found.lags.n_in_time,
        generation=live.id if live else None,
        n_searchable=found.documents.n_searchable,
        n_chunks=chunk_rows.count_chunks(connection, source),
        within_s=spans.within_s,
        outside_s=spans.outside_s,
        unknown_s=spans.unknown_s,
    )
    history.save_look(connection, look)
    return found


def record_all(
    connection: Connection, settings: Settings, now: datetime
) -> Sequence[SourceFreshness]:
    """Add every source as it stands to the history; see `record_freshness`."""
    return [
        record_freshness(connection, name, objective_of(settings, name), now)
        for name in source_roots(connection, settings)
    ]
