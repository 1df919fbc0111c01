"""Forgetting what the past no longer has to be kept for."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from index.catalog import tables

_ROWS: Final = 5_000
"""Deleted in one statement: others must not wait long for their turn."""


def forget_versions(connection: Connection, before: datetime) -> int:
    """Delete some versions that ceased to be current before a moment, with their chunks.

    Returns:
        How many; none when there are no more.
    """
    version = tables.version.c
    old = list(
        connection.scalars(sa.select(version.id).where(version.retired_at < before).limit(_ROWS))
    )
    if old:
        first, last = min(old), max(old)
        gone = sa.select(version.id).where(
            version.retired_at < before, version.id.between(first, last)
        )
        past = tables.past_chunk
        connection.execute(sa.delete(past).where(past.c.version.in_(gone)))
        connection.execute(sa.delete(tables.version).where(version.id.in_(gone)))
    return len(old)


def forget_documents(connection: Connection, before: datetime) -> int:
    """Delete documents that were gone from their source before a moment, and outcomes as old.

    Returns:
        How many documents.
    """
    document, run = tables.document.c, tables.run.c
    gone = sa.select(document.id).where(
        document.removed_at < before,
        ~sa.exists().where(tables.version.c.document_id == document.id),
    )
    entry = tables.quarantine
    connection.execute(sa.delete(entry).where(entry.c.document_id.in_(gone)))
    old_runs = sa.select(run.id).where(run.ended_at < before)
    connection.execute(sa.delete(tables.outcome).where(tables.outcome.c.run_id.in_(old_runs)))
    return connection.execute(sa.delete(tables.document).where(document.id.in_(gone))).rowcount


def forget_embeddings(connection: Connection) -> int:
    """Delete some embeddings that no chunk, current or past, has.

    Returns:
        How many; none when there are no more.
    """
    some = _unused_embeddings().limit(_ROWS)
    delete = sa.delete(tables.embedding).where(tables.embedding.c.key.in_(some))
    return connection.execute(delete).rowcount


def unused_embeddings(connection: Connection) -> list[str]:
    """Keys of the embeddings that no chunk, current or past, has."""
    return list(connection.scalars(_unused_embeddings()))


def _unused_embeddings() -> sa.Select[tuple[str]]:
    key = tables.embedding.c.key
    return sa.select(key).where(
        ~sa.exists().where(tables.chunk.c.embedding_key == key),
        ~sa.exists().where(tables.past_chunk.c.embedding_key == key),
    )


def text_keys(connection: Connection) -> Iterator[str]:
    """Of all versions, current or past."""
    yield from connection.scalars(sa.select(tables.version.c.text_key).distinct())
