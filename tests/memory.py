"""All that a state remembers, in a form in which two states can be compared."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
import sqlalchemy as sa

from index.catalog import chunks as chunk_rows
from index.catalog import tables
from index.catalog.embeddings import load_embeddings
from index.reconciling import reconcile
from index.records import chunk_metadata
from index.stores import Index

_OF_A_RUN: Final = {"run_id", "indexed_at", "source_modified_at"}
"""The last one too: what is only touched keeps the time of the change that it was read for."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What depends on the documents alone, and not on the runs that read them."""

    chunks: dict[str, tuple[str, dict[str, Any], bytes]]
    """By id, of all generations: text, metadata and vector."""
    documents: dict[str, tuple[Any, ...]]
    """By uri: what became of each, and what it was read with."""


def recall(index: Index) -> Memory:
    """What is remembered; all that must agree with each other in it is checked on the way."""
    with index.catalog.reading() as connection:
        assert chunk_rows.open_intents(connection) == {}
        documents = _documents(connection)
    chunks: dict[str, tuple[str, dict[str, Any], bytes]] = {}
    for target in index.targets:
        report = reconcile(index, target, datetime.now(UTC), n_probes=100_000)
        assert report.agrees, report
        assert report.n_probed == report.n_chunks
        chunks |= _chunks(index, target.generation.id, target.generation.collection)
    return Memory(chunks, documents)


def _chunks(
    index: Index, generation: str, collection: str
) -> dict[str, tuple[str, dict[str, Any], bytes]]:
    with index.catalog.reading() as connection:
        held = chunk_rows.page_of_chunks(connection, generation, chunk_rows.FIRST, 100_000)
        keys = [one.placement.embedding_key for one in held]
        cached = load_embeddings(connection, list(dict.fromkeys(keys)))
    ids = [one.placement.chunk_id for one in held]
    stored, vectors = (
        index.vectors.load(collection, ids),
        index.vectors.load_vectors(collection, ids),
    )
    assert len(index.vectors.contents(collection)) == len(ids)
    found = {}
    for one in held:
        placed = one.placement
        has = stored[placed.chunk_id]
        assert dict(has.metadata) == chunk_metadata(one.provenance, placed)
        vector = cached[placed.embedding_key]
        assert np.allclose(vectors[placed.chunk_id], vector, atol=1e-6), placed.chunk_id
        metadata = {name: value for name, value in has.metadata.items() if name not in _OF_A_RUN}
        found[placed.chunk_id] = (has.text, metadata, vector.tobytes())
    return found


def _documents(connection: sa.Connection) -> dict[str, tuple[Any, ...]]:
    one, shown, entry = tables.document.c, tables.version.c, tables.quarantine.c
    query = (
        sa.select(
            one.uri, one.id, one.outcome, one.n_bytes, one.sha256, one.media_type, one.parser_key,
            shown.sha256, shown.text_key, shown.parser, shown.parser_version, shown.title,
            shown.language, shown.properties, shown.problems,
            sa.case((entry.state != "resolved", entry.code), else_=None),
        )
        .outerjoin(tables.version, one.current_version == shown.id)
        .outerjoin(tables.quarantine, entry.document_id == one.id)
        .where(one.removed_at.is_(None))
    )  # fmt: skip
    return {row[0]: tuple(row) for row in connection.execute(query)}
