"""Numbers of whole runs, and what they are taken from."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.catalog import tables
from index.catalog.runs import RunState
from index.catalog.upsert import upsert
from index.plan import Outcome
from parsers.reasons import Reason

_UNREADABLE = (Reason.EMPTY_TEXT, Reason.GARBLED_TEXT)


@dataclass(frozen=True, slots=True)
class Measure:
    """A number of a run."""

    name: str
    value: float
    before: float | None
    """In the last run that did not fail."""
    verdict: str
    """`passed`, `warning` or `failed`."""
    bound: float | None
    """That it is beyond."""


@dataclass(frozen=True, slots=True)
class CorpusCounts:
    """A source as the catalog has it."""

    n_documents: int
    """All but those that are gone from it or excluded."""
    n_quarantined: int
    n_unreadable: int
    """Documents whose text, or some of it, is empty or garbled."""
    n_searchable: int
    """Documents with chunks."""
    n_chunks: int
    n_distinct_chunks: int
    """Chunks that differ in what is embedded."""
    languages: dict[str, int]
    """Searchable documents by language."""


def save_measures(connection: Connection, run_id: str, measures: Sequence[Measure]) -> None:
    """Keep numbers of a run; one that it noted before is noted anew."""
    upsert(connection, tables.measure, [{"run_id": run_id, **asdict(one)} for one in measures])


def measures_of(connection: Connection, run_id: str) -> list[Measure]:
    query = sa.select(tables.measure).where(tables.measure.c.run_id == run_id)
    rows = connection.execute(query.order_by(tables.measure.c.name)).mappings()
    return [_measure(row) for row in rows]


def last_measures(connection: Connection, source: str) -> dict[str, float]:
    """By name, the numbers of the last run of a source that did not fail; empty without one."""
    ran = tables.run.c
    good = ran.state.in_((RunState.COMPLETED, RunState.COMPLETED_WITH_ERRORS))
    last = (
        sa.select(ran.id)
        .where(ran.source == source, good)
        .order_by(ran.started_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    noted = tables.measure.c
    query = sa.select(noted.name, noted.value).where(noted.run_id == last)
    return {name: value for name, value in connection.execute(query)}


def count_corpus(connection: Connection, source: str, generation: str) -> CorpusCounts:
    """What a source came to."""
    found, entry = tables.document.c, tables.quarantine.c
    here = (
        (found.source == source) & found.removed_at.is_(None) & (found.outcome != Outcome.SKIPPED)
    )
    joined = tables.document.outerjoin(
        tables.quarantine, (entry.document_id == found.id) & (entry.state != "resolved")
    )
    is_bad = found.outcome == Outcome.QUARANTINED
    is_unreadable = sa.or_(
        found.outcome == Outcome.PARTIAL, sa.and_(is_bad, entry.code.in_(_UNREADABLE))
    )
    query = (
        sa.select(sa.func.count(), _count_if(is_bad), _count_if(is_unreadable))
        .select_from(joined)
        .where(here)
    )
    n_documents, n_quarantined, n_unreadable = connection.execute(query).one()
    n_searchable, n_chunks, n_distinct = connection.execute(_chunks_of(source, generation)).one()
    return CorpusCounts(
        n_documents=n_documents,
        n_quarantined=n_quarantined,
        n_unreadable=n_unreadable,
        n_searchable=n_searchable,
        n_chunks=n_chunks,
        n_distinct_chunks=n_distinct,
        languages=_languages(connection, source),
    )


def _chunks_of(source: str, generation: str) -> sa.Select[tuple[int, int, int]]:
    """Documents with chunks, chunks, and chunks that differ."""
    held = tables.chunk.c
    return (
        sa.select(
            sa.func.count(held.document_id.distinct()),
            sa.func.count(),
            sa.func.count(held.embedding_key.distinct()),
        )
        .select_from(tables.chunk.join(tables.document, held.document_id == tables.document.c.id))
        .where(tables.document.c.source == source, held.generation == generation)
    )


def _languages(connection: Connection, source: str) -> dict[str, int]:
    shown = tables.version.c
    query = (
        sa.select(shown.language, sa.func.count())
        .join(tables.document, tables.document.c.current_version == shown.id)
        .where(tables.document.c.source == source)
        .group_by(shown.language)
    )
    return {language: n for language, n in connection.execute(query)}


def _count_if(condition: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
    return sa.func.coalesce(sa.func.sum(sa.case((condition, 1), else_=0)), 0)


def _measure(row: RowMapping) -> Measure:
    return Measure(**{name: value for name, value in row.items() if name != "run_id"})
