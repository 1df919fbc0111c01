"""Stand-ins for what is slow: the embedding model, the parsers, and the vector store."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.building import Candidate
from index.embedding import Embedder, ModelFiles
from index.errors import StoreUnavailable
from index.vectors import Hit, Metadata, Record, Stored

DIMENSION = 16


def all_valid(candidates: Sequence[Candidate]) -> list[bool]:
    """In place of the contract, where a generation is built."""
    return [True] * len(candidates)


class FakeEmbedder(Embedder):
    """Counts tokens as the real model does, and makes a vector of the text's hash.

    `n_embedded` counts the texts that it was asked for.
    """

    def __init__(self, files: ModelFiles) -> None:
        super().__init__(files)
        self.n_embedded = 0

    def load(self) -> None: ...

    def embed(
        self, texts: Sequence[str], report: Callable[[int], None] = lambda n: None
    ) -> NDArray[np.float32]:
        self.n_embedded += len(texts)
        report(len(texts))
        return np.stack([_vector(text) for text in texts]) if texts else np.empty((0, 0), "f4")

    def embed_question(self, words: str) -> NDArray[np.float32]:
        return _vector(words)


def _vector(text: str) -> NDArray[np.float32]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    vector = np.random.default_rng(seed).standard_normal(DIMENSION).astype(np.float32)
    unit: NDArray[np.float32] = vector / np.linalg.norm(vector)
    return unit


def fake_module(**contents: Any) -> ModuleType:
    module = ModuleType("fake")
    vars(module).update(SimpleNamespace(**contents).__dict__)
    return module


class VectorsInMemory:
    """Does what `VectorStore` does with Chroma, as a test holds."""

    def __init__(self) -> None:
        self._chunks: dict[str, dict[str, Record]] = {}
        self._dimensions: dict[str, int] = {}

    def upsert(self, collection: str, records: Sequence[Record]) -> None:
        held = self._chunks.setdefault(collection, {})
        for record in records:
            if self._dimensions.setdefault(collection, len(record.vector)) != len(record.vector):
                raise StoreUnavailable("vectors: another dimension")
            held[record.chunk_id] = record

    def is_damaged(self, collection: str) -> bool:
        return False

    def missing(self, collection: str, chunk_ids: Sequence[str]) -> set[str]:
        return set(chunk_ids) - self._held(collection).keys()

    def refresh(self, collection: str, chunks: Mapping[str, Stored]) -> None:
        held = self._held(collection)
        for chunk_id in chunks.keys() & held.keys():
            wanted, vector = chunks[chunk_id], held[chunk_id].vector
            held[chunk_id] = Record(chunk_id, vector, wanted.text, wanted.metadata)

    def delete(self, collection: str, chunk_ids: Sequence[str]) -> None:
        for chunk_id in chunk_ids:
            self._held(collection).pop(chunk_id, None)

    def search(
        self, collection: str, vector: NDArray[np.float32], k: int, *, source: str | None = None
    ) -> list[Hit]:
        found = [
            Hit(one.chunk_id, float(one.vector @ vector))
            for one in self._held(collection).values()
            if source is None or one.metadata.get("source") == source
        ]
        return sorted(found, key=lambda hit: -hit.score)[:k]

    def load(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, Stored]:
        held = self._held(collection)
        return {k: Stored(held[k].text, held[k].metadata) for k in chunk_ids if k in held}

    def load_vectors(
        self, collection: str, chunk_ids: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        held = self._held(collection)
        return {k: held[k].vector for k in chunk_ids if k in held}

    def page(self, collection: str, offset: int) -> list[str]:
        return list(self._held(collection))[offset : offset + 1_000]

    def contents(self, collection: str) -> dict[str, Metadata]:
        return {k: one.metadata for k, one in self._held(collection).items()}

    def dimension(self, collection: str) -> int | None:
        return self._dimensions.get(collection)

    def collections(self) -> list[str]:
        return list(self._chunks)

    def drop(self, collection: str) -> None:
        self._chunks.pop(collection, None)
        self._dimensions.pop(collection, None)

    def at_rest(self) -> AbstractContextManager[None]:
        return nullcontext()  # There is no file to read.

    def close(self) -> None: ...

    def _held(self, collection: str) -> dict[str, Record]:
        return self._chunks.setdefault(collection, {})
