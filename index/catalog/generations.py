"""Generations: which collection holds the vectors that are searched."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from index.catalog import tables


@dataclass(frozen=True, slots=True)
class Generation:
    """One embedding model revision with one chunker configuration, in one collection."""

    id: str
    model: str
    revision: str
    chunker: str
    collection: str


def live_generation(connection: Connection) -> Generation | None:
    """The one that is searched; None before the first run."""
    one = tables.generation.c
    query = sa.select(one.id, one.model, one.revision, one.chunker, one.collection)
    row = connection.execute(query.where(one.is_live)).one_or_none()
    return None if row is None else Generation(*row)


def save_live(connection: Connection, generation: Generation, now: datetime) -> None:
    """Record a generation and make it the only one that is searched."""
    connection.execute(sa.update(tables.generation).values(is_live=False))
    row = {
        "id": generation.id,
        "model": generation.model,
        "revision": generation.revision,
        "chunker": generation.chunker,
        "collection": generation.collection,
        "is_live": True,
    }
    updated = connection.execute(
        sa.update(tables.generation).where(tables.generation.c.id == generation.id).values(row)
    )
    if not updated.rowcount:
        connection.execute(sa.insert(tables.generation).values(**row, created_at=now))
