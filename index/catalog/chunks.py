"""Chunks that are searchable now, and intents: which of their vectors may differ from that."""

from collections.abc import Iterable, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from index.batching import batches
from index.catalog import tables
from index.catalog.upsert import insert_new
from index.records import Placement, Provenance


def embedding_keys(connection: Connection, document_id: str, generation: str) -> dict[str, str]:
    """By chunk id, the embedding of each searchable chunk of a document."""
    held = tables.chunk.c
    query = sa.select(held.id, held.embedding_key).where(
        held.document_id == document_id, held.generation == generation
    )
    return {chunk_id: key for chunk_id, key in connection.execute(query)}


def replace_chunks(
    connection: Connection,
    document_id: str,
    generation: str,
    version: int,
    placements: Iterable[Placement],
) -> None:
    """Make these the searchable chunks of a document, and no others."""
    held = tables.chunk.c
    connection.execute(
        sa.delete(tables.chunk).where(
            held.document_id == document_id, held.generation == generation
        )
    )
    rows = [
        {
            "id": placement.chunk_id,
            "generation": generation,
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


def take_chunks(connection: Connection, document_ids: Sequence[str]) -> list[tuple[str, str]]:
    """Drop all chunks of documents from the catalog.

    Returns:
        Generation and id of each.
    """
    held = tables.chunk.c
    taken: list[tuple[str, str]] = []
    for some in batches(document_ids):
        query = sa.select(held.generation, held.id).where(held.document_id.in_(some))
        taken.extend((generation, chunk_id) for generation, chunk_id in connection.execute(query))
        connection.execute(sa.delete(tables.chunk).where(held.document_id.in_(some)))
    return taken


def load_chunks(
    connection: Connection, chunk_ids: Sequence[str]
) -> dict[str, tuple[Provenance, Placement, str]]:
    """By id, those of `chunk_ids` that are searchable: provenance, placement and text key."""
    joined = tables.chunk.join(tables.version, tables.chunk.c.version == tables.version.c.id).join(
        tables.document, tables.chunk.c.document_id == tables.document.c.id
    )
    columns = [
        *tables.chunk.c,
        tables.document.c.source,
        tables.document.c.uri,
        *(column for column in tables.version.c if column.name not in ("id", "document_id")),
    ]
    loaded = {}
    for some in batches(chunk_ids):
        query = sa.select(*columns).select_from(joined).where(tables.chunk.c.id.in_(some))
        for row in connection.execute(query).mappings():
            loaded[row["id"]] = (_provenance(row), _placement(row), row["text_key"])
    return loaded


def _provenance(row: RowMapping) -> Provenance:
    return Provenance(
        document_id=row["document_id"],
        source=row["source"],
        uri=row["uri"],
        version=row["sha256"],
        media_type=row["media_type"],
        parser=row["parser"],
        parser_version=row["parser_version"],
        title=row["title"],
        language=row["language"],
        generation=row["generation"],
        run_id=row["run_id"],
        source_modified_at=row["source_modified_at"],
        indexed_at=row["indexed_at"],
        extra=row["properties"],
    )


def _placement(row: RowMapping) -> Placement:
    return Placement(
        chunk_id=row["id"],
        ordinal=row["ordinal"],
        char_start=row["char_start"],
        char_end=row["char_end"],
        heading_path=tuple(row["heading_path"]),
        page_first=row["page_first"],
        page_last=row["page_last"],
        n_tokens=row["n_tokens"],
        embedding_key=row["embedding_key"],
    )


def chunks_of(connection: Connection, document_id: str) -> Sequence[RowMapping]:
    """The searchable chunks of a document, in the order of its text."""
    held = tables.chunk.c
    query = sa.select(tables.chunk).where(held.document_id == document_id).order_by(held.ordinal)
    return connection.execute(query).mappings().all()


def all_chunk_ids(connection: Connection, generation: str) -> list[str]:
    """Every searchable chunk of a generation."""
    query = sa.select(tables.chunk.c.id).where(tables.chunk.c.generation == generation)
    return list(connection.scalars(query))


def count_chunks(connection: Connection, source: str | None = None) -> int:
    """Searchable chunks, of one source or of all."""
    query = sa.select(sa.func.count()).select_from(tables.chunk)
    if source is not None:
        query = query.join(
            tables.document, tables.chunk.c.document_id == tables.document.c.id
        ).where(tables.document.c.source == source)
    return connection.scalar(query) or 0


def add_intents(connection: Connection, run_id: str, generation_of: Mapping[str, str]) -> None:
    """Note, before it happens, that the vectors of chunks are about to change.

    Args:
        connection: A transaction that is committed before they do.
        run_id: Who changes them.
        generation_of: By chunk id.
    """
    rows = [
        {"chunk_id": chunk_id, "generation": generation, "run_id": run_id}
        for chunk_id, generation in generation_of.items()
    ]
    insert_new(connection, tables.intent, rows)


def clear_intents(connection: Connection, chunk_ids: Sequence[str]) -> None:
    """Note that the vectors of chunks are what the catalog says."""
    for some in batches(chunk_ids):
        connection.execute(sa.delete(tables.intent).where(tables.intent.c.chunk_id.in_(some)))


def open_intents(connection: Connection) -> dict[str, str]:
    """By chunk id, the generation of all chunks whose vectors may differ from the catalog."""
    query = sa.select(tables.intent.c.chunk_id, tables.intent.c.generation)
    return {chunk_id: generation for chunk_id, generation in connection.execute(query)}
