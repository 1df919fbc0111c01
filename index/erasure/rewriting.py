"""Writing the vector store anew from the catalog: nothing is parsed, and no model is needed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from index.catalog import chunks as chunk_rows
from index.catalog.chunks import Held
from index.catalog.database import Catalog
from index.catalog.embeddings import load_embeddings
from index.catalog.generations import Generation
from index.converging import as_stored
from index.errors import StoreUnavailable, TextLost
from index.texts import TextStore
from index.vectors import Record, Stored, VectorStore

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Stores:
    """All that documents are kept in, for work that takes no model."""

    catalog: Catalog
    texts: TextStore
    vectors: VectorStore
    generations: tuple[Generation, ...]
    """All that are kept up to date."""


@dataclass(slots=True)
class Rewritten:
    """What writing the vector store anew came to."""

    n_chunks: int = 0
    n_lost: int = 0
    """Chunks that neither the catalog nor the vector store had whole: `reconcile` names them."""


def rewrite(stores: Stores, report: Callable[[int], None] = lambda n: None) -> Rewritten | None:
    """Put a new vector store in the place of the one that is there.

    Nothing may be publishing meanwhile. What is killed is begun again by the next call.

    Args:
        stores: Which.
        report: Told how many chunks were written, from time to time.

    Returns:
        None if the vector store is a server's, whose files are its own.

    Raises:
        StoreUnavailable: A store failed; the vector store is what it was.
    """
    done = Rewritten()
    with stores.vectors.renewed() as fresh:
        if fresh is None:
            return None
        for generation in stores.generations:
            for page in _pages(stores.catalog, generation):
                records = _records(stores, generation, page)
                _write(fresh, generation.collection, records)
                done.n_chunks += len(records)
                done.n_lost += len(page) - len(records)
                report(done.n_chunks)
    return done


def _pages(catalog: Catalog, generation: Generation) -> Iterator[list[Held]]:
    after = chunk_rows.FIRST
    with catalog.reading() as connection:
        while page := chunk_rows.page_of_chunks(connection, generation.id, after, _PAGE):
            yield page
            after = (page[-1].provenance.document_id, page[-1].placement.ordinal)


def _write(fresh: VectorStore, collection: str, records: Sequence[Record]) -> None:
    fresh.upsert(collection, records)
    if lost := fresh.missing(collection, [record.chunk_id for record in records]):
        raise StoreUnavailable(f"vectors: {len(lost)} chunks are not there after they were written")


def _records(stores: Stores, generation: Generation, page: Sequence[Held]) -> list[Record]:
    """Chunks from stored texts and cached embeddings; as the vector store has them where one is
    missing.
    """
    key_of = {one.placement.chunk_id: one.placement.embedding_key for one in page}
    with stores.catalog.reading() as connection:
        cached = load_embeddings(connection, list(key_of.values()))
    vectors = {k: cached[key] for k, key in key_of.items() if key in cached}
    meant = _meant(stores.texts, page)
    if no_text := [k for k in key_of if k not in meant]:
        meant |= stores.vectors.load(generation.collection, no_text)
    if no_vector := [k for k in key_of if k not in vectors]:
        vectors |= stores.vectors.load_vectors(generation.collection, no_vector)
    return [
        Record(k, vectors[k], meant[k].text, meant[k].metadata)
        for k in key_of
        if k in vectors and k in meant
    ]


def _meant(texts: TextStore, page: Sequence[Held]) -> dict[str, Stored]:
    by_text: dict[str, list[Held]] = {}
    for held in page:
        by_text.setdefault(held.text_key, []).append(held)
    meant: dict[str, Stored] = {}
    for some in by_text.values():
        try:
            meant |= as_stored(texts, some)
        except TextLost:
            continue
    return meant
