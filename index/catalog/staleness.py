"""Documents that are served stale: what is searchable of them is not what their source has."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.quarantine import EntryState
from index.plan import MEMBER, Outcome

_NAMED: Final = 5
"""Uris of documents whose modification time cannot be true."""


@dataclass(frozen=True, slots=True)
class DocumentCounts:
    """Documents of a source, those gone from it aside."""

    by_outcome: dict[str, int]
    """Of the last run that read them."""
    n_searchable: int
    n_stale: int
    """Searchable, and not as their source has them."""


@dataclass(frozen=True, slots=True)
class ChangeTimes:
    """When documents of a source were changed there."""

    newest_seen: datetime | None
    newest_searchable: datetime | None
    oldest_waiting: datetime | None
    """Of documents that are served stale, but for those that are ignored."""


@dataclass(frozen=True, slots=True)
class Skew:
    """Documents that were changed in the future, by their modification times."""

    n_documents: int
    furthest: datetime | None
    uris: tuple[str, ...]
    """The first of them."""


def count_documents(connection: Connection) -> dict[str, DocumentCounts]:
    """By source; answered by an index alone."""
    found = tables.document.c
    query = (
        sa.select(
            found.source,
            found.outcome,
            sa.func.count(),
            sa.func.count(found.current_version),
            sa.func.count(found.stale_since),
        )
        .where(found.removed_at.is_(None))
        .group_by(found.source, found.outcome)
    )
    counts: dict[str, DocumentCounts] = {}
    for source, outcome, n, n_searchable, n_stale in connection.execute(query):
        before = counts.get(source, DocumentCounts({}, 0, 0))
        counts[source] = DocumentCounts(
            {**before.by_outcome, outcome: n},
            before.n_searchable + n_searchable,
            before.n_stale + n_stale,
        )
    return counts


def change_times(connection: Connection, source: str, now: datetime) -> ChangeTimes:
    """The ends of the range of modification times, of documents that are in the source.

    Times in the future are left out: see `find_skew`.
    """
    found, shown, entry = tables.document.c, tables.version.c, tables.quarantine.c
    here = (found.source == source) & found.removed_at.is_(None)
    by_time = (
        sa.select(found.source_modified_at)
        .where(here, found.source_modified_at <= now)
        .order_by(found.source_modified_at.desc())
        .limit(1)
    )
    searchable = found.current_version.is_not(None)
    is_stale = found.stale_since.is_not(None)
    shown_of_stale = (
        sa.select(sa.func.max(shown.source_modified_at))
        .join(tables.document, found.current_version == shown.id)
        .where(here, is_stale, shown.source_modified_at <= now)
    )
    newest = [
        connection.scalar(by_time.where(searchable, found.stale_since.is_(None))),
        connection.scalar(shown_of_stale),
    ]
    waiting = (
        sa.select(found.stale_since)
        .outerjoin(tables.quarantine, entry.document_id == found.id)
        .where(here, is_stale, searchable)
        .where(sa.or_(entry.state.is_(None), entry.state != EntryState.IGNORED))
        .order_by(found.stale_since)
        .limit(1)
    )
    return ChangeTimes(
        connection.scalar(by_time),
        max((moment for moment in newest if moment), default=None),
        connection.scalar(waiting),
    )


def count_stale(connection: Connection, source: str, before: datetime) -> int:
    """How many documents have been served stale since before a moment."""
    found = tables.document.c
    those = (found.source == source) & found.removed_at.is_(None)
    those &= found.current_version.is_not(None) & (found.stale_since < before)
    return connection.scalar(sa.select(sa.func.count()).where(those)) or 0


def find_skew(connection: Connection, source: str, after: datetime) -> Skew:
    """Documents whose modification time lies after a moment at which they had been read."""
    found = tables.document.c
    those = (found.source == source) & found.removed_at.is_(None)
    those &= found.source_modified_at > after
    n, furthest = connection.execute(
        sa.select(sa.func.count(), sa.func.max(found.source_modified_at)).where(those)
    ).one()
    query = sa.select(found.uri).where(those).order_by(found.uri).limit(_NAMED)
    return Skew(n, furthest, tuple(connection.scalars(query)) if n else ())


def stale_since(connection: Connection, document_ids: Sequence[str]) -> dict[str, datetime]:
    """By id, since when those of the documents are stale that are."""
    found = tables.document.c
    since: dict[str, datetime] = {}
    for some in batches(document_ids):
        query = sa.select(found.id, found.stale_since)
        those = found.id.in_(some) & found.stale_since.is_not(None)
        since |= {row.id: row.stale_since for row in connection.execute(query.where(those))}
    return since


def mark_stale(connection: Connection, source: str, now: datetime) -> None:
    """Make the marks of a source's documents what a run over it has found.

    Stale is a searchable document that could not be read, or whose container could not, or that
    lies in a folder which cannot be listed; since the change that was not read, if its time is
    known, or else since that was first found out.
    """
    found = tables.document.c
    marked = sa.select(found.id).where(found.source == source, found.stale_since.is_not(None))
    before = set(connection.scalars(marked))
    wanted = _stale(connection, source, now)
    for some in batches([one for one in before if one not in wanted]):
        these = sa.update(tables.document).where(found.id.in_(some))
        connection.execute(these.values(stale_since=None))
    rows = [{"b_id": k, "b_since": at} for k, at in wanted.items() if k not in before]
    if rows:
        update = sa.update(tables.document).where(found.id == sa.bindparam("b_id"))
        connection.execute(update.values(stale_since=sa.bindparam("b_since")), rows)


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Searchable documents that could not be read when that was last tried; ids."""

    documents: frozenset[str]
    members: frozenset[str]
    """Those that lie in a container which could not be."""


def find_unreadable(connection: Connection, source: str) -> Unreadable:
    """What is served of a source though it can no longer be read.

    Documents in a folder that could not be listed are not among them.
    """
    failed = {row["uri"]: row for row in _searched(connection, source, failed=True)}
    documents = frozenset(row["id"] for row in failed.values() if row["version"] is not None)
    inside = tables.document.c.uri.contains(MEMBER, autoescape=True)
    rows = _searched(connection, source, where=inside) if failed else ()
    members = (row["id"] for row in rows if any(uri in failed for uri in _above(row["uri"], ())))
    return Unreadable(documents, frozenset(members))


def _stale(connection: Connection, source: str, now: datetime) -> dict[str, datetime]:
    failed = {row["uri"]: row for row in _searched(connection, source, failed=True)}
    wanted = {
        row["id"]: _since(row, row, now) for row in failed.values() if row["version"] is not None
    }
    if not failed:
        return wanted
    folders = tuple(uri for uri in failed if uri.endswith("/"))
    inside = tables.document.c.uri.contains(MEMBER, autoescape=True)
    for row in _searched(connection, source, where=sa.true() if folders else inside):
        above = [failed[uri] for uri in _above(row["uri"], folders) if uri in failed]
        if above:
            wanted[row["id"]] = min(_since(one, row, now) for one in above)
    return wanted


def _searched(
    connection: Connection,
    source: str,
    *,
    failed: bool = False,
    where: sa.ColumnElement[bool] | None = None,
) -> Sequence[RowMapping]:
    """Documents that could not be read; or those that could and are searchable."""
    found, shown, entry = tables.document.c, tables.version.c, tables.quarantine.c
    could_not = found.outcome == Outcome.QUARANTINED
    query = (
        sa.select(
            found.id,
            found.uri,
            found.source_modified_at.label("changed_at"),
            shown.id.label("version"),
            shown.source_modified_at.label("shown_at"),
            entry.first_seen_at.label("failed_at"),
        )
        .outerjoin(tables.version, shown.id == found.current_version)
        .outerjoin(tables.quarantine, entry.document_id == found.id)
        .where(found.source == source, found.removed_at.is_(None))
        .where(could_not if failed else ~could_not & found.current_version.is_not(None))
    )
    return connection.execute(query if where is None else query.where(where)).mappings().all()


def _since(failed: RowMapping, shown: RowMapping, now: datetime) -> datetime:
    """When what is shown of a document ceased to be what its source says.

    Args:
        failed: The document that could not be read: it, or what it lies in.
        shown: The document that is searchable.
        now: The time.
    """
    failed_at: datetime = failed["failed_at"] or now
    changed_at: datetime | None = failed["changed_at"]
    if changed_at is None or shown["shown_at"] is None:
        return failed_at
    return changed_at if shown["shown_at"] < changed_at <= failed_at else failed_at


def _above(uri: str, folders: Sequence[str]) -> Iterator[str]:
    """What a document lies in: its containers, and the folders that could not be listed."""
    container, *path = uri.split(MEMBER)
    for name in path:
        yield container
        container += MEMBER + name
    yield from (folder for folder in folders if uri.startswith(folder))


def shown_contents(connection: Connection, document_ids: Sequence[str]) -> Mapping[str, str]:
    """By document id, the sha256 of the version that is searchable."""
    shown = tables.version.c
    held: dict[str, str] = {}
    for some in batches(document_ids):
        query = sa.select(shown.document_id, shown.sha256)
        current = shown.document_id.in_(some) & shown.retired_at.is_(None)
        held |= {row.document_id: row.sha256 for row in connection.execute(query.where(current))}
    return held
