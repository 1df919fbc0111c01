"""Comparing the vector store with the catalog, chunk by chunk, and mending what differs.

Both are read in pages, so that a million chunks need little more memory than a thousand. What is
wrong is mended from stored texts and cached embeddings; nothing is parsed. Only to mend, and to
search for chunks, is Chroma itself opened, where it is not a server's.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from index.batching import batches
from index.catalog import chunks as chunk_rows
from index.catalog.chunks import Held
from index.catalog.embeddings import load_embeddings
from index.catalog.generations import COLLECTION_PREFIX
from index.contents import Contents, ReadBy, contents_of
from index.converging import renew
from index.mending import intend, mend
from index.records import chunk_metadata
from index.stores import Index
from index.targets import Target
from index.texts import TextStore
from index.vectors import Stored

_PAGE: Final = 1_000
_EXAMPLES: Final = 20
_PROBES: Final = 100
_ROOM: Final = 80 * 1024 * 1024
"""Bytes that a collection's search index may take for chunks to be searched for unasked."""
_LINKS: Final = 512
"""Bytes that a chunk takes in the search index besides its vector."""
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
    read_by: ReadBy = ReadBy.CLIENT
    """What the collection was read by."""
    n_probed: int = 0
    """Chunks that were searched for."""
    why_not_probed: str | None = None
    """Why none were, though nobody asked for none."""
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
            "read_by": self.read_by.value,
            "probed": self.n_probed,
            "why_not_probed": self.why_not_probed,
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


@dataclass(slots=True)
class _Found:
    """Ids of chunks, for what is to be done once Chroma may be opened."""

    faulty: list[str] = field(default_factory=list)
    orphans: list[str] = field(default_factory=list)
    to_probe: list[str] = field(default_factory=list)


def reconcile(
    index: Index,
    target: Target,
    now: datetime,
    *,
    repair: bool = False,
    n_probes: int | None = 0,
) -> Reconciliation:
    """Compare a generation's collection with the catalog.

    Nothing may be publishing meanwhile.

    Args:
        index: Of which the generation is one.
        target: The generation.
        now: For the records.
        repair: Mend what differs.
        n_probes: How many chunks to search for; ids are hashes, so the first are as good as any.
            For this the vector store reads all vectors into memory; if None, some are searched for
            where that takes little. To repair, it is seen to that a search is possible at all,
            unless this is 0.

    Raises:
        StoreUnavailable: A store failed; what was mended so far stays.
    """
    report = Reconciliation(target.generation.id)
    collection = target.generation.collection
    may_open = repair and n_probes != 0
    if may_open and index.vectors.is_damaged(collection):
        renew(index, target.generation)
    if _check_dimension(index, target, report) and repair:
        renew(index, target.generation)
    found = _Found()
    with contents_of(index.vectors, collection) as (contents, report.read_by):
        _compare_all(
            index, target, contents, report, found, _PROBES if n_probes is None else n_probes
        )
        if n_probes is None and (why := _why_not_to_probe(contents, report)):
            report.why_not_probed = why
            found.to_probe.clear()
    hidden = _probe(index, target, found.to_probe, report)
    if repair:
        bad = [*found.faulty, *hidden]
        intend(index, bad)
        index.vectors.delete(collection, hidden)
        n_mended, report.lost = mend(index, target, bad, now)
        index.vectors.delete(collection, found.orphans)
        report.n_repaired = n_mended + len(found.orphans)
    return report


def stray_collections(index: Index) -> list[str]:
    """Collections of ours that belong to no generation: left by one that was being dropped."""
    known = {target.generation.collection for target in index.targets}
    with contents_of(index.vectors, index.generation.collection) as (contents, _):
        return [
            name
            for name in contents.collections()
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


def _check_dimension(index: Index, target: Target, report: Reconciliation) -> bool:
    """Whether vectors are of another model than the generation's: then none can be mended."""
    with index.catalog.reading() as connection:
        first = chunk_rows.page_of_chunks(connection, target.generation.id, chunk_rows.FIRST, 1)
        cached = load_embeddings(connection, [one.placement.embedding_key for one in first])
    with contents_of(index.vectors, target.generation.collection) as (contents, _):
        if contents.dimension in (None, *(len(vector) for vector in cached.values())):
            return False
        for page in contents.pages() if cached else ():
            report.note(Fault.WRONG_DIMENSION, page)
    return bool(cached)


def _compare_all(
    index: Index,
    target: Target,
    contents: Contents,
    report: Reconciliation,
    found: _Found,
    n_to_probe: int,
) -> None:
    for page in _pages(index, target):
        report.n_chunks += len(page)
        faulty = _compare(index.texts, contents, page, report)
        found.faulty += faulty
        ids = [one.placement.chunk_id for one in page]
        sound = [chunk_id for chunk_id in ids if chunk_id not in faulty]
        found.to_probe += sound[: n_to_probe - len(found.to_probe)]
    for stored in contents.pages():
        with index.catalog.reading() as connection:
            known = chunk_rows.known_ids(connection, stored)
        orphans = [chunk_id for chunk_id in stored if chunk_id not in known]
        report.note(Fault.ORPHANED, orphans)
        found.orphans += orphans


def _why_not_to_probe(contents: Contents, report: Reconciliation) -> str | None:
    if report.read_by is ReadBy.CLIENT:
        return None  # All vectors are in memory already, or they are in a server's.
    n_bytes = report.n_chunks * ((contents.dimension or 0) * 4 + _LINKS)
    if n_bytes <= _ROOM:
        return None
    return f"it takes {n_bytes // 2**20:,} MiB: --probes {_PROBES} to do it all the same"


def _compare(
    texts: TextStore, contents: Contents, page: Sequence[Held], report: Reconciliation
) -> set[str]:
    """The ids of chunks on a page that are not in the vector store as they are to be."""
    there = contents.load([one.placement.chunk_id for one in page])
    faults: dict[Fault, list[str]] = {}
    for held, words in _with_words(texts, page):
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
    index: Index, target: Target, chunk_ids: Sequence[str], report: Reconciliation
) -> list[str]:
    """The ids of chunks that a search for their own vector does not find."""
    hidden: list[str] = []
    for some in batches(chunk_ids):
        with index.catalog.reading() as connection:
            chunks = chunk_rows.load_chunks(connection, some)
            keys = {k: held.placement.embedding_key for k, held in chunks.items()}
            vectors = load_embeddings(connection, list(keys.values()))
        for chunk_id, key in keys.items():
            if key in vectors:
                report.n_probed += 1
                best = index.vectors.search(target.generation.collection, vectors[key], 1)
                # Another chunk may have the same vector: that something so near is found is enough.
                if not best or best[0].score < _FOUND_AGAIN:
                    hidden.append(chunk_id)
    report.note(Fault.UNFINDABLE, hidden)
    return hidden
