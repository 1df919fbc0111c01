"""Finding chunks by what they say."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from index.catalog.chunks import load_chunks
from index.publishing import Index
from index.records import Placement, Provenance, iso
from index.vectors import Hit

_SPARE: Final = 10
"""Asked for besides, for chunks that the catalog has retired and Chroma not yet."""
_FROM_ALL: Final = 4
"""Times as many are asked for from all sources, before Chroma is made to find those of one: it
lists every chunk of the source for that, 1.5 s where there are 200,000."""


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
        StoreUnavailable: A store cannot be read.
    """
    vector = index.embedder.embed_question(words)
    collection = index.generation.collection
    n_asked = k + _SPARE
    if source is None:
        return _resolved(index, index.vectors.search(collection, vector, n_asked), k)
    nearest = index.vectors.search(collection, vector, _FROM_ALL * n_asked)
    found = _resolved(index, nearest, k, source=source)
    if len(found) == k or len(nearest) < _FROM_ALL * n_asked:
        return found
    hits = index.vectors.search(collection, vector, n_asked, source=source)
    return _resolved(index, hits, k, source=source)


def _resolved(
    index: Index, hits: Sequence[Hit], k: int, *, source: str | None = None
) -> list[Result]:
    with index.catalog.reading() as connection:
        live = load_chunks(connection, [hit.chunk_id for hit in hits])
    if source is not None:
        live = {chunk_id: one for chunk_id, one in live.items() if one[0].source == source}
    results: list[Result] = []
    for hit in hits:
        if len(results) == k:
            break
        if hit.chunk_id not in live:
            continue
        provenance, placement, text_key = live[hit.chunk_id]
        document = index.texts.get(text_key)
        words = document.text[placement.char_start : placement.char_end] if document else ""
        results.append(Result(len(results) + 1, hit.score, placement, provenance, words))
    return results
