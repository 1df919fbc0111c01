"""What came of holding chunks against the metadata contract, document by document."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.catalog import tables
from index.catalog.upsert import upsert

MAX_IDS: Final = 1_000
"""Ids of failing chunks that are kept of a document for each rule; all are counted."""


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """A promise that chunks of a document break."""

    field: str
    rule: str
    severity: str
    """`error` or `warning`."""
    n: int
    """Chunks that break it."""
    chunk_ids: tuple[str, ...]
    """Of the first `MAX_IDS`."""


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict on the chunks of one version of a document."""

    document_id: str
    uri: str
    suite_version: str
    checked_at: datetime
    n_chunks: int
    n_invalid: int
    """Chunks that break a promise."""
    n_dropped: int
    """Invalid chunks that were left out, so that the others can be found."""
    n_warned: int
    """Chunks of which something is to be told that blocks nothing."""
    failures: tuple[BrokenRule, ...]
    origins: Mapping[str, str]
    """By field that the source has settings for, what gave its value."""


def save_validations(
    connection: Connection, run_id: str, validations: Sequence[Validation]
) -> None:
    """Keep verdicts of a run; a document that the run judged before is judged anew."""
    rows = [{"run_id": run_id, **asdict(one)} for one in validations]
    upsert(connection, tables.validation, rows)


def find_validation(connection: Connection, run_id: str, document_id: str) -> Validation | None:
    judged = tables.validation.c
    query = sa.select(tables.validation).where(
        judged.run_id == run_id, judged.document_id == document_id
    )
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else _validation(row)


def validations_of(connection: Connection, run_id: str) -> list[Validation]:
    """Those of a run in which something is to be told, by uri."""
    judged = tables.validation.c
    query = (
        sa.select(tables.validation)
        .where(judged.run_id == run_id, judged.n_invalid + judged.n_warned > 0)
        .order_by(judged.uri)
    )
    return [_validation(row) for row in connection.execute(query).mappings()]


@dataclass(frozen=True, slots=True)
class ValidationTotals:
    """What a run has judged, in all."""

    suite_version: str | None = None
    """None if that is nothing."""
    n_documents: int = 0
    n_chunks: int = 0
    n_invalid: int = 0
    n_dropped: int = 0
    n_warned: int = 0


def total(connection: Connection, run_id: str) -> ValidationTotals:
    judged = tables.validation.c
    version = sa.func.max(judged.suite_version)
    sums = (judged.n_chunks, judged.n_invalid, judged.n_dropped, judged.n_warned)
    query = sa.select(
        version, sa.func.count(), *(sa.func.coalesce(sa.func.sum(one), 0) for one in sums)
    )
    row = connection.execute(query.where(judged.run_id == run_id)).one()
    return ValidationTotals(*row)


def count_origins(connection: Connection, run_id: str) -> dict[str, int]:
    """How many values of fields each resolver gave in a run."""
    query = sa.select(tables.validation.c.origins).where(tables.validation.c.run_id == run_id)
    counts = Counter(origin for row in connection.scalars(query) for origin in row.values())
    return dict(counts)


def _validation(row: RowMapping) -> Validation:
    failures = (
        BrokenRule(**{**failure, "chunk_ids": tuple(failure["chunk_ids"])})
        for failure in row["failures"]
    )
    values = {name: value for name, value in row.items() if name != "run_id"}
    return Validation(**{**values, "failures": tuple(failures)})
