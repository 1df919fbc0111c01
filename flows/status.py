"""What `headwater status` says of each source."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.engine import Connection

from checks.freshness import Clocks, FreshnessState
from flows.freshness import (
    SourceFreshness,
    objective_of,
    read_freshness,
    record_all,
    source_roots,
)
from flows.settings import Settings
from index.catalog import chunks as chunk_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
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
    now = now or datetime.now(UTC)
    with catalog.reading() as connection:
        counts = count_documents(connection)
        return [
            _status(
                connection, settings, name, root, counts.get(name, DocumentCounts({}, 0, 0)), now
            )
            for name, root in source_roots(connection, settings).items()
        ]


def record_statuses(settings: Settings, catalog: Catalog, now: datetime | None = None) -> None:
    """Add every source as it stands to the history."""
    with catalog.writing() as connection:
        record_all(connection, settings, now or datetime.now(UTC))


def _status(
    connection: Connection,
    settings: Settings,
    name: str,
    root: str,
    counts: DocumentCounts,
    now: datetime,
) -> SourceStatus:
    last = run_rows.last_run(connection, name)
    return SourceStatus(
        root=root,
        freshness=read_freshness(connection, name, objective_of(settings, name), now, counts),
        n_chunks=chunk_rows.count_chunks(connection, name),
        quarantined=quarantine.count_open(connection, name),
        last_run_state=last["state"] if last else None,
    )
