"""The embedding cache, so that no text is embedded twice by the same model."""

from collections.abc import Mapping, Sequence

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
