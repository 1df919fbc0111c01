"""What `headwater status` says of each source."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from checks.freshness import Clocks, FreshnessState, judge_freshness, percentiles, staleness
from flows.lease import is_dead
from flows.settings import Freshness, Settings
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
from index.catalog.runs import RunState
from index.records import iso


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as it stands."""

    source: str
    root: str
    state: FreshnessState
    clocks: Clocks
    stale_for_s: float | None
    """Seconds since the source may have said something that a search does not find."""
    lag_p95_s: float | None
    """Of the documents that the last run made searchable."""
    documents: dict[str, int]
    """By outcome of the last run that read them."""
    n_chunks: int
    quarantined: dict[str, int]
    """Open entries by reason."""
    last_run_state: str | None

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "uri": self.root,
            "state": self.state.value,
            "last_check": iso(self.clocks.last_check),
            "last_success": iso(self.clocks.last_success),
            "newest_change_seen": iso(self.clocks.newest_change_seen),
            "newest_change_searchable": iso(self.clocks.newest_change_searchable),
            "stale_for_seconds": self.stale_for_s,
            "lag_seconds": {"p95": self.lag_p95_s},
            "documents": self.documents,
            "chunks": self.n_chunks,
            "quarantined": self.quarantined,
            "last_run": self.last_run_state,
        }


def all_statuses(settings: Settings, catalog: Catalog) -> list[SourceStatus]:
    """Every source that is configured or was ever ingested, by name."""
    with catalog.reading() as connection:
        roots = {row["name"]: row["root"] for row in run_rows.all_sources(connection)}
    roots |= {source.name: source.uri for source in settings.sources}
    return [_status(settings, catalog, name, roots[name]) for name in sorted(roots)]


def read_clocks(connection: Connection, source: str) -> Clocks:
    """The times of a source that the catalog keeps."""
    row = run_rows.find_source(connection, source)
    times = document_rows.change_times(connection, source)
    return Clocks(
        last_check=row["last_check_at"] if row else None,
        last_success=row["last_success_at"] if row else None,
        newest_change_seen=times.newest_seen,
        newest_change_searchable=times.newest_searchable,
        oldest_change_waiting=times.oldest_served_stale,
    )


def _status(settings: Settings, catalog: Catalog, name: str, root: str) -> SourceStatus:
    configured = settings.source(name)
    objective = configured.freshness if configured else Freshness()
    now = datetime.now(UTC)
    with catalog.reading() as connection:
        clocks = read_clocks(connection, name)
        last = run_rows.last_run(connection, name)
        lag = percentiles(run_rows.lags(connection, last["id"])) if last else None
        known = clocks.last_success is not None
        return SourceStatus(
            source=name,
            root=root,
            state=judge_freshness(
                clocks, now, warn_after=objective.warn_after, error_after=objective.error_after
            ),
            clocks=clocks,
            stale_for_s=round(staleness(clocks, now).total_seconds(), 1) if known else None,
            lag_p95_s=round(lag.p95, 1) if lag else None,
            documents=document_rows.count_by_outcome(connection, name),
            n_chunks=chunk_rows.count_chunks(connection, name),
            quarantined=quarantine.count_open(connection, name),
            last_run_state=_run_state(settings, last) if last else None,
        )


def _run_state(settings: Settings, run: RowMapping) -> str:
    """As the catalog has it, but for a run that was killed and that no other has followed."""
    state: str = run["state"]
    killed = state == RunState.RUNNING and is_dead(settings, run["started_at"])
    return RunState.INTERRUPTED if killed else state
