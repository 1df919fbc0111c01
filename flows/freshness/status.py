"""What `headwater status` says of each source."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from checks.freshness import Clocks, FreshnessState
from flows.freshness.looks import record_all
from flows.freshness.sources import (
    SourceFreshness,
    lags_of,
    objective_of,
    read_freshness,
    source_roots,
)
from flows.runs.lease import is_dead
from flows.settings import Settings
from index.catalog import chunks as chunk_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
from index.catalog.generations import live_generation
from index.catalog.history import Look, last_look
from index.catalog.runs import RunState
from index.catalog.staleness import DocumentCounts, count_documents


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """A source as it stands."""

    root: str
    freshness: SourceFreshness
    n_chunks: int
    quarantined: dict[str, int]
    """Open entries by reason."""
    last_run_state: str | None

    @property
    def source(self) -> str:
        return self.freshness.source

    @property
    def state(self) -> FreshnessState:
        return self.freshness.state

    @property
    def clocks(self) -> Clocks:
        return self.freshness.clocks

    @property
    def documents(self) -> dict[str, int]:
        """By outcome of the last run that read them."""
        return self.freshness.documents.by_outcome

    def as_json(self) -> dict[str, Any]:
        return {
            "source": self.source,
            "uri": self.root,
            **self.freshness.as_json(),
            "documents": self.documents,
            "chunks": self.n_chunks,
            "quarantined": self.quarantined,
            "last_run": self.last_run_state,
        }


def all_statuses(
    settings: Settings, catalog: Catalog, now: datetime | None = None
) -> list[SourceStatus]:
    """Every source that is configured or was ever ingested, by name.

    Args:
        settings: With the objectives.
        catalog: That knows.
        now: The time, if it is to be another one.
    """
    with catalog.reading() as connection:
        return _statuses(settings, connection, now or datetime.now(UTC))


def quick_statuses(settings: Settings, connection: Connection, now: datetime) -> list[SourceStatus]:
    """As `all_statuses`, with the lags and numbers of chunks that the last look at a source found.

    What may have changed since is counted anew.
    """
    return _statuses(settings, connection, now, quick=True)


def record_statuses(settings: Settings, catalog: Catalog, now: datetime | None = None) -> None:
    """Add every source as it stands to the history."""
    with catalog.writing() as connection:
        record_all(connection, settings, now or datetime.now(UTC))


def _statuses(
    settings: Settings, connection: Connection, now: datetime, *, quick: bool = False
) -> list[SourceStatus]:
    counts = count_documents(connection)
    found = []
    for name, root in source_roots(connection, settings).items():
        counted = counts.get(name, DocumentCounts({}, 0, 0))
        last = run_rows.last_run(connection, name)
        look = _valid_look(connection, name, counted, last) if quick else None
        objective, lags = objective_of(settings, name), lags_of(look) if look else None
        status = SourceStatus(
            root=root,
            freshness=read_freshness(connection, name, objective, now, counted, lags),
            n_chunks=look.n_chunks if look else chunk_rows.count_chunks(connection, name),
            quarantined=quarantine.count_open(connection, name),
            last_run_state=_run_state(settings, last) if last else None,
        )
        found.append(status)
    return found


def _valid_look(
    connection: Connection, source: str, counted: DocumentCounts, last: RowMapping | None
) -> Look | None:
    """The last look at a source, unless its chunks may have changed since.

    Chunks change in runs, with the generation that is live, and where a document ceases to be
    searchable; nothing else touches them.
    """
    look, live = last_look(connection, source), live_generation(connection)
    if look is None or live is None or (last is not None and last["started_at"] > look.at):
        return None
    same = look.generation == live.id and look.n_searchable == counted.n_searchable
    return look if same else None


def _run_state(settings: Settings, run: RowMapping) -> str:
    """As the catalog has it, but for a run that was killed and that no other has followed."""
    state: str = run["state"]
    killed = state == RunState.RUNNING and is_dead(settings, run["started_at"])
    return RunState.INTERRUPTED if killed else state
