"""The quarantine: what could not be read, why, and what was done about it."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.records import iso
from parsers.reasons import Reason


class EntryState(StrEnum):
    OPEN = "open"
    RETRYING = "retrying"
    RESOLVED = "resolved"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Failed:
    """A document that could not be made searchable."""

    document_id: str
    source: str
    uri: str
    sha256: str | None
    code: Reason
    detail: str
    """One line, without any text of the document."""
    stage: str
    """Where it failed: read, parse, judge or validate."""
    parser: str = ""
    traceback: str = ""

    @property
    def group(self) -> str:
        """Equal for documents that failed in the same way."""
        shape = "".join("#" if character.isdigit() else character for character in self.detail)
        return hashlib.sha256(f"{self.code}|{self.parser}|{shape}".encode()).hexdigest()[:12]


def record_failures(connection: Connection, failures: Sequence[Failed], now: datetime) -> None:
    """Open an entry for each document, or bring the one that it has up to date."""
    before = _entries(connection, [failure.document_id for failure in failures])
    for failure in failures:
        entry = before.get(failure.document_id)
        values = {
            "sha256": failure.sha256,
            "code": failure.code,
            "detail": failure.detail,
            "stage": failure.stage,
            "parser": failure.parser,
            "traceback": failure.traceback,
            "failure_group": failure.group,
            "last_seen_at": now,
        }
        if entry is None:
            connection.execute(sa.insert(tables.quarantine).values(**values, **_new(failure, now)))
        else:
            connection.execute(
                sa.update(tables.quarantine)
                .where(tables.quarantine.c.id == entry["id"])
                .values(**values, **_again(entry, failure, now))
            )


def _new(failure: Failed, now: datetime) -> dict[str, object]:
    return {
        "id": failure.document_id[:12],
        "document_id": failure.document_id,
        "source": failure.source,
        "uri": failure.uri,
        "first_seen_at": now,
        "n_attempts": 1,
        "state": EntryState.OPEN,
        "history": [_event(now, "quarantined", failure.code)],
    }


def _again(entry: RowMapping, failure: Failed, now: datetime) -> dict[str, object]:
    """An entry that was resolved, or whose document now fails otherwise, is open again."""
    same = entry["code"] == failure.code and entry["sha256"] == failure.sha256
    if same and entry["state"] != EntryState.RESOLVED:
        ignored = entry["state"] == EntryState.IGNORED
        state = EntryState.IGNORED if ignored else EntryState.OPEN
        return {"n_attempts": entry["n_attempts"] + 1, "state": state}
    started = {"first_seen_at": now, "n_attempts": 1, "state": EntryState.OPEN}
    return started | {"history": [*entry["history"], _event(now, "quarantined", failure.code)]}


def _event(now: datetime, what: str, why: str, who: str = "headwater") -> dict[str, str | None]:
    return {"at": iso(now), "who": who, "what": what, "why": why}


def mark_seen(connection: Connection, document_ids: Sequence[str], now: datetime) -> None:
    """Note that documents are as they were, and were not tried again."""
    entry = tables.quarantine.c
    for some in batches(document_ids):
        connection.execute(
            sa.update(tables.quarantine).where(entry.document_id.in_(some)).values(last_seen_at=now)
        )


def resolve(connection: Connection, document_ids: Sequence[str], why: str, now: datetime) -> None:
    """Close the entries of documents that are searchable now, or gone."""
    for entry in _entries(connection, document_ids).values():
        if entry["state"] != EntryState.RESOLVED:
            connection.execute(
                sa.update(tables.quarantine)
                .where(tables.quarantine.c.id == entry["id"])
                .values(
                    state=EntryState.RESOLVED,
                    history=[*entry["history"], _event(now, "resolved", why)],
                )
            )


def move(
    connection: Connection,
    entries: Sequence[RowMapping],
    state: EntryState,
    *,
    who: str,
    why: str,
    now: datetime,
) -> None:
    """Give entries another state, and note who did it and why."""
    for entry in entries:
        connection.execute(
            sa.update(tables.quarantine)
            .where(tables.quarantine.c.id == entry["id"])
            .values(state=state, history=[*entry["history"], _event(now, state, why, who)])
        )


def stop_retrying(connection: Connection, source: str, now: datetime) -> None:
    """Open the entries again that a run which never ended was retrying."""
    entry = tables.quarantine.c
    query = sa.select(tables.quarantine).where(
        entry.source == source, entry.state == EntryState.RETRYING
    )
    left = connection.execute(query).mappings().all()
    move(connection, left, EntryState.OPEN, who="headwater", why="interrupted", now=now)


def group_entries(connection: Connection, source: str | None = None) -> Sequence[RowMapping]:
    """Entries that are not resolved, those that failed in one way as one row: how many there are,
    and of the first by uri what else is known.
    """
    entry = tables.quarantine.c
    query = sa.select(
        entry.failure_group,
        entry.source,
        entry.code,
        entry.state,
        sa.func.count().label("n_entries"),
        sa.func.min(entry.uri).label("first_uri"),
        sa.func.min(entry.id).label("first_id"),
        sa.func.min(entry.detail).label("detail"),
        sa.func.min(entry.first_seen_at).label("first_seen_at"),
        sa.func.max(entry.last_seen_at).label("last_seen_at"),
        sa.func.max(entry.n_attempts).label("n_attempts"),
    ).where(entry.state != EntryState.RESOLVED)
    if source is not None:
        query = query.where(entry.source == source)
    query = query.group_by(entry.failure_group, entry.source, entry.code, entry.state)
    return (
        connection.execute(query.order_by(entry.source, sa.desc("n_entries"), entry.code))
        .mappings()
        .all()
    )


def unresolved(connection: Connection, source: str | None = None) -> Sequence[RowMapping]:
    """Entries that are not resolved, by source and uri."""
    entry = tables.quarantine.c
    query = sa.select(tables.quarantine).where(entry.state != EntryState.RESOLVED)
    if source is not None:
        query = query.where(entry.source == source)
    return connection.execute(query.order_by(entry.source, entry.uri)).mappings().all()


def find_entries(connection: Connection, id_prefix: str) -> Sequence[RowMapping]:
    """Entries whose id starts so, resolved ones too; at most two."""
    entry = tables.quarantine.c
    query = sa.select(tables.quarantine).where(entry.id.startswith(id_prefix, autoescape=True))
    return connection.execute(query.limit(2)).mappings().all()


def count_open(connection: Connection, source: str) -> dict[str, int]:
    """How many entries of a source are open, by reason."""
    entry = tables.quarantine.c
    query = (
        sa.select(entry.code, sa.func.count())
        .where(entry.source == source, entry.state.in_((EntryState.OPEN, EntryState.RETRYING)))
        .group_by(entry.code)
    )
    return {code: n for code, n in connection.execute(query)}


def _entries(connection: Connection, document_ids: Sequence[str]) -> dict[str, RowMapping]:
    entry = tables.quarantine.c
    found = {}
    for some in batches(document_ids):
        query = sa.select(tables.quarantine).where(entry.document_id.in_(some))
        for row in connection.execute(query).mappings():
            found[row["document_id"]] = row
    return found


def find_by_document(connection: Connection, document_id: str) -> RowMapping | None:
    """The entry of a document, resolved or not."""
    return _entries(connection, [document_id]).get(document_id)


@dataclass(frozen=True, slots=True)
class Digest:
    """The open entries of a source in short."""

    counts: dict[str, int]
    """By reason."""
    first: tuple[tuple[str, str], ...]
    """Uri and reason of the first of them, by uri."""
    newest: datetime | None
    """When the newest was first seen; None if there are none."""

    @property
    def n_entries(self) -> int:
        return sum(self.counts.values())


def digest(
    connection: Connection, source: str, *, since: datetime | None = None, n_first: int = 10
) -> Digest:
    """What is open; `since`: only what was first seen after that time."""
    entry = tables.quarantine.c
    those = (entry.source == source) & entry.state.in_((EntryState.OPEN, EntryState.RETRYING))
    if since is not None:
        those &= entry.first_seen_at > since
    counts = sa.select(entry.code, sa.func.count()).where(those).group_by(entry.code)
    first = sa.select(entry.uri, entry.code).where(those).order_by(entry.uri).limit(n_first)
    return Digest(
        {code: n for code, n in connection.execute(counts)},
        tuple((uri, code) for uri, code in connection.execute(first)),
        connection.scalar(sa.select(sa.func.max(entry.first_seen_at)).where(those)),
    )
