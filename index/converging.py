"""Making the vector store hold what the catalog says, chunk by chunk."""

from collections.abc import Collection, Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from index.batching import batches
from index.catalog import chunks as chunk_rows
from index.catalog.chunks import Held
from index.catalog.embeddings import load_embeddings
from index.catalog.generations import Generation
from index.errors import StoreDamaged, StoreUnavailable, TextLost
from index.records import chunk_metadata
from index.stores import Index
from index.texts import TextStore
from index.vectors import Record, Stored

Vectors = Mapping[str, NDArray[np.float32]]


def recover(index: Index, source: str | None = None) -> int:
    """Finish or undo what was begun: by a killed run, or by an attempt that failed.

    Nothing may be publishing the same documents meanwhile. A collection that turns out to be
    damaged is made anew, unless it is only about one source.

    Args:
        index: Where.
        source: Only what concerns its documents.

    Returns:
        How many chunks it had been about to change.

    Raises:
        StoreUnavailable: As in `publish`.
    """
    try:
        return _finish(index, source)
    except StoreDamaged:
        if source is not None:
            raise  # Another source's run may be writing to it.
        for target in index.targets:
            if index.vectors.is_damaged(target.generation.collection):
                renew(index, target.generation)
        return _finish(index, source)


def renew(index: Index, generation: Generation) -> None:
    """Empty a generation's collection, and intend all that is to be in it: `recover` fills it again
    from stored texts and cached embeddings.

    Nothing may be publishing meanwhile.

    Raises:
        StoreUnavailable: A store failed.
    """
    with index.catalog.writing() as connection:
        chunk_rows.intend_generation(connection, generation.id)
    index.vectors.drop(generation.collection)


def _finish(index: Index, source: str | None) -> int:
    with index.catalog.reading() as connection:
        left = chunk_rows.open_intents(connection, source)
    for some in batches(list(left.items())):
        converge(index, dict(some))
    return len(left)


def converge(
    index: Index, chunks: Mapping[str, str], *, revector: Collection[str] | None = None
) -> None:
    """Make the vector store hold of some chunks what the catalog says, and clear their intents.

    Args:
        index: Where.
        chunks: By id, the generation of each.
        revector: Those whose vector may be wrong; all of them if None.

    Raises:
        StoreUnavailable: A store failed, or lacks what a chunk must be made from.
    """
    by_generation: dict[str, list[str]] = {}
    for chunk_id, generation in chunks.items():
        by_generation.setdefault(generation, []).append(chunk_id)
    for generation, chunk_ids in by_generation.items():
        _converge(index, index.collection(generation), chunk_ids, revector)


def _converge(
    index: Index, collection: str, chunk_ids: list[str], revector: Collection[str] | None
) -> None:
    with index.catalog.reading() as connection:
        live = chunk_rows.load_chunks(connection, chunk_ids)
        doubtful = [k for k in live if revector is None or k in revector]
        keys = {k: live[k].placement.embedding_key for k in doubtful}
        vectors = load_embeddings(connection, list(keys.values()))
    meant = as_stored(index.texts, live.values())
    new = [Record(k, vectors[keys[k]], meant[k].text, meant[k].metadata) for k in doubtful]
    index.vectors.upsert(collection, new)
    index.vectors.refresh(collection, {k: meant[k] for k in meant if k not in keys})
    index.vectors.delete(collection, [k for k in chunk_ids if k not in live])
    with index.catalog.writing() as connection:
        chunk_rows.clear_intents(connection, chunk_ids)


def write_new(index: Index, generation: str, new: list[Record]) -> None:
    """Insert chunks into a generation, and read back that they are there.

    Raises:
        StoreUnavailable: They may not all be.
    """
    collection = index.collection(generation)
    index.vectors.upsert(collection, new)
    if lost := index.vectors.missing(collection, [record.chunk_id for record in new]):
        raise StoreUnavailable(f"vectors: {len(lost)} chunks are not there after they were written")


def as_stored(texts: TextStore, chunks: Iterable[Held]) -> dict[str, Stored]:
    """By id, chunks as the vector store is to have them, from the stored texts.

    Raises:
        TextLost: A text is missing or damaged.
    """
    text_of: dict[str, str] = {}
    made = {}
    for held in chunks:
        if held.text_key not in text_of:
            document = texts.get(held.text_key)
            if document is None:
                raise TextLost(held.text_key)
            text_of[held.text_key] = document.text
        placement = held.placement
        words = text_of[held.text_key][placement.char_start : placement.char_end]
        made[placement.chunk_id] = Stored(words, chunk_metadata(held.provenance, placement))
    return made
