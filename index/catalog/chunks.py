"""Chunks of the current versions, those of past ones, and intents: which vectors may differ."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import MAX_ITEMS, batches
from index.catalog import tables
from index.catalog.documents import provenance_of
from index.catalog.upsert import insert_new
from index.records import Placement, Provenance

FIRST: Final = ("", -1)

_PLACED = [column.name for column in tables.chunk.c]


@dataclass(frozen=True, slots=True)
class Held:
    """A chunk as the catalog holds it."""

    provenance: Provenance
    placement: Placement
    text_key: str
    """Under which its version's text is stored."""
    version: int
    """`version.id`."""
    retired_at: datetime | None
    """When its version ceased to be current; None while it is."""


def chunks_held(
    connection: Connection, document_ids: Sequence[str]
) -> dict[str, dict[str, tuple[str, str]]]:
    """By document id, and by chunk id, generation and embedding key of all chunks of documents."""
    chunk = tables.chunk.c
    held: dict[str, dict[str, tuple[str, str]]] = {}
    for some in batches(document_ids):
        query = sa.select(chunk.document_id, chunk.id, chunk.generation, chunk.embedding_key)
        for document_id, chunk_id, *rest in connection.execute(
            query.where(chunk.document_id.in_(some))
        ):
            held.setdefault(document_id, {})[chunk_id] = (rest[0], rest[1])
    return held


def add_chunks(
    connection: Connection, document_id: str, version: int, placements: Iterable[Placement]
) -> None:
    """Add chunks of a document's current version; they must not be there yet."""
    rows = [
        {
            "id": placement.chunk_id,
            "generation": placement.generation,
            "document_id": document_id,
            "version": version,
            "ordinal": placement.ordinal,
            "char_start": placement.char_start,
            "char_end": placement.char_end,
            "heading_path": list(placement.heading_path),
            "page_first": placement.page_first,
            "page_last": placement.page_last,
            "n_tokens": placement.n_tokens,
            "embedding_key": placement.embedding_key,
        }
        for placement in placements
    ]
    if rows:
        connection.execute(sa.insert(tables.chunk), rows)


def retire_chunks(connection: Connection, document_ids: Sequence[str]) -> dict[str, str]:
    """Move all chunks of documents to the past.

    Returns:
        By chunk id, the generation of each.
    """
    chunk = tables.chunk.c
    retired: dict[str, str] = {}
    for some in batches(document_ids):
        retired |= _retire(connection, chunk.document_id.in_(some))
    return retired


def retire_generation(connection: Connection, generation: str) -> None:
    """Move all chunks of a generation to the past; if it was never searched, it has none. Its
    vectors are of no interest any more.
    """
    reigned = sa.select(tables.reign.c.since).where(tables.reign.c.generation == generation)
    if connection.execute(reigned.limit(1)).first():
        _retire(connection, tables.chunk.c.generation == generation)
    else:
        for table in (tables.chunk, tables.past_chunk):
            connection.execute(sa.delete(table).where(table.c.generation == generation))
    connection.execute(sa.delete(tables.intent).where(tables.intent.c.generation == generation))


def recall_chunks(connection: Connection, version: int, generation: str) -> None:
    """Forget that chunks of a version are past: they are about to be added again."""
    past = tables.past_chunk.c
    connection.execute(
        sa.delete(tables.past_chunk).where(past.version == version, past.generation == generation)
    )


def _retire(connection: Connection, where: sa.ColumnElement[bool]) -> dict[str, str]:
    chunk = tables.chunk.c
    found = connection.execute(sa.select(chunk.id, chunk.generation).where(where))
    retired = {chunk_id: generation for chunk_id, generation in found}
    past = sa.select(*(chunk[name] for name in _PLACED)).where(where)
    connection.execute(sa.insert(tables.past_chunk).from_select(_PLACED, past))
    connection.execute(sa.delete(tables.chunk).where(where))
    return retired


def load_chunks(connection: Connection, chunk_ids: Sequence[str]) -> dict[str, Held]:
    """By id, those of `chunk_ids` that are of a current version."""
    loaded = {}
    for some in batches(chunk_ids):
        for held in _load(connection, tables.chunk, tables.chunk.c.id.in_(some)):
            loaded[held.placement.chunk_id] = held
    return loaded


def page_of_chunks(
    connection: Connection, generation: str, after: tuple[str, int], size: int
) -> list[Held]:
    """The next chunks of a generation, those of one document together.

    Args:
        connection: To the catalog.
        generation: Of which.
        after: Document id and ordinal of the last chunk of the page before; `FIRST` at first.
        size: At most.
    """
    chunk = tables.chunk.c
    place = sa.tuple_(chunk.document_id, chunk.ordinal)
    where = (chunk.generation == generation) & (place > sa.tuple_(*after))
    query = _select(tables.chunk).where(where).order_by(chunk.document_id, chunk.ordinal)
    return [_held(row) for row in connection.execute(query.limit(size)).mappings()]


def all_chunks(connection: Connection, generation: str) -> Iterator[Held]:
    """Every chunk of a generation, those of one document together."""
    after = FIRST
    while page := page_of_chunks(connection, generation, after, MAX_ITEMS):
        yield from page
        after = (page[-1].provenance.document_id, page[-1].placement.ordinal)


def vectors_as_of(
    connection: Connection,
    generation: str,
    moment: datetime,
    size: int,
    *,
    source: str | None = None,
) -> Iterator[list[tuple[str, int, bytes]]]:
    """Chunk id, version and vector of all chunks that were current at a moment, in pages.

    Args:
        connection: To the catalog.
        generation: Of which.
        moment: When.
        size: Of a page, at most.
        source: Only chunks of this source.
    """
    version, cached = tables.version.c, tables.embedding.c
    current = (version.indexed_at <= moment) & (
        version.retired_at.is_(None) | (version.retired_at > moment)
    )
    for table in (tables.chunk, tables.past_chunk):
        joined = table.join(tables.version, table.c.version == version.id).join(
            tables.embedding, table.c.embedding_key == cached.key
        )
        query = sa.select(table.c.id, table.c.version, cached.vector).select_from(joined)
        query = query.where(current, table.c.generation == generation)
        if source is not None:
            query = query.where(table.c.document_id.in_(_documents_of(source)))
        after = ""
        while True:
            page = query.where(table.c.id > after).order_by(table.c.id).limit(size)
            rows = [(row[0], row[1], row[2]) for row in connection.execute(page)]
            if rows:
                yield rows
                after = rows[-1][0]
            if len(rows) < size:
                break


def _documents_of(source: str) -> sa.Select[tuple[str]]:
    return sa.select(tables.document.c.id).where(tables.document.c.source == source)


def history_of(connection: Connection, chunk_id: str) -> list[Held]:
    """A chunk in all versions that had it, oldest first."""
    return [
        held
        for table in (tables.past_chunk, tables.chunk)
        for held in _load(connection, table, table.c.id == chunk_id)
    ]


def _load(connection: Connection, table: sa.Table, where: sa.ColumnElement[bool]) -> Iterator[Held]:
    for row in connection.execute(_select(table).where(where).order_by(table.c.version)).mappings():
        yield _held(row)


def _select(table: sa.Table) -> sa.Select[tuple[object, ...]]:
    joined = table.join(tables.version, table.c.version == tables.version.c.id).join(
        tables.document, table.c.document_id == tables.document.c.id
    )
    names = (
        "sha256",
        "text_key",
        "media_type",
        "parser",
        "parser_version",
        "title",
        "language",
        "properties",
        "source_modified_at",
        "run_id",
        "indexed_at",
        "retired_at",
    )
    return sa.select(
        *table.c,
        tables.document.c.source,
        tables.document.c.uri,
        *(tables.version.c[name] for name in names),
    ).select_from(joined)


def _held(row: RowMapping) -> Held:
    return Held(
        provenance_of(row), _placement(row), row["text_key"], row["version"], row["retired_at"]
    )


def _placement(row: RowMapping) -> Placement:
    return Placement(
        chunk_id=row["id"],
        generation=row["generation"],
        ordinal=row["ordinal"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        heading_path=tuple(row["heading_path"]),
        page_first=row["page_first"],
        page_last=row["page_last"],
        n_tokens=row["n_tokens"],
        embedding_key=row["embedding_key"],
    )


def chunks_of(connection: Connection, version: int, generation: str) -> list[Placement]:
    """The chunks of a version in a generation, current or past, in the order of its text."""
    found = [
        held.placement
        for table in (tables.chunk, tables.past_chunk)
        for held in _load(
            connection, table, (table.c.version == version) & (table.c.generation == generation)
        )
    ]
    return sorted(found, key=lambda placement: placement.ordinal)


def count_chunks(
    connection: Connection, source: str | None = None, *, generation: str | None = None
) -> int:
    """Searchable chunks, of one source or of all; or a generation's, which need not be live."""
    held = tables.chunk.c
    live = sa.select(tables.generation.c.id).where(tables.generation.c.state == "live")
    query = sa.select(sa.func.count()).select_from(tables.chunk)
    query = query.where(held.generation == generation if generation else held.generation.in_(live))
    if source is not None:
        query = query.where(held.document_id.in_(_documents_of(source)))
    return connection.scalar(query) or 0


def known_ids(connection: Connection, chunk_ids: Sequence[str]) -> set[str]:
    """Those of `chunk_ids` that are of a current version."""
    found: set[str] = set()
    for some in batches(chunk_ids):
        query = sa.select(tables.chunk.c.id).where(tables.chunk.c.id.in_(some))
        found.update(connection.scalars(query))
    return found


def count_left_out(connection: Connection, generation: str) -> int:
    """How many documents have chunks in another generation and none in this one."""
    chunk = tables.chunk.c
    here = sa.select(chunk.document_id).where(chunk.generation == generation)
    query = sa.select(sa.func.count(sa.distinct(chunk.document_id)))
    return connection.scalar(query.where(chunk.document_id.not_in(here))) or 0


def count_tokens(
    connection: Connection,
    generation: str,
    document_ids: Sequence[str] | None = None,
    *,
    after: str = "",
) -> int:
    """Tokens of the chunks of a generation, of some documents or of those after `after`."""
    chunk = tables.chunk.c
    query = sa.select(sa.func.sum(chunk.n_tokens)).where(
        chunk.generation == generation, chunk.document_id > after
    )
    if document_ids is not None:
        query = query.where(chunk.document_id.in_(document_ids))
    return int(connection.scalar(query) or 0)


def add_intents(connection: Connection, source: str, generation_of: Mapping[str, str]) -> None:
    """Note, before it happens, that the vectors of chunks are about to change.

    Args:
        connection: A transaction that is committed before they do.
        source: Of their documents.
        generation_of: By chunk id.
    """
    rows = [
        {"chunk_id": chunk_id, "generation": generation, "source": source}
        for chunk_id, generation in generation_of.items()
    ]
    insert_new(connection, tables.intent, rows)


def intend_generation(connection: Connection, generation: str) -> None:
    """As `add_intents`, for all chunks of a generation."""
    chunk, document, intent = tables.chunk.c, tables.document, tables.intent.c
    known = sa.select(intent.chunk_id)
    rows = (
        sa.select(chunk.id, chunk.generation, document.c.source)
        .join(document, chunk.document_id == document.c.id)
        .where(chunk.generation == generation, chunk.id.not_in(known))
    )
    into = sa.insert(tables.intent).from_select(["chunk_id", "generation", "source"], rows)
    connection.execute(into)


def clear_intents(connection: Connection, chunk_ids: Iterable[str]) -> None:
    """Note that the vectors of chunks are what the catalog says."""
    for some in batches(list(chunk_ids)):
        connection.execute(sa.delete(tables.intent).where(tables.intent.c.chunk_id.in_(some)))


def open_intents(connection: Connection, source: str | None = None) -> dict[str, str]:
    """By chunk id, the generation of chunks whose vectors may differ from the catalog.

    Args:
        connection: To the catalog.
        source: Only those of its documents.
    """
    intent = tables.intent.c
    query = sa.select(intent.chunk_id, intent.generation)
    if source is not None:
        query = query.where(intent.source == source)
    return {chunk_id: generation for chunk_id, generation in connection.execute(query)}


def known_intents(connection: Connection, chunk_ids: Sequence[str]) -> dict[str, str]:
    """As `open_intents`, of those of `chunk_ids` that have one."""
    intent = tables.intent.c
    found: dict[str, str] = {}
    for some in batches(chunk_ids):
        query = sa.select(intent.chunk_id, intent.generation).where(intent.chunk_id.in_(some))
        found |= {chunk_id: generation for chunk_id, generation in connection.execute(query)}
    return found
