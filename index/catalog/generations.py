"""Generations: which collections hold vectors, and which of them is searched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.catalog import tables
from index.catalog.upsert import upsert

COLLECTION_PREFIX: Final = "headwater-"


class GenerationState(StrEnum):
    BUILDING = "building"
    """Not all documents are in it yet."""
    READY = "ready"
    """Complete and kept up to date, but not searched."""
    LIVE = "live"
    """The one that is searched."""
    KEPT = "kept"
    """It was live; kept up to date, so that one can go back to it."""
    DROPPED = "dropped"
    """Its vectors are gone; what was searchable in it is history."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One embedding model revision with one chunker configuration, in one collection."""

    id: str
    model: str
    revision: str
    chunker: str
    collection: str
    state: GenerationState = GenerationState.LIVE
    built_up_to: str | None = None
    """Documents with smaller ids are in it; of interest while it is being built."""


def all_generations(connection: Connection) -> list[Generation]:
    """All that are kept up to date, oldest first."""
    return _find(connection, tables.generation.c.state != GenerationState.DROPPED)


def find_generation(connection: Connection, generation_id: str) -> Generation | None:
    """One generation, dropped or not."""
    return next(iter(_find(connection, tables.generation.c.id == generation_id)), None)


def live_generation(connection: Connection) -> Generation | None:
    """The one that is searched; None before the first run."""
    return next(iter(_find(connection, tables.generation.c.state == GenerationState.LIVE)), None)


def _find(connection: Connection, where: sa.ColumnElement[bool]) -> list[Generation]:
    one = tables.generation.c
    query = sa.select(
        one.id, one.model, one.revision, one.chunker, one.collection, one.state, one.built_up_to
    )
    rows = connection.execute(query.where(where).order_by(one.created_at, one.id))
    return [_generation(row) for row in rows.mappings()]


def _generation(row: RowMapping) -> Generation:
    return Generation(**{**row, "state": GenerationState(row["state"])})


def add_generation(connection: Connection, generation: Generation, now: datetime) -> None:
    """Record a generation, new or dropped before; one that is live reigns from now on."""
    row = {
        "id": generation.id,
        "model": generation.model,
        "revision": generation.revision,
        "chunker": generation.chunker,
        "collection": generation.collection,
        "state": generation.state,
        "built_up_to": None,
        "created_at": now,
    }
    upsert(connection, tables.generation, [row])
    if generation.state is GenerationState.LIVE:
        _crown(connection, generation.id, now)


def promote(connection: Connection, generation_id: str, now: datetime) -> None:
    """Make a complete generation the one that is searched; the one before is kept."""
    live = live_generation(connection)
    if live is not None:
        _set(connection, live.id, state=GenerationState.KEPT)
        reign = tables.reign.c
        ended = sa.update(tables.reign).where(reign.until.is_(None))
        connection.execute(ended.values(until=now))
    _set(connection, generation_id, state=GenerationState.LIVE)
    _crown(connection, generation_id, now)


def note_progress(connection: Connection, generation_id: str, document_id: str) -> None:
    """Note that all documents up to this one are in a generation."""
    _set(connection, generation_id, built_up_to=document_id)


def mark_ready(connection: Connection, generation_id: str) -> None:
    """Note that all documents are in a generation."""
    _set(connection, generation_id, state=GenerationState.READY)


def mark_dropped(connection: Connection, generation_id: str) -> None:
    """Take a generation out of use; what was searchable in it stays in the history."""
    _set(connection, generation_id, state=GenerationState.DROPPED)


def reigning_at(connection: Connection, moment: datetime) -> str | None:
    """The id of the generation that was searched at a moment."""
    reign = tables.reign.c
    query = sa.select(reign.generation).where(
        reign.since <= moment, sa.or_(reign.until.is_(None), reign.until > moment)
    )
    return connection.scalar(query.order_by(reign.since.desc()).limit(1))


def reigns(connection: Connection) -> Sequence[tuple[str, datetime, datetime | None]]:
    """Which generation was searched from when until when, in order."""
    reign = tables.reign.c
    query = sa.select(reign.generation, reign.since, reign.until).order_by(reign.since)
    return [(row[0], row[1], row[2]) for row in connection.execute(query)]


def _crown(connection: Connection, generation_id: str, now: datetime) -> None:
    row = {"generation": generation_id, "since": now}
    connection.execute(sa.insert(tables.reign).values(row))


def _set(connection: Connection, generation_id: str, **values: object) -> None:
    one = tables.generation.c
    connection.execute(sa.update(tables.generation).where(one.id == generation_id).values(**values))
