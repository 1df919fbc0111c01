"""Finding chunks by what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from index.catalog.chunks import Held, load_chunks
from index.records import Placement, Provenance, iso
from index.stores import Index
from index.texts import TextStore

_SPARE: Final = 10
"""Asked for besides, for chunks that the catalog has retired and Chroma not yet."""


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
    collection = index.generation.collection
    n_asked = k
    while True:
        n_asked += _SPARE
        hits = index.vectors.search(collection, vector, n_asked, source=source)
        with index.catalog.reading() as connection:
            live = load_chunks(connection, [hit.chunk_id for hit in hits])
        found = [(hit.score, live[hit.chunk_id]) for hit in hits if hit.chunk_id in live]
        if len(found) >= k or len(hits) < n_asked:
            return as_results(index.texts, found[:k])
        n_asked *= 4


def as_results(texts: TextStore, found: Sequence[tuple[float, Held]]) -> list[Result]:
    """Chunks with their scores, the best first, as results."""
    results = []
    for rank, (score, held) in enumerate(found, 1):
        document, placed = texts.get(held.text_key), held.placement
        words = document.text[placed.char_start : placed.char_end] if document else ""
        results.append(Result(rank, score, placed, held.provenance, words))
    return results
