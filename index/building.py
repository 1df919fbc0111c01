"""Building a generation from stored texts, beside the one that is searched.

Runs write to every generation, also to one that is being built: what they change is right in it at
once. Building goes through the documents by id and adds those that no run has touched; where it has
come to is recorded, so it can be stopped and killed at any time, and go on later. A document whose
chunks would break the contract is left to the next run, which says what becomes of it.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog.documents import CurrentVersion
from index.catalog.embeddings import load_embeddings
from index.catalog.generations import mark_ready, note_progress
from index.chunking import Chunk
from index.converging import write_new
from index.publishing import embed_chunks
from index.records import Provenance, chunk_metadata
from index.stores import Index
from index.targets import IdentifiedChunk, Target, identify
from index.vectors import Record
from parsers.document import ParsedDocument

_DOCUMENTS: Final = 64
"""Built in one transaction."""
_SAMPLE: Final = 200
"""Documents that an estimate is made from."""
_TIMED: Final = 32
"""Chunks that are embedded to see how long that takes."""


@dataclass(slots=True)
class Built:
    """What a stretch of building did."""

    documents: int = 0
    chunks: int = 0
    embedded: int = 0
    tokens_embedded: int = 0
    unreadable: list[str] = field(default_factory=list)
    """Uris of documents whose stored text is missing or damaged: the next run reads them again."""
    invalid: list[str] = field(default_factory=list)
    """Uris of documents with a chunk that breaks the contract: the next run judges them."""
    complete: bool = False


@dataclass(frozen=True, slots=True)
class Candidate:
    """A document that may be added."""

    version: CurrentVersion
    document: ParsedDocument
    chunks: tuple[IdentifiedChunk, ...]
    """In the generation that is being built."""


Judge = Callable[[Sequence[Candidate]], Sequence[bool]]
"""Tells of some documents whether all their chunks keep the contract."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What building a generation will cost."""

    documents: int
    chunks: int
    tokens: int
    tokens_to_embed: int
    """Of chunks whose embedding is not in the cache."""
    seconds: float
    """At the speed that the model has on this machine now."""


def estimate(index: Index, target: Target) -> Estimate:
    """What is still to be done for a generation, judged by a sample of the documents.

    Raises:
        StoreUnavailable: The catalog cannot be read.
    """
    live = index.generation.id
    with index.catalog.reading() as connection:
        after = target.generation.built_up_to or ""
        n_documents = document_rows.count_searchable(connection, after)
        sample = document_rows.page_of_versions(connection, after, _SAMPLE)
        ids = [version.provenance.document_id for version in sample]
        n_sampled_tokens = chunk_rows.count_tokens(connection, live, ids)
        n_tokens = chunk_rows.count_tokens(connection, live, after=after)
    found = (_candidate(index, target, version) for version in sample)
    chunks = [one for candidate in found if candidate for one in candidate.chunks]
    with index.catalog.reading() as connection:
        keys = [one.placement.embedding_key for one in chunks]
        cached = load_embeddings(connection, list(dict.fromkeys(keys)))
    fresh = [one.chunk for one in chunks if one.placement.embedding_key not in cached]
    share = n_tokens / n_sampled_tokens if n_sampled_tokens else 0.0
    n_fresh = round(share * sum(chunk.n_tokens for chunk in fresh))
    return Estimate(
        documents=n_documents,
        chunks=round(share * len(chunks)),
        tokens=round(share * sum(one.chunk.n_tokens for one in chunks)),
        tokens_to_embed=n_fresh,
        seconds=n_fresh / _speed(target, fresh) if n_fresh else 0.0,
    )


def _speed(target: Target, chunks: Sequence[Chunk]) -> float:
    """Tokens that the model embeds in a second, measured."""
    texts = [chunk.embedding_text for chunk in chunks[:_TIMED]]
    target.embedder.load()
    began = time.perf_counter()
    target.embedder.embed(texts)
    elapsed = time.perf_counter() - began
    return sum(chunk.n_tokens for chunk in chunks[:_TIMED]) / max(elapsed, 1e-6)


def build(
    index: Index,
    target: Target,
    judge: Judge,
    may_go_on: Callable[[Built], bool] = lambda built: True,
) -> Built:
    """Add documents to a generation that is being built, from where it was left.

    Nothing may be publishing meanwhile.

    Args:
        index: Of which the generation is one.
        target: The generation.
        judge: Holds chunks against the contract.
        may_go_on: Asked between batches; no ends this stretch.

    Raises:
        StoreUnavailable: A store failed; what was done so far stays.
    """
    built = Built()
    after = target.generation.built_up_to or ""
    while True:
        with index.catalog.reading() as connection:
            batch = document_rows.page_of_versions(connection, after, _DOCUMENTS)
        if not batch:
            with index.catalog.writing() as connection:
                mark_ready(connection, target.generation.id)
            built.complete = True
            return built
        _build_batch(index, target, judge, batch, built)
        after = batch[-1].provenance.document_id
        if not may_go_on(built):
            return built


def _build_batch(
    index: Index, target: Target, judge: Judge, batch: Sequence[CurrentVersion], built: Built
) -> None:
    generation = target.generation.id
    with index.catalog.reading() as connection:
        held = chunk_rows.chunks_held(connection, [one.provenance.document_id for one in batch])
    candidates: list[Candidate] = []
    left: list[Provenance] = []
    for version in batch:
        there = held.get(version.provenance.document_id, {}).values()
        if any(one_generation == generation for one_generation, _ in there):
            continue
        candidate = _candidate(index, target, version)
        if candidate is None:
            left.append(version.provenance)
            built.unreadable.append(version.provenance.uri)
        else:
            candidates.append(candidate)
    todo: list[Candidate] = []
    for candidate, is_valid in zip(candidates, judge(candidates), strict=True):
        if is_valid:
            todo.append(candidate)
        else:
            left.append(candidate.version.provenance)
            built.invalid.append(candidate.version.provenance.uri)
    chunks = [one for candidate in todo for one in candidate.chunks]
    vectors, cost = embed_chunks(index.catalog, target, chunks)
    with index.catalog.writing() as connection:
        for candidate in todo:
            ids = {one.placement.chunk_id: generation for one in candidate.chunks}
            chunk_rows.add_intents(connection, candidate.version.provenance.source, ids)
    write_new(
        index,
        generation,
        [
            Record(
                one.placement.chunk_id,
                vectors[one.placement.embedding_key],
                one.chunk.text,
                chunk_metadata(candidate.version.provenance, one.placement),
            )
            for candidate in todo
            for one in candidate.chunks
        ],
    )
    with index.catalog.writing() as connection:
        for candidate in todo:
            version, placements = candidate.version, [one.placement for one in candidate.chunks]
            chunk_rows.recall_chunks(connection, version.id, generation)
            chunk_rows.add_chunks(
                connection, version.provenance.document_id, version.id, placements
            )
        chunk_rows.clear_intents(connection, [one.placement.chunk_id for one in chunks])
        document_rows.forget_result(connection, [one.document_id for one in left])
        note_progress(connection, generation, batch[-1].provenance.document_id)
    built.documents += len(batch)
    built.chunks += len(chunks)
    built.embedded += cost.embedded
    built.tokens_embedded += cost.tokens_embedded


def _candidate(index: Index, target: Target, version: CurrentVersion) -> Candidate | None:
    """A version with its chunks; None if its stored text is gone."""
    parsed = index.texts.get(version.text_key)
    if parsed is None:
        return None
    document_id, pages = version.provenance.document_id, version.unusable_pages
    chunks = identify(target, document_id, parsed, unusable_pages=pages)
    return Candidate(version, parsed, chunks)
