"""The embedding cache, so that no text is embedded twice by the same model."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Connection

from index.batching import batches
from index.catalog import tables
from index.catalog.upsert import insert_new


def load_embeddings(connection: Connection, keys: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """By key, the embeddings that are cached; each of shape (dimension,)."""
    cached = tables.embedding.c
    loaded = {}
    for some in batches(keys):
        query = sa.select(cached.key, cached.vector).where(cached.key.in_(some))
        for key, vector in connection.execute(query):
            loaded[key] = np.frombuffer(vector, dtype="<f4")
    return loaded


def save_embeddings(connection: Connection, vectors: Mapping[str, NDArray[np.float32]]) -> None:
    rows = [
        {"key": key, "vector": vector.astype("<f4").tobytes()} for key, vector in vectors.items()
    ]
    insert_new(connection, tables.embedding, rows)


def pages_of_vectors(connection: Connection, size: int) -> Iterator[list[tuple[str, bytes]]]:
    """Key and vector of all embeddings that are cached, in pages."""
    cached, after = tables.embedding.c, ""
    while True:
        query = sa.select(cached.key, cached.vector).where(cached.key > after)
        rows = connection.execute(query.order_by(cached.key).limit(size))
        page = [(key, vector) for key, vector in rows]
        if not page:
            return
        yield page
        after = page[-1][0]
