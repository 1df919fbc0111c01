"""Making chunks again that are not in the vector store as they are to be; nothing is parsed."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from index.batching import batches
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog.chunks import Held
from index.catalog.embeddings import load_embeddings
from index.converging import converge
from index.publishing import embed_chunks, withdraw
from index.stores import Index
from index.targets import Target, identify
from parsers.document import ParsedDocument


def mend(
    index: Index, target: Target, chunk_ids: Sequence[str], now: datetime
) -> tuple[int, list[str]]:
    """Make chunks of a generation again, from stored texts and cached embeddings.

    Args:
        index: Of which the generation is one.
        target: The generation.
        chunk_ids: Which.
        now: For the records.

    Returns:
        How many are mended, and the uris of documents whose stored text is gone: no longer
        searchable until the next run.

    Raises:
        StoreUnavailable: A store failed; what was mended so far stays.
    """
    n_mended = 0
    lost: list[str] = []
    for some in batches(chunk_ids):
        with index.catalog.reading() as connection:
            chunks = chunk_rows.load_chunks(connection, some)
        _intend(index, chunks.values())
        n_mended += _mend(index, target, list(chunks.values()), lost, now)
    return n_mended, lost


def intend(index: Index, chunk_ids: Sequence[str]) -> None:
    """Have the next run finish what is begun with chunks here, should this be killed."""
    for some in batches(chunk_ids):
        with index.catalog.reading() as connection:
            chunks = chunk_rows.load_chunks(connection, some)
        _intend(index, chunks.values())


def _intend(index: Index, chunks: Iterable[Held]) -> None:
    by_source: dict[str, dict[str, str]] = {}
    for held in chunks:
        placed = held.placement
        by_source.setdefault(held.provenance.source, {})[placed.chunk_id] = placed.generation
    with index.catalog.writing() as connection:
        for source, generation_of in by_source.items():
            chunk_rows.add_intents(connection, source, generation_of)


def _mend(
    index: Index, target: Target, chunks: Sequence[Held], lost: list[str], now: datetime
) -> int:
    by_document: dict[str, list[Held]] = {}
    for held in chunks:
        by_document.setdefault(held.provenance.document_id, []).append(held)
    mendable: dict[str, str] = {}
    for document_id, some in by_document.items():
        parsed = index.texts.get(some[0].text_key)
        if parsed is None:
            lost.append(some[0].provenance.uri)
            withdraw(index, [document_id], some[0].provenance.source, now)
        else:
            _cache_embeddings(index, target, some, parsed)
            mendable |= {one.placement.chunk_id: target.generation.id for one in some}
    converge(index, mendable)
    return len(mendable)


def _cache_embeddings(
    index: Index, target: Target, chunks: Sequence[Held], parsed: ParsedDocument
) -> None:
    """Make the embeddings of chunks again that the cache lacks."""
    keys = [one.placement.embedding_key for one in chunks]
    with index.catalog.reading() as connection:
        lacking = set(keys) - set(load_embeddings(connection, keys))
    if lacking:
        document_id = chunks[0].provenance.document_id
        with index.catalog.reading() as connection:
            pages = document_rows.unusable_pages(connection, chunks[0].version)
        again = identify(target, document_id, parsed, unusable_pages=pages)
        embed_chunks(
            index.catalog, target, [one for one in again if one.placement.embedding_key in lacking]
        )
