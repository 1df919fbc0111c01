"""Making documents searchable, and no longer searchable, so that being killed loses nothing.

The catalog is what is meant to be; the vector store is made to follow it:

1. `intent` rows name every chunk whose vector is about to change;
2. new chunks are written to the vector store and read back;
3. one catalog transaction makes the new version current;
4. chunks that stay get their new metadata, chunks that are gone are deleted;
5. the intents are cleared.

Until 3 the old version is found, after it the new one. Whatever ends the process in between, the
intents that are left say which chunks to look at, and `converge` makes them what the catalog says.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog.database import Catalog
from index.catalog.documents import Seen
from index.catalog.embeddings import load_embeddings, save_embeddings
from index.catalog.generations import Generation
from index.catalog.runs import DocumentOutcome, record_outcomes
from index.chunking import Chunk
from index.embedding import Embedder
from index.errors import StoreUnavailable
from index.identity import version_id
from index.plan import Known, Outcome
from index.records import Placement, Provenance, chunk_metadata
from index.texts import TextStore
from index.vectors import Record, VectorStore

_Vectors = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class Index:
    """The stores, and the generation that is written to."""

    catalog: Catalog
    texts: TextStore
    vectors: VectorStore
    embedder: Embedder
    generation: Generation


@dataclass(frozen=True, slots=True)
class IdentifiedChunk:
    """A chunk under the id that it has in the index."""

    chunk: Chunk
    placement: Placement


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version of a document, ready to be made searchable."""

    seen: Seen
    provenance: Provenance
    text_key: str
    outcome: Outcome
    """`INDEXED` or `PARTIAL`."""
    problems: tuple[dict[str, Any], ...]
    """What is left out: page number if it is a page, code and detail of each."""
    chunks: tuple[IdentifiedChunk, ...]

    def as_of(self, now: datetime) -> "Prepared":
        """The same, becoming searchable at another time."""
        return replace(self, provenance=replace(self.provenance, indexed_at=now))


@dataclass(frozen=True, slots=True)
class Written:
    """What publishing cost, in chunks and tokens."""

    embedded: int = 0
    reused: int = 0
    """Chunks whose embedding was in the cache."""
    tokens_embedded: int = 0
    tokens_reused: int = 0
    written: int = 0
    """Vectors that were inserted or replaced."""
    updated: int = 0
    """Chunks that kept their vector and got new metadata."""
    deleted: int = 0

    def __add__(self, other: "Written") -> "Written":
        return Written(*(getattr(self, n) + getattr(other, n) for n in Written.__slots__))


@dataclass(slots=True)
class _Change:
    """What publishing does to the chunks of some documents."""

    added: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    revectored: list[str] = field(default_factory=list)
    """Of those kept, the ones that are written anew: their title or headings, and so their
    embedding, changed, or the white space in their text.
    """
    gone: list[str] = field(default_factory=list)


def embed(
    index: Index,
    documents: Sequence[Prepared],
    report: Callable[[int], None] = lambda n: None,
) -> tuple[_Vectors, Written]:
    """The embeddings of all chunks, by embedding key; those that the cache lacks are made.

    Args:
        index: With the cache and the model.
        documents: Whose chunks.
        report: Told how many more chunks have their embedding, from time to time.
    """
    wanted = {one.placement.embedding_key: one.chunk for one in _chunks(documents)}
    with index.catalog.reading() as connection:
        cached = load_embeddings(connection, list(wanted))
    n_all = sum(1 for _ in _chunks(documents))
    missing = [key for key in wanted if key not in cached]
    report(n_all - len(missing))
    made = index.embedder.embed([wanted[key].embedding_text for key in missing], report)
    fresh = dict(zip(missing, made, strict=True))
    if fresh:
        with index.catalog.writing() as connection:
            save_embeddings(connection, fresh)
    n_tokens = sum(one.chunk.n_tokens for one in _chunks(documents))
    n_fresh_tokens = sum(wanted[key].n_tokens for key in missing)
    cost = Written(len(missing), n_all - len(missing), n_fresh_tokens, n_tokens - n_fresh_tokens)
    return {**cached, **fresh}, cost


def publish(
    index: Index, documents: Sequence[Prepared], vectors: _Vectors, now: datetime
) -> Written:
    """Make documents searchable in place of their old versions.

    Args:
        index: Where.
        documents: Whose provenance carries `now` as the time of indexing.
        vectors: By embedding key; all that the documents' chunks need.
        now: For the records.

    Raises:
        StoreUnavailable: A store failed. What was done is finished or undone by `recover`.
    """
    collection, generation = index.generation.collection, index.generation.id
    change = _changes(index, documents)
    change.revectored += _rewrapped(index, documents, change)
    touched = [*change.added, *change.kept, *change.gone]
    run_id = documents[0].provenance.run_id if documents else ""
    with index.catalog.writing() as connection:
        chunk_rows.add_intents(connection, run_id, dict.fromkeys(touched, generation))
    added = set(change.added)
    records = [
        Record(
            one.placement.chunk_id,
            vectors[one.placement.embedding_key],
            one.chunk.text,
            chunk_metadata(document.provenance, one.placement),
        )
        for document in documents
        for one in document.chunks
        if one.placement.chunk_id in added
    ]
    index.vectors.upsert(collection, records)
    if lost := index.vectors.missing(collection, change.added):
        raise StoreUnavailable(f"vectors: {len(lost)} chunks are not there after they were written")
    _flip(index, documents, change, now)
    converge(index, [*change.kept, *change.gone], revector=change.revectored)
    return Written(
        written=len(change.added) + len(change.revectored),
        updated=len(change.kept) - len(change.revectored),
        deleted=len(change.gone),
    )


def retire(
    index: Index, documents: Sequence[Known], outcome: Outcome, run_id: str, now: datetime
) -> Written:
    """Make documents unsearchable: those gone from their source, or excluded from now on.

    Nothing may be publishing meanwhile.

    Args:
        index: Where.
        documents: Which.
        outcome: `REMOVED` or `SKIPPED`.
        run_id: Who does it.
        now: For the records.

    Raises:
        StoreUnavailable: As in `publish`.
    """
    ids = [document.document_id for document in documents]
    with index.catalog.writing() as connection:
        taken = chunk_rows.take_chunks(connection, ids)
        by_id = {chunk_id: generation for generation, chunk_id in taken}
        chunk_rows.add_intents(connection, run_id, by_id)
        document_rows.retire_versions(connection, ids, now)
        quarantine.resolve(connection, ids, outcome, now)
        if outcome is Outcome.REMOVED:
            document_rows.mark_removed(connection, ids, now)
            removed = [DocumentOutcome(d.document_id, d.uri, outcome) for d in documents]
            record_outcomes(connection, run_id, removed)
        else:
            document_rows.mark_skipped(connection, ids)
    recover(index)
    return Written(deleted=len(by_id))


def recover(index: Index) -> int:
    """Finish or undo what was begun: by a killed run, or by an attempt that failed.

    Nothing may be publishing meanwhile.

    Returns:
        How many chunks it had been about to change.

    Raises:
        StoreUnavailable: As in `publish`.
    """
    with index.catalog.reading() as connection:
        left = list(chunk_rows.open_intents(connection))
    converge(index, left)
    return len(left)


def converge(
    index: Index, chunk_ids: Sequence[str], *, revector: Collection[str] | None = None
) -> None:
    """Make the vector store hold of some chunks what the catalog says, and clear their intents.

    Args:
        index: Where.
        chunk_ids: Which.
        revector: Those whose vector may be wrong; all of them if None.
    """
    if not chunk_ids:
        return
    with index.catalog.reading() as connection:
        live = chunk_rows.load_chunks(connection, chunk_ids)
        doubtful = {k: one for k, one in live.items() if revector is None or k in revector}
        keys = [placement.embedding_key for _, placement, _ in doubtful.values()]
        vectors = load_embeddings(connection, keys)
    collection = index.generation.collection
    metadata = {
        k: chunk_metadata(provenance, placed) for k, (provenance, placed, _) in live.items()
    }
    index.vectors.upsert(collection, _records(index.texts, doubtful, vectors))
    index.vectors.set_metadata(collection, metadata)
    index.vectors.delete(collection, [k for k in chunk_ids if k not in live])
    with index.catalog.writing() as connection:
        chunk_rows.clear_intents(connection, chunk_ids)


def _records(
    texts: TextStore,
    live: Mapping[str, tuple[Provenance, Placement, str]],
    vectors: _Vectors,
) -> list[Record]:
    text_of: dict[str, str] = {}
    records = []
    for chunk_id, (provenance, placement, text_key) in live.items():
        if text_key not in text_of:
            document = texts.get(text_key)
            if document is None:
                raise StoreUnavailable(f"texts: {text_key} is missing or damaged")
            text_of[text_key] = document.text
        words = text_of[text_key][placement.char_start : placement.char_end]
        vector = vectors[placement.embedding_key]
        records.append(Record(chunk_id, vector, words, chunk_metadata(provenance, placement)))
    return records


def _changes(index: Index, documents: Iterable[Prepared]) -> _Change:
    change = _Change()
    with index.catalog.reading() as connection:
        for document in documents:
            old = chunk_rows.embedding_keys(
                connection, document.seen.document_id, index.generation.id
            )
            new = {one.placement.chunk_id: one.placement.embedding_key for one in document.chunks}
            change.added += [chunk_id for chunk_id in new if chunk_id not in old]
            change.kept += [chunk_id for chunk_id in new if chunk_id in old]
            change.revectored += [
                chunk_id for chunk_id, key in new.items() if old.get(chunk_id, key) != key
            ]
            change.gone += [chunk_id for chunk_id in old if chunk_id not in new]
    return change


def _rewrapped(index: Index, documents: Iterable[Prepared], change: _Change) -> list[str]:
    """Chunks that keep their id and their embedding, for only white space in them changed."""
    stay = set(change.kept).difference(change.revectored)
    texts = {
        one.placement.chunk_id: one.chunk.text
        for one in _chunks(documents)
        if one.placement.chunk_id in stay
    }
    return index.vectors.reworded(index.generation.collection, texts)


def _flip(index: Index, documents: Sequence[Prepared], change: _Change, now: datetime) -> None:
    """The one transaction in which the new versions become current."""
    ids = [document.seen.document_id for document in documents]
    with index.catalog.writing() as connection:
        for document in documents:
            provenance = document.provenance
            document_rows.save_seen(connection, [document.seen], document.outcome, now)
            version = document_rows.start_version(
                connection,
                provenance,
                version_id=version_id(provenance.document_id, provenance.version),
                text_key=document.text_key,
                problems=list(document.problems),
            )
            placements = [one.placement for one in document.chunks]
            chunk_rows.replace_chunks(
                connection, provenance.document_id, provenance.generation, version, placements
            )
        quarantine.resolve(connection, ids, "indexed", now)
        if documents:
            outcomes = [_outcome(document, now) for document in documents]
            record_outcomes(connection, documents[0].provenance.run_id, outcomes)
        chunk_rows.clear_intents(connection, change.added)


def _outcome(document: Prepared, now: datetime) -> DocumentOutcome:
    modified_at = document.seen.source_modified_at
    problem = document.problems[0] if document.problems else {}
    return DocumentOutcome(
        document.seen.document_id,
        document.seen.uri,
        document.outcome,
        code=problem.get("code"),
        detail=_said(document.problems) or None,
        lag_seconds=max(0.0, (now - modified_at).total_seconds()) if modified_at else None,
    )


def _said(problems: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"page {problem['number']}: {problem['code']}" if problem["number"] else problem["detail"]
        for problem in problems
    )


def _chunks(documents: Iterable[Prepared]) -> Iterable[IdentifiedChunk]:
    return (one for document in documents for one in document.chunks)
