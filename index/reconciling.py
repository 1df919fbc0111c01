"""Comparing the vector store with the catalog, chunk by chunk, and mending what differs.

Both are read in pages, so that a million chunks need no more memory than a thousand. What is wrong
is mended from stored texts and cached embeddings; nothing is parsed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog.chunks import Held
from index.catalog.embeddings import load_embeddings
from index.catalog.generations import COLLECTION_PREFIX
from index.converging import converge
from index.publishing import embed_chunks, withdraw
from index.records import chunk_metadata
from index.stores import Index
from index.targets import Target, identify
from index.texts import TextStore
from index.vectors import Stored
from parsers.document import ParsedDocument

_PAGE: Final = 1_000
_EXAMPLES: Final = 20
_FOUND_AGAIN: Final = 0.999
"""Similarity of a stored vector to itself, rounding apart."""


class Fault(StrEnum):
    """What can be wrong with a chunk."""

    MISSING = "missing"
    """The vector store lacks it."""
    ORPHANED = "orphaned"
    """Only the vector store has it."""
    STALE = "stale"
    """Its text is another one there."""
    WRONG_METADATA = "wrong_metadata"
    WRONG_DIMENSION = "wrong_dimension"
    """Its vector is none of the generation's model."""
    UNFINDABLE = "unfindable"
    """It is there, and a search for its own vector does not find it."""


@dataclass(slots=True)
class Reconciliation:
    """How a generation's collection differs from the catalog."""

    generation: str
    n_chunks: int = 0
    """In the catalog."""
    n_probed: int = 0
    """Chunks that were searched for."""
    faults: Counter[Fault] = field(default_factory=Counter)
    examples: dict[Fault, list[str]] = field(default_factory=dict)
    """Ids of the first chunks with each fault."""
    n_repaired: int = 0
    lost: list[str] = field(default_factory=list)
    """Uris of documents whose stored text is gone: no longer searchable until the next run."""

    @property
    def agrees(self) -> bool:
        return not self.faults

    def as_json(self) -> dict[str, Any]:
        """For `--json`, the catalog and the Prefect artifact."""
        return {
            "generation": self.generation,
            "chunks": self.n_chunks,
            "probed": self.n_probed,
            "agrees": self.agrees,
            "faults": {fault.value: self.faults.get(fault, 0) for fault in Fault},
            "examples": {fault.value: ids for fault, ids in self.examples.items()},
            "repaired": self.n_repaired,
            "lost": self.lost,
        }

    def note(self, fault: Fault, chunk_ids: Sequence[str]) -> None:
        if chunk_ids:
            self.faults[fault] += len(chunk_ids)
            known = self.examples.setdefault(fault, [])
            known.extend(chunk_ids[: _EXAMPLES - len(known)])


def reconcile(
    index: Index, target: Target, now: datetime, *, repair: bool = False, n_probes: int = 0
) -> Reconciliation:
    """Compare a generation's collection with the catalog.

    Nothing may be publishing meanwhile.

    Args:
        index: Of which the generation is one.
        target: The generation.
        now: For the records.
        repair: Mend what differs.
        n_probes: How many chunks to search for; ids are hashes, so the first are as good as any.
            For this, and for nothing else, the vector store reads all vectors into memory.

    Raises:
        StoreUnavailable: A store failed; what was mended so far stays.
    """
    report = Reconciliation(target.generation.id)
    _check_dimension(index, target, report, repair=repair)
    for page in _pages(index, target):
        report.n_chunks += len(page)
        faulty = _compare(index, target, page, report)
        sound = [one for one in page if one.placement.chunk_id not in faulty]
        hidden = _probe(index, target, sound[: n_probes - report.n_probed], report)
        if repair and (faulty or hidden):
            bad = [one for one in page if one.placement.chunk_id in faulty | hidden]
            _intend(index, bad)
            index.vectors.delete(target.generation.collection, list(hidden))
            _repair(index, target, bad, report, now)
    _check_orphans(index, target, report, repair=repair)
    return report


def _intend(index: Index, chunks: Sequence[Held]) -> None:
    """Have the next run finish what is begun here, should this be killed."""
    by_source: dict[str, dict[str, str]] = {}
    for held in chunks:
        placed = held.placement
        by_source.setdefault(held.provenance.source, {})[placed.chunk_id] = placed.generation
    with index.catalog.writing() as connection:
        for source, generation_of in by_source.items():
            chunk_rows.add_intents(connection, source, generation_of)


def stray_collections(index: Index) -> list[str]:
    """Collections of ours that belong to no generation: left by one that was being dropped."""
    known = {target.generation.collection for target in index.targets}
    return [
        name
        for name in index.vectors.collections()
        if name.startswith(COLLECTION_PREFIX) and name not in known
    ]


def _pages(index: Index, target: Target) -> Iterator[list[Held]]:
    after = chunk_rows.FIRST
    while True:
        with index.catalog.reading() as connection:
            page = chunk_rows.page_of_chunks(connection, target.generation.id, after, _PAGE)
        if not page:
            return
        yield page
        last = page[-1]
        after = (last.provenance.document_id, last.placement.ordinal)


def _check_dimension(index: Index, target: Target, report: Reconciliation, *, repair: bool) -> None:
    """Vectors of another model than the generation's are all wrong, and none can be mended."""
    collection = target.generation.collection
    dimension = index.vectors.dimension(collection)
    with index.catalog.reading() as connection:
        first = chunk_rows.page_of_chunks(connection, target.generation.id, chunk_rows.FIRST, 1)
        cached = load_embeddings(connection, [one.placement.embedding_key for one in first])
    if dimension is None or any(len(vector) == dimension for vector in cached.values()):
        return
    if cached:
        report.note(Fault.WRONG_DIMENSION, index.vectors.page(collection, 0))
        if repair:
            with index.catalog.writing() as connection:
                chunk_rows.intend_generation(connection, target.generation.id)
            index.vectors.drop(collection)


def _compare(
    index: Index, target: Target, page: Sequence[Held], report: Reconciliation
) -> set[str]:
    """The ids of chunks on a page that are not in the vector store as they are to be."""
    there = index.vectors.load(
        target.generation.collection, [one.placement.chunk_id for one in page]
    )
    faults: dict[Fault, list[str]] = {}
    for held, words in _with_words(index.texts, page):
        if fault := _fault(held, words, there.get(held.placement.chunk_id)):
            faults.setdefault(fault, []).append(held.placement.chunk_id)
    for fault, chunk_ids in faults.items():
        report.note(fault, chunk_ids)
    return {chunk_id for chunk_ids in faults.values() for chunk_id in chunk_ids}


def _with_words(texts: TextStore, page: Sequence[Held]) -> Iterator[tuple[Held, str | None]]:
    """Chunks with their words; None where their stored text is gone."""
    key, text = "", ""
    for held in page:
        if held.text_key != key:
            document = texts.get(held.text_key)
            key, text = (held.text_key, document.text) if document else ("", "")
        span = text[held.placement.char_start : held.placement.char_end]
        yield held, span if key else None


def _fault(held: Held, words: str | None, stored: Stored | None) -> Fault | None:
    if stored is None:
        return Fault.MISSING
    if words != stored.text:
        return Fault.STALE
    meant = chunk_metadata(held.provenance, held.placement)
    return None if dict(stored.metadata) == meant else Fault.WRONG_METADATA


def _probe(
    index: Index, target: Target, chunks: Sequence[Held], report: Reconciliation
) -> set[str]:
    """The ids of chunks that a search for their own vector does not find."""
    collection = target.generation.collection
    with index.catalog.reading() as connection:
        vectors = load_embeddings(connection, [one.placement.embedding_key for one in chunks])
    lost = []
    for held in chunks:
        vector = vectors.get(held.placement.embedding_key)
        if vector is None:
            continue
        report.n_probed += 1
        best = index.vectors.search(collection, vector, 1)
        # Another chunk may have the same vector: that something so near is found is enough.
        if not best or best[0].score < _FOUND_AGAIN:
            lost.append(held.placement.chunk_id)
    report.note(Fault.UNFINDABLE, lost)
    return set(lost)


def _repair(
    index: Index, target: Target, chunks: Sequence[Held], report: Reconciliation, now: datetime
) -> None:
    by_document: dict[str, list[Held]] = {}
    for held in chunks:
        by_document.setdefault(held.provenance.document_id, []).append(held)
    mendable: dict[str, str] = {}
    for document_id, some in by_document.items():
        parsed = index.texts.get(some[0].text_key)
        if parsed is None:
            report.lost.append(some[0].provenance.uri)
            withdraw(index, [document_id], some[0].provenance.source, now)
        else:
            _cache_embeddings(index, target, some, parsed)
            mendable |= {one.placement.chunk_id: target.generation.id for one in some}
    converge(index, mendable)
    report.n_repaired += len(mendable)


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


def _check_orphans(index: Index, target: Target, report: Reconciliation, *, repair: bool) -> None:
    collection, offset = target.generation.collection, 0
    while page := index.vectors.page(collection, offset):
        with index.catalog.reading() as connection:
            known = chunk_rows.known_ids(connection, page)
        orphans = [chunk_id for chunk_id in page if chunk_id not in known]
        report.note(Fault.ORPHANED, orphans)
        if repair and orphans:
            index.vectors.delete(collection, orphans)
            report.n_repaired += len(orphans)
        offset += len(page) - (len(orphans) if repair else 0)
