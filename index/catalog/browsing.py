"""What a person who looks around in the catalog is shown: pages of its rows, and counts of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.generations import GenerationState
from index.catalog.quarantine import EntryState
from index.plan import Outcome

_SORTED: Final = 10_000
"""As many documents are sorted whenever some of them are to be shown."""

_Condition = sa.ColumnElement[bool]

_RUN_IN_SHORT: Final = ("id", "source", "kind", "state", "started_at", "ended_at", "error")


@dataclass(frozen=True, slots=True)
class Paging:
    """A page of a longer list."""

    size: int
    number: int = 1
    """1-based."""

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size


@dataclass(frozen=True, slots=True)
class DocumentFilter:
    """Which documents are meant: those for which all that is given holds."""

    source: str | None = None
    outcome: Outcome | None = None
    """`REMOVED`: those that are gone; anything else: of those that are not."""
    words: str = ""
    """A part of the uri, whatever the case of its letters."""

    @property
    def condition(self) -> _Condition:
        found = tables.document.c
        is_gone = self.outcome is Outcome.REMOVED
        held: list[_Condition] = [
            found.removed_at.is_not(None) if is_gone else found.removed_at.is_(None)
        ]
        if self.source is not None:
            held.append(found.source == self.source)
        if self.outcome is not None and not is_gone:
            held.append(found.outcome == self.outcome)
        if self.words:
            held.append(found.uri.icontains(self.words, autoescape=True))
        return sa.and_(*held)


def page_of_documents(
    connection: Connection, wanted: DocumentFilter, paging: Paging, n_items: int
) -> Sequence[RowMapping]:
    """Documents by source and uri.

    Args:
        connection: To the catalog.
        wanted: Which.
        paging: Which of them.
        n_items: How many there are in all: a page in the later half is counted from the end.
    """
    found = tables.document.c
    query = sa.select(tables.document).where(wanted.condition)
    if n_items <= _SORTED:
        # A few that stand far apart are found sooner by going through all than in their order.
        in_order = query.order_by(sa.func.coalesce(found.source, ""), found.uri)
        return _page(connection, in_order, paging)
    if paging.offset <= n_items // 2:
        return _page(connection, query.order_by(found.source, found.uri), paging)
    n_shown = min(paging.size, n_items - paging.offset)
    if n_shown <= 0:
        return []
    backwards = query.order_by(found.source.desc(), found.uri.desc())
    from_end = backwards.limit(n_shown).offset(n_items - paging.offset - n_shown)
    return connection.execute(from_end).mappings().all()[::-1]


def count_documents(connection: Connection, wanted: DocumentFilter) -> int:
    query = sa.select(sa.func.count()).select_from(tables.document).where(wanted.condition)
    return connection.scalar(query) or 0


def oldest_waiting(connection: Connection, source: str, size: int) -> Sequence[RowMapping]:
    """Documents whose last change is not searchable, with why; the oldest change first."""
    found, entry = tables.document.c, tables.quarantine.c
    joined = tables.document.join(tables.quarantine, entry.document_id == found.id)
    query = (
        sa.select(
            found.id,
            found.uri,
            found.source_modified_at,
            found.first_seen_at,
            found.current_version,
            entry.id.label("entry"),
            entry.code,
        )
        .select_from(joined)
        .where(
            entry.source == source,
            entry.state.in_((EntryState.OPEN, EntryState.RETRYING)),
            found.removed_at.is_(None),
        )
        .order_by(sa.func.coalesce(found.source_modified_at, found.first_seen_at), found.uri)
        .limit(size)
    )
    return connection.execute(query).mappings().all()


def page_of_runs(
    connection: Connection, source: str | None, paging: Paging
) -> Sequence[RowMapping]:
    """Runs with their reports, the newest first."""
    ids = _ids_of_runs(source).limit(paging.size).offset(paging.offset)
    chosen = list(connection.scalars(ids))
    query = sa.select(tables.run).where(tables.run.c.id.in_(chosen))
    by_id = {row["id"]: row for row in connection.execute(query).mappings()}
    return [by_id[run_id] for run_id in chosen if run_id in by_id]


def _ids_of_runs(source: str | None) -> sa.Select[tuple[str]]:
    """Without the reports, which are long: to sort them takes far longer than to sort ids."""
    query = sa.select(tables.run.c.id).order_by(tables.run.c.started_at.desc(), tables.run.c.id)
    return query if source is None else query.where(tables.run.c.source == source)


def count_runs(connection: Connection, source: str | None) -> int:
    query = sa.select(sa.func.count()).select_from(tables.run)
    if source is not None:
        query = query.where(tables.run.c.source == source)
    return connection.scalar(query) or 0


def last_runs(connection: Connection) -> dict[str, RowMapping]:
    """By source, its newest run in short: without the report."""
    ran = tables.run.c
    newest = (
        sa.select(ran.source, sa.func.max(ran.started_at).label("at"))
        .group_by(ran.source)
        .subquery()
    )
    query = sa.select(*(ran[name] for name in _RUN_IN_SHORT)).join(
        newest, (newest.c.source == ran.source) & (newest.c.at == ran.started_at)
    )
    return {row["source"]: row for row in connection.execute(query).mappings()}


def page_of_outcomes(
    connection: Connection, run_id: str, outcome: Outcome | None, paging: Paging
) -> Sequence[RowMapping]:
    """What a run did with documents, those that it left as they were aside; by uri."""
    noted = tables.outcome.c
    query = sa.select(tables.outcome).where(noted.run_id == run_id)
    if outcome is not None:
        query = query.where(noted.outcome == outcome)
    return _page(connection, query.order_by(noted.uri, noted.document_id), paging)


@dataclass(frozen=True, slots=True)
class EntryFilter:
    """Which entries of the quarantine are meant: those for which all that is given holds."""

    source: str | None = None
    code: str | None = None
    group: str | None = None
    state: EntryState | None = None
    """None: all that are not resolved."""

    @property
    def condition(self) -> _Condition:
        entry = tables.quarantine.c
        given = {"source": self.source, "code": self.code, "failure_group": self.group}
        held: list[_Condition] = [
            entry[name] == value for name, value in given.items() if value is not None
        ]
        if self.state is None:
            held.append(entry.state != EntryState.RESOLVED)
        else:
            held.append(entry.state == self.state)
        return sa.and_(*held)


def page_of_entries(
    connection: Connection, wanted: EntryFilter, paging: Paging
) -> Sequence[RowMapping]:
    """Entries of the quarantine by source and uri."""
    entry = tables.quarantine.c
    query = sa.select(tables.quarantine).where(wanted.condition)
    return _page(connection, query.order_by(entry.source, entry.uri), paging)


def ids_of_entries(connection: Connection, wanted: EntryFilter) -> list[str]:
    return list(connection.scalars(sa.select(tables.quarantine.c.id).where(wanted.condition)))


def entries_by_id(connection: Connection, ids: Sequence[str]) -> list[RowMapping]:
    """Those entries that there are, in the order of their ids."""
    entry = tables.quarantine.c
    query = sa.select(tables.quarantine).order_by(entry.id)
    return [
        row
        for some in batches(sorted(ids))
        for row in connection.execute(query.where(entry.id.in_(some))).mappings()
    ]


def count_entries(connection: Connection, wanted: EntryFilter) -> int:
    query = sa.select(sa.func.count()).select_from(tables.quarantine).where(wanted.condition)
    return connection.scalar(query) or 0


def count_entries_by_state(connection: Connection) -> dict[str, int]:
    state = tables.quarantine.c.state
    return {
        name: n for name, n in connection.execute(sa.select(state, sa.func.count()).group_by(state))
    }


def count_generation_chunks(connection: Connection) -> dict[str, int]:
    """By generation, its chunks; of those that are kept up to date."""
    held, one = tables.chunk.c, tables.generation.c
    kept = list(connection.scalars(sa.select(one.id).where(one.state != GenerationState.DROPPED)))
    if len(kept) == 1:
        total = sa.select(sa.func.count()).select_from(tables.chunk)
        return {kept[0]: connection.scalar(total) or 0}
    query = sa.select(held.generation, sa.func.count()).group_by(held.generation)
    return {generation: n for generation, n in connection.execute(query)}


def _page(connection: Connection, query: sa.Select[Any], paging: Paging) -> Sequence[RowMapping]:
    return connection.execute(query.limit(paging.size).offset(paging.offset)).mappings().all()
