"""What a search finds, and how fresh that is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from flows.dashboard.stores import Stores
from index.search import Result


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found."""

    rank: int
    """1-based."""
    score: float
    """Cosine similarity to the question, -1 to 1."""
    chunk_id: str
    document_id: str
    source: str
    uri: str
    title: str
    page_first: int | None
    page_last: int | None
    heading_path: Sequence[str]
    text: str
    source_modified_at: datetime | None
    indexed_at: datetime
    stale_since: datetime | None
    """When the document changed so that it could not be read; None if this is what it says."""


@dataclass(frozen=True, slots=True)
class Found:
    """What came of a search."""

    words: str
    seconds: float
    hits: Sequence[Hit]


def find(stores: Stores, words: str, k: int, source: str | None) -> Found:
    """The chunks nearest in meaning to a question, the nearest first.

    Raises:
        StoreUnavailable: A store cannot be read.
        ModelUnusable: The model is not there.
        UserError: Nothing has been ingested, or the model is not what it was.
    """
    started = time.perf_counter()
    results = stores.search(words, k, source)
    return Found(words, time.perf_counter() - started, [_hit(one) for one in results])


def _hit(result: Result) -> Hit:
    placed, origin = result.placement, result.provenance
    return Hit(
        rank=result.rank,
        score=round(result.score, 4),
        chunk_id=placed.chunk_id,
        document_id=origin.document_id,
        source=origin.source,
        uri=origin.uri,
        title=origin.title,
        page_first=placed.page_first,
        page_last=placed.page_last,
        heading_path=placed.heading_path,
        text=result.text,
        source_modified_at=origin.source_modified_at,
        indexed_at=origin.indexed_at,
        stale_since=result.stale_since,
    )
