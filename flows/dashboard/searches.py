"""What a search finds, and how fresh that is."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.engine import RowMapping

from flows.dashboard.stores import Stores
from index.catalog.browsing import standing_of
from index.plan import Outcome
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
    served_stale: bool
    """The document has changed since, and its new version could not be read."""


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
    with stores.catalog().reading() as connection:
        standing = standing_of(connection, [one.provenance.document_id for one in results])
    hits = [_hit(one, standing.get(one.provenance.document_id)) for one in results]
    return Found(words, time.perf_counter() - started, hits)


def _hit(result: Result, standing: RowMapping | None) -> Hit:
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
        served_stale=standing is not None and standing["outcome"] == Outcome.QUARANTINED,
    )
