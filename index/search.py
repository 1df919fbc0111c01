"""Finding chunks by what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.catalog.chunks import Held, load_chunks
from index.catalog.database import Catalog
from index.catalog.staleness import stale_since
from index.records import Placement, Provenance, iso
from index.stores import Index
from index.texts import TextStore

_SPARE: Final = 10
"""Asked for besides, for chunks that the catalog has retired and Chroma not yet."""
_SHARE: Final = 10
"""A source with more than one chunk in so many is filtered after the search."""
_MOST: Final = 5_000
"""Asked for at once."""

_Scored = tuple[float, Held]


@dataclass(frozen=True, slots=True)
class Result:
    """A chunk that a search found."""

    rank: int
    """1-based."""
    score: float
    """Cosine similarity to the question, -1 to 1."""
    placement: Placement
    provenance: Provenance
    text: str
    stale_since: datetime | None = None
    """Since when the source says something else, or may; None if this is what it says."""

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        placed, origin = self.placement, self.provenance
        return {
            "rank": self.rank,
            "score": round(self.score, 6),
            "chunk_id": placed.chunk_id,
            "source": origin.source,
            "uri": origin.uri,
            "title": origin.title,
            "page_first": placed.page_first,
            "page_last": placed.page_last,
            "heading_path": list(placed.heading_path),
            "char_start": placed.char_start,
            "char_end": placed.char_end,
            "text": self.text,
            "source_modified_at": iso(origin.source_modified_at),
            "indexed_at": iso(origin.indexed_at),
            "stale": self.stale_since is not None,
            "stale_since": iso(self.stale_since),
        }


def search(index: Index, words: str, k: int, *, source: str | None = None) -> list[Result]:
    """The chunks nearest in meaning to a question, the nearest first.

    Only chunks that the catalog holds to be searchable are given, whatever the vector store has.

    Args:
        index: Where.
        words: The question.
        k: How many at most.
        source: Only chunks of this source.

    Raises:
        StoreBusy: Another process has the vector store open.
        StoreUnavailable: A store cannot be read.
    """
    vector = index.embedder.embed_question(words)
    if source is None:
        return as_results(index.texts, _nearest(index, vector, k))
    # To filter by what most chunks have takes Chroma seconds; to filter what it found takes none.
    unfiltered = _searchable(index, vector, k * _SHARE + _SPARE)
    found = [(score, held) for score, held in unfiltered if held.provenance.source == source]
    return as_results(
        index.texts, found[:k] if len(found) >= k else _nearest(index, vector, k, source=source)
    )


def _nearest(
    index: Index, vector: NDArray[np.float32], k: int, *, source: str | None = None
) -> list[_Scored]:
    """The `k` nearest chunks that are searchable, however many are found that no longer are."""
    n_asked = k + _SPARE
    while True:
        found = _searchable(index, vector, n_asked, source=source)
        if len(found) >= k or n_asked >= _MOST:
            return found[:k]
        n_asked = min(n_asked * 4, _MOST)


def _searchable(
    index: Index, vector: NDArray[np.float32], n_asked: int, *, source: str | None = None
) -> list[_Scored]:
    """Of the nearest chunks in the vector store, those that the catalog holds to be searchable."""
    hits = index.vectors.search(index.generation.collection, vector, n_asked, source=source)
    with index.catalog.reading() as connection:
        live = load_chunks(connection, [hit.chunk_id for hit in hits])
    return [(hit.score, live[hit.chunk_id]) for hit in hits if hit.chunk_id in live]


def marked(catalog: Catalog, results: Sequence[Result]) -> list[Result]:
    """The same, those of documents that are served stale marked as such."""
    with catalog.reading() as connection:
        since = stale_since(connection, [one.provenance.document_id for one in results])
    return [replace(one, stale_since=since.get(one.provenance.document_id)) for one in results]


def as_results(texts: TextStore, found: Sequence[_Scored]) -> list[Result]:
    """Chunks with their scores, the best first, as results."""
    results = []
    for rank, (score, held) in enumerate(found, 1):
        document, placed = texts.get(held.text_key), held.placement
        words = document.text[placed.char_start : placed.char_end] if document else ""
        results.append(Result(rank, score, placed, held.provenance, words))
    return results
