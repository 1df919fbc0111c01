"""Stand-ins for what is slow: the embedding model and the parsers."""

import hashlib
from collections.abc import Callable, Sequence
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.embedding import Embedder, ModelFiles

DIMENSION = 16


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
