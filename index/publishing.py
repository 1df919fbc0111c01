"""Making documents searchable, and no longer searchable, so that being killed loses nothing.

The catalog is what is meant to be; the vector store is made to follow it:

1. `intent` rows name every chunk whose vector is about to change;
2. new chunks are written to the vector store and read back;
3. one catalog transaction makes the new version current;
4. chunks that stay get their new metadata, chunks that are gone are deleted;
5. the intents are cleared.

Until 3 the old version is found, after it the new one. Whatever ends the process in between, the
intents that are left say which chunks to look at, and `converge` makes them what the catalog says.
All generations are written alike.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from index.catalog.runs import DocumentOutcome, record_outcomes
from index.catalog.staleness import shown_contents
from index.converging import Vectors, converge, write_new
from index.identity import version_id
from index.lag import changed_at
from index.plan import Known, Outcome
from index.records import Provenance, chunk_metadata
from index.stores import Index
from index.targets import IdentifiedChunk, Target
from index.vectors import Record


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
    """In all generations."""

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
    """What publishing does to the chunks of some documents; by chunk id, their generations."""

    added: dict[str, str] = field(default_factory=dict)
    kept: dict[str, str] = field(default_factory=dict)
    gone: dict[str, str] = field(default_factory=dict)
    revectored: set[str] = field(default_factory=set)
    """Of those kept, the ones whose title or headings, and so their embedding, changed."""
    doubtful: dict[str, str] = field(default_factory=dict)
    """Of all, the ones that an attempt before this one was about to change, and did not finish."""


def embed(
    index: Index,
    documents: Sequence[Prepared],
    report: Callable[[int], None] = lambda n: None,
) -> tuple[Vectors, Written]:
    """The embeddings of all chunks, by embedding key; those that the cache lacks are made.

    Args:
        index: With the cache and the models.
        documents: Whose chunks.
        report: Told how many more chunks have their embedding, from time to time.
    """
    vectors: dict[str, NDArray[np.float32]] = {}
    cost = Written()
    for target in index.targets:
        generation = target.generation.id
        mine = [one for one in _chunks(documents) if one.placement.generation == generation]
        made, cost_of_target = embed_chunks(index.catalog, target, mine, report)
        vectors |= made
        cost += cost_of_target
    return vectors, cost


def embed_chunks(
    catalog: Catalog,
    target: Target,
    chunks: Sequence[IdentifiedChunk],
    report: Callable[[int], None] = lambda n: None,
) -> tuple[Vectors, Written]:
    """As `embed`, for chunks of one generation."""
    wanted = {one.placement.embedding_key: one.chunk for one in chunks}
    with catalog.reading() as connection:
        cached = load_embeddings(connection, list(wanted))
    missing = [key for key in wanted if key not in cached]
    report(len(chunks) - len(missing))
    made = target.embedder.embed([wanted[key].embedding_text for key in missing], report)
    fresh = dict(zip(missing, made, strict=True))
    if fresh:
        with catalog.writing() as connection:
            save_embeddings(connection, fresh)
            # Who made one of them meanwhile, along with other texts, has other last digits.
            fresh = load_embeddings(connection, missing)
    n_tokens = sum(one.chunk.n_tokens for one in chunks)
    n_fresh = sum(wanted[key].n_tokens for key in missing)
    cost = Written(len(missing), len(chunks) - len(missing), n_fresh, n_tokens - n_fresh)
    return {**cached, **fresh}, cost


def publish(
    index: Index, documents: Sequence[Prepared], vectors: Vectors, now: datetime
) -> Written:
    """Make documents of one source searchable in place of their old versions.

    Args:
        index: Where.
        documents: Whose provenance carries `now` as the time of indexing.
        vectors: By embedding key; all that the documents' chunks need.
        now: For the records.

    Raises:
        StoreUnavailable: A store failed. What was done is finished or undone by `recover`.
    """
    if not documents:
        return Written()
    change = _changes(index, documents)
    with index.catalog.writing() as connection:
        touched = {**change.added, **change.kept, **change.gone}
        change.doubtful = chunk_rows.known_intents(connection, list(touched))
        chunk_rows.add_intents(connection, documents[0].seen.source, touched)
    for target in index.targets:
        write_new(
            index,
            target.generation.id,
            _new_records(target.generation.id, documents, vectors, change),
        )
    _flip(index, documents, change, now)
    touched = {**change.kept, **change.gone, **change.doubtful}
    converge(index, touched, revector=change.revectored | change.doubtful.keys())
    return Written(
        written=len(change.added) + len(change.revectored),
        updated=len(change.kept) - len(change.revectored),
        deleted=len(change.gone),
    )


def retire(
    index: Index,
    documents: Sequence[Known],
    outcome: Outcome,
    run_id: str,
    now: datetime,
    *,
    source: str,
) -> Written:
    """Make documents unsearchable: those gone from their source, or excluded from now on.

    Args:
        index: Where.
        documents: Which.
        outcome: `REMOVED` or `SKIPPED`.
        run_id: Who does it.
        now: For the records.
        source: Whose documents they are.

    Raises:
        StoreUnavailable: As in `publish`.
    """
    if not documents:
        return Written()
    ids = [document.document_id for document in documents]
    with index.catalog.writing() as connection:
        gone = chunk_rows.retire_chunks(connection, ids)
        chunk_rows.add_intents(connection, source, gone)
        document_rows.retire_versions(connection, ids, now)
        quarantine.resolve(connection, ids, outcome, now)
        if outcome is Outcome.REMOVED:
            document_rows.mark_removed(connection, ids, now)
            removed = [DocumentOutcome(d.document_id, d.uri, outcome) for d in documents]
            record_outcomes(connection, run_id, removed)
        else:
            document_rows.mark_skipped(connection, ids)
    converge(index, gone)
    return Written(deleted=len(gone))


def withdraw(index: Index, document_ids: Sequence[str], source: str, now: datetime) -> None:
    """Make documents unsearchable that cannot be kept true, until the next run reads them again.

    Raises:
        StoreUnavailable: As in `publish`.
    """
    with index.catalog.writing() as connection:
        gone = chunk_rows.retire_chunks(connection, document_ids)
        chunk_rows.add_intents(connection, source, gone)
        document_rows.retire_versions(connection, document_ids, now)
        document_rows.forget_result(connection, document_ids)
    converge(index, gone)


def _new_records(
    generation: str, documents: Iterable[Prepared], vectors: Vectors, change: _Change
) -> list[Record]:
    return [
        Record(
            one.placement.chunk_id,
            vectors[one.placement.embedding_key],
            one.chunk.text,
            chunk_metadata(document.provenance, one.placement),
        )
        for document in documents
        for one in document.chunks
        if change.added.get(one.placement.chunk_id) == generation
    ]


def _changes(index: Index, documents: Sequence[Prepared]) -> _Change:
    change = _Change()
    with index.catalog.reading() as connection:
        held = chunk_rows.chunks_held(connection, [one.seen.document_id for one in documents])
    for document in documents:
        old = held.get(document.seen.document_id, {})
        new = {one.placement.chunk_id: one.placement for one in document.chunks}
        for chunk_id, placement in new.items():
            if chunk_id not in old:
                change.added[chunk_id] = placement.generation
                continue
            change.kept[chunk_id] = placement.generation
            if old[chunk_id][1] != placement.embedding_key:
                change.revectored.add(chunk_id)
        change.gone |= {k: generation for k, (generation, _) in old.items() if k not in new}
    return change


def _flip(index: Index, documents: Sequence[Prepared], change: _Change, now: datetime) -> None:
    """The one transaction in which the new versions become current."""
    ids = [document.seen.document_id for document in documents]
    with index.catalog.writing() as connection:
        shown = shown_contents(connection, ids)
        chunk_rows.retire_chunks(connection, ids)
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
            chunk_rows.add_chunks(connection, provenance.document_id, version, placements)
        quarantine.resolve(connection, ids, "indexed", now)
        outcomes = [
            _outcome(one, now, changed=shown.get(one.seen.document_id) != one.seen.sha256)
            for one in documents
        ]
        record_outcomes(connection, documents[0].provenance.run_id, outcomes)
        chunk_rows.clear_intents(connection, change.added.keys() - change.doubtful.keys())


def _outcome(document: Prepared, now: datetime, *, changed: bool) -> DocumentOutcome:
    """A lag has only what changed: not what was searchable and is made anew from the same bytes."""
    seen = document.seen
    problem = document.problems[0] if document.problems else {}
    change = changed_at(seen.source_modified_at, seen.seen_at or now, now)
    return DocumentOutcome(
        seen.document_id,
        seen.uri,
        document.outcome,
        code=problem.get("code"),
        detail=_said(document.problems) or None,
        lag_seconds=(now - change).total_seconds() if changed else None,
        changed_at=change if changed else None,
    )


def _said(problems: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(
        f"page {problem['number']}: {problem['code']}" if problem["number"] else problem["detail"]
        for problem in problems
    )


def _chunks(documents: Iterable[Prepared]) -> Iterable[IdentifiedChunk]:
    return (one for document in documents for one in document.chunks)
