"""Generations and what the last comparison of the vector store with the catalog found."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import RowMapping

from flows.dashboard.stores import Stores
from index.catalog import browsing
from index.catalog.generations import Generation, all_generations
from index.catalog.reconciliations import last_reconciliations


@dataclass(frozen=True, slots=True)
class ReconciliationLine:
    """What a comparison found."""

    at: datetime
    agrees: bool
    """Before anything was mended."""
    repaired: bool
    n_chunks: int
    n_probed: int
    faults: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class GenerationLine:
    """A generation, and how its vectors were when they were last looked at."""

    id: str
    state: str
    model: str
    revision: str
    chunker: str
    n_chunks: int
    reconciliation: ReconciliationLine | None


def list_generations(stores: Stores) -> list[GenerationLine]:
    """All that are kept up to date, oldest first."""
    with stores.catalog().reading() as connection:
        generations = all_generations(connection)
        counts = browsing.count_generation_chunks(connection)
        compared = {row["generation"]: row for row in last_reconciliations(connection)}
    return [_line(one, counts.get(one.id, 0), compared.get(one.id)) for one in generations]


def _line(one: Generation, n_chunks: int, compared: RowMapping | None) -> GenerationLine:
    return GenerationLine(
        id=one.id,
        state=one.state.value,
        model=one.model,
        revision=one.revision,
        chunker=one.chunker,
        n_chunks=n_chunks,
        reconciliation=_reconciliation(compared) if compared else None,
    )


def _reconciliation(row: RowMapping) -> ReconciliationLine:
    report = row["report"]
    return ReconciliationLine(
        at=row["at"],
        agrees=row["agrees"],
        repaired=row["repaired"],
        n_chunks=report.get("chunks", 0),
        n_probed=report.get("probed", 0),
        faults=report.get("faults", {}),
    )
