"""Documents that were erased: removing all rows of them, and remembering that they stay away."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.plan import MEMBER


@dataclass(frozen=True, slots=True)
class Held:
    """A document that is to be erased, or one that it has something in common with."""

    document_id: str
    source: str
    uri: str


def document_and_members(connection: Connection, source: str, uri: str) -> list[Held]:
    """A document and all that it holds, also those that were gone from the source."""
    found, inside = tables.document.c, uri + MEMBER
    query = sa.select(found.id, found.source, found.uri).where(
        found.source == source,
        # Not LIKE, which takes upper and lower case for the same in SQLite.
        (found.uri == uri) | (sa.func.substr(found.uri, 1, len(inside)) == inside),
    )
    return [Held(*row) for row in connection.execute(query.order_by(found.uri))]


def sources_of(connection: Connection, uri: str) -> set[str]:
    """The sources that have, or had, a document with this uri."""
    here, gone = tables.document.c, tables.erased.c
    query = sa.union(
        sa.select(here.source).where(here.uri == uri),
        sa.select(gone.source).where(gone.uri == uri),
    )
    return set(connection.scalars(query))


def hashes_of(connection: Connection, document_ids: Sequence[str]) -> set[str]:
    """sha256 of all versions of documents, and of the bytes that were last read of them."""
    found: set[str] = set()
    for some in batches(document_ids):
        for table, key in ((tables.version, "document_id"), (tables.document, "id")):
            query = sa.select(table.c.sha256).where(table.c[key].in_(some))
            found.update(connection.scalars(query))
    return {sha256 for sha256 in found if sha256}


def with_same_bytes(
    connection: Connection, hashes: Collection[str], but: Collection[str]
) -> list[Held]:
    """Documents that have or had one of these contents, but for some."""
    version, document = tables.version.c, tables.document.c
    found: set[Held] = set()
    for some in batches(sorted(hashes)):
        ids = sa.select(version.document_id).where(version.sha256.in_(some))
        found |= _documents(connection, document.sha256.in_(some) | document.id.in_(ids))
    return _but(found, but)


def with_texts(connection: Connection, text_keys: Collection[str]) -> list[Held]:
    """Documents that have or had one of these texts."""
    found: set[Held] = set()
    for some in batches(sorted(text_keys)):
        ids = sa.select(tables.version.c.document_id).where(tables.version.c.text_key.in_(some))
        found |= _documents(connection, tables.document.c.id.in_(ids))
    return _but(found, ())


def _documents(connection: Connection, where: sa.ColumnElement[bool]) -> set[Held]:
    document = tables.document.c
    query = sa.select(document.id, document.source, document.uri).where(where)
    return {Held(*row) for row in connection.execute(query)}


def _but(found: Collection[Held], but: Collection[str]) -> list[Held]:
    others = [one for one in found if one.document_id not in but]
    return sorted(others, key=lambda one: (one.source, one.uri))


def chunks_ever(connection: Connection, document_ids: Sequence[str]) -> dict[str, str]:
    """By id, the generation of all chunks that documents have or had."""
    found: dict[str, str] = {}
    for some in batches(document_ids):
        for table in (tables.past_chunk, tables.chunk):
            query = sa.select(table.c.id, table.c.generation).where(table.c.document_id.in_(some))
            found |= {chunk_id: generation for chunk_id, generation in connection.execute(query)}
    return found


def remove_rows(connection: Connection, document_ids: Sequence[str]) -> Counter[str]:
    """Remove documents with every row that names them.

    Returns:
        By table, how many rows were removed.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")
    removed: Counter[str] = Counter()
    for column in _naming_documents():
        for some in batches(document_ids):
            delete = sa.delete(column.table).where(column.in_(some))
            removed[column.table.name] += connection.execute(delete).rowcount
    return +removed


def count_rows(connection: Connection, document_ids: Sequence[str]) -> int:
    """How many rows name one of these documents, but for those that keep it away."""
    return sum(
        connection.scalar(sa.select(sa.func.count()).where(column.in_(some))) or 0
        for column in _naming_documents()
        for some in batches(document_ids)
    )


def _naming_documents() -> list[sa.Column[Any]]:
    """Of every table with rows of documents, the column that names one; who refers to others
    first.
    """
    naming = {table: table.c.get("document_id") for table in tables.metadata.sorted_tables}
    naming |= {tables.document: tables.document.c.id, tables.erased: None}
    return [column for column in reversed(naming.values()) if column is not None]


def exclude(
    connection: Connection, document_id: str, source: str, uri: str, who: str, now: datetime
) -> None:
    """Have runs skip a document, and all that it holds, until it is allowed again."""
    if find_erased(connection, source, uri) is None:
        row = {"document_id": document_id, "source": source, "uri": uri, "erased_by": who}
        connection.execute(sa.insert(tables.erased).values(**row, erased_at=now))


def allow(connection: Connection, source: str, uri: str) -> bool:
    """Have runs read a document again; whether it was excluded."""
    gone = tables.erased.c
    delete = sa.delete(tables.erased).where(gone.source == source, gone.uri == uri)
    return bool(connection.execute(delete).rowcount)


def find_erased(connection: Connection, source: str, uri: str) -> RowMapping | None:
    gone = tables.erased.c
    query = sa.select(tables.erased).where(gone.source == source, gone.uri == uri)
    return connection.execute(query).mappings().one_or_none()


def erased_uris(connection: Connection, source: str) -> frozenset[str]:
    """Of the documents of a source that runs skip, with all that they hold."""
    gone = tables.erased.c
    return frozenset(connection.scalars(sa.select(gone.uri).where(gone.source == source)))
