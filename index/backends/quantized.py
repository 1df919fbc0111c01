"""Running a model's exported form, in eight-bit numbers, with ONNX Runtime."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.backends.exporting import MODEL_FILE, agreement_of
from index.tokens import Encoded, TokenCounter

_BATCH: Final = 1_024
"""Tokens that fit the caches of a processor: 4,096 take a quarter longer, 256 nearly twice."""


class Quantized:
    """A model in memory; imports neither PyTorch nor transformers."""

    batch_tokens = _BATCH

    def __init__(self, exported: Path, counter: TokenCounter) -> None:
        """Load it.

        Args:
            exported: The folder that `ensure_exported` made.
            counter: The model's tokenizer.
        """
        # Shares no library with those that `IMPORTING` is for: it need not wait for them.
        from onnxruntime import InferenceSession, SessionOptions

        options = SessionOptions()
        options.intra_op_num_threads = n_processors()
        # Threads that wait in a loop take processors from the workers that parse.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # Processors without instructions for such numbers would overflow in sixteen bits, and make
        # other vectors than those that have them.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = InferenceSession(
            str(exported / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        self._padding = agreement_of(exported).padding
        self._counter = counter

    def embed(self, texts: Sequence[Encoded]) -> NDArray[np.float32]:
        """Unit-length embeddings, of shape (len(texts), dimension)."""
        return self._run([one.ids for one in texts])

    def embed_question(self, words: str) -> NDArray[np.float32]:
        """The unit-length embedding of a question; shape (dimension,). A long one is cut."""
        vector: NDArray[np.float32] = self._run([self._counter.cut_to_fit(words)])[0]
        return vector

    def _run(self, ids: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        shape = (len(ids), max(map(len, ids)))
        tokens, mask = np.full(shape, self._padding, np.int64), np.zeros(shape, np.int64)
        for row, some in enumerate(ids):
            tokens[row, : len(some)] = some
            mask[row, : len(some)] = 1
        (vectors,) = self._session.run(None, {"input_ids": tokens, "attention_mask": mask})
        return np.asarray(vectors, dtype=np.float32)


def n_processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
