"""Searching what the catalog knows: now, or at a moment in the past.

The vector store only has what is searchable now. The catalog keeps what was, as long as the
retention setting says, and the embedding cache keeps its vectors; so the answer that a search gave
then can be given again. The scores are exact, where the vector store's search is approximate.
"""

import heapq
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.catalog.chunks import history_of, vectors_as_of
from index.catalog.database import Catalog
from index.search import Result, as_results
from index.texts import TextStore

_PAGE: Final = 5_000
"""Chunks whose vectors are in memory at a time."""


def search_as_of(
    catalog: Catalog,
    texts: TextStore,
    vector: NDArray[np.float32],
    k: int,
    moment: datetime,
    *,
    generation: str,
    source: str | None = None,
) -> list[Result]:
    """The chunks nearest to a vector among those that were searchable at a moment.

    Args:
        catalog: That knows.
        texts: That has their words.
        vector: Of the question, by the generation's model; unit length, shape (dimension,).
        k: How many at most.
        moment: When.
        generation: The one that was searched then, see `reigning_at`.
        source: Only chunks of this source.

    Raises:
        StoreUnavailable: The catalog cannot be read.
    """
    best: list[tuple[float, str, int]] = []
    with catalog.reading() as connection:
        for page in vectors_as_of(connection, generation, moment, _PAGE, source=source):
            best = heapq.nlargest(k, [*best, *_scored(page, vector)])
        found = [
            (score, held)
            for score, chunk_id, version in best
            for held in history_of(connection, chunk_id)
            if held.version == version
        ]
    return as_results(texts, found)


def _scored(
    page: Sequence[tuple[str, int, bytes]], vector: NDArray[np.float32]
) -> list[tuple[float, str, int]]:
    matrix = np.frombuffer(b"".join(row[2] for row in page), dtype="<f4")
    scores = matrix.reshape(len(page), -1) @ vector
    return [
        (float(score), chunk_id, version)
        for score, (chunk_id, version, _) in zip(scores, page, strict=True)
    ]
