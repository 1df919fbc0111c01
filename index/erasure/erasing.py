"""Erasing a document, so that neither the stores nor their files hold anything of it.

1. One catalog transaction removes every row of the document and of what it holds, excludes it from
   later runs, and notes in intents which vectors are to go. From then on no search finds it.
2. The vectors are deleted.
3. What shows that it is still there is collected: texts and embeddings that nothing refers to.
4. The vector store is written anew, for its files keep what was deleted.
5. These embeddings are removed, and the catalog is written anew, for the same reason.
6. These texts are removed.

Whatever ends the process in between, erasing the same document again goes through all steps again:
what is done already is not there to be done. Which texts and embeddings are to go is told by the
catalog as it is, so also what a killed run or a rejected version has left goes.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import erased
from index.catalog.erased import Held
from index.erasure.evidence import Evidence, gather
from index.erasure.rewriting import Rewritten, Stores, rewrite
from index.identity import document_id
from index.plan import MEMBER
from index.retention import clean_embeddings


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was removed of a document, and what had to stay."""

    documents: tuple[Held, ...]
    """It and what it held."""
    rows: Counter[str]
    """Removed from the catalog, by table."""
    chunk_ids: Mapping[str, str]
    """Of all its chunks, past ones too, with their generation."""
    hashes: frozenset[str]
    """sha256 of all its versions."""
    same_bytes: tuple[Held, ...]
    """Other documents with the same content."""


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed besides rows, and what can show that it is gone."""

    evidence: Evidence
    sharing: tuple[Held, ...]
    """Other documents with some of the same words."""
    n_vectors: int
    """Deleted from the vector store."""
    rewritten: Rewritten | None
    """None where the vector store is a server's."""


def forget(stores: Stores, source: str, uri: str, who: str, now: datetime) -> Forgotten:
    """Remove a document from the catalog, with what it holds, and exclude it from now on.

    Nothing may be publishing meanwhile. No document with this uri is no error: it may have been
    removed by a call that was killed.

    Args:
        stores: All of them.
        source: The document's.
        uri: The document's.
        who: Does it.
        now: For the records.

    Raises:
        StoreUnavailable: The catalog failed; nothing was removed.
    """
    kept_up = {generation.id for generation in stores.generations}
    with stores.catalog.writing() as connection:
        documents = erased.document_and_members(connection, source, uri)
        ids = [one.document_id for one in documents]
        chunks = erased.chunks_ever(connection, ids)
        hashes = erased.hashes_of(connection, ids)
        same_bytes = erased.with_same_bytes(connection, hashes, ids)
        doubtful = {k: generation for k, generation in chunks.items() if generation in kept_up}
        chunk_rows.add_intents(connection, source, doubtful)
        rows = erased.remove_rows(connection, ids)
        erased.exclude(connection, document_id(source, uri), source, uri, who, now)
        # So that the next run opens them, and notes that it skips what they hold.
        document_rows.forget_result(connection, _containers(source, uri))
    return Forgotten(tuple(documents), rows, chunks, frozenset(hashes), tuple(same_bytes))


def _containers(source: str, uri: str) -> list[str]:
    """The ids of the documents that a member lies in."""
    parts = uri.split(MEMBER)
    return [document_id(source, MEMBER.join(parts[:n])) for n in range(1, len(parts))]


def clear(stores: Stores, report: Callable[[int], None] = lambda n: None) -> Cleared:
    """Remove from all stores what the catalog does not refer to, down to their files.

    Nothing may be publishing meanwhile.

    Args:
        stores: All of them.
        report: Told how many chunks of other documents were written anew, from time to time.

    Raises:
        StoreUnavailable: A store failed. What was done stays done; the rest is for another call.
    """
    n_vectors = _delete_vectors(stores)
    evidence = gather(stores.catalog, stores.texts)
    with stores.catalog.reading() as connection:
        sharing = erased.with_texts(connection, evidence.shared_with)
    rewritten = rewrite(stores, report)
    clean_embeddings(stores.catalog)
    stores.catalog.compact()
    for key in evidence.text_keys:
        stores.texts.remove(key)
    stores.texts.remove_unfinished()
    return Cleared(evidence, tuple(sharing), n_vectors, rewritten)


def _delete_vectors(stores: Stores) -> int:
    """Delete the vectors that an intent names and no document has; how many were still there."""
    with stores.catalog.reading() as connection:
        noted = chunk_rows.open_intents(connection)
        known = chunk_rows.known_ids(connection, list(noted))
    n_deleted = 0
    for generation in stores.generations:
        gone = [k for k, of in noted.items() if of == generation.id and k not in known]
        n_deleted += len(gone) - len(stores.vectors.missing(generation.collection, gone))
        stores.vectors.delete(generation.collection, gone)
        with stores.catalog.writing() as connection:
            chunk_rows.clear_intents(connection, gone)
    return n_deleted


def remaining(stores: Stores, forgotten: Forgotten, cleared: Cleared) -> int:
    """How many rows, vectors and texts are still there of what was removed.

    Raises:
        StoreUnavailable: A store cannot be read.
    """
    documents = [one.document_id for one in forgotten.documents]
    chunk_ids = list(forgotten.chunk_ids)
    with stores.catalog.reading() as connection:
        n_left = erased.count_rows(connection, documents)
        n_left += len(chunk_rows.known_ids(connection, chunk_ids))
    n_left += len(set(cleared.evidence.text_keys).intersection(stores.texts.stored()))
    for generation in stores.generations:
        missing = stores.vectors.missing(generation.collection, chunk_ids)
        n_left += len(chunk_ids) - len(missing)
    return n_left
