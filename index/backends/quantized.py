"""Running a model's exported form, in eight-bit numbers, with ONNX Runtime.

Each text is read alone, as many at once as there are processors. What numbers are rounded to
depends on the largest of them: read together, texts would change each other's vectors, by as much
as rounding does. It is faster, too: nothing is padded, and no processor waits for another.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.backends.exporting import MODEL_FILE
from index.tokens import Encoded, TokenCounter

_BATCH: Final = 4_096
"""Tokens; whoever watches is told after so many, and a question may come in."""


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
        options.intra_op_num_threads = 1
        # Processors without instructions for such numbers would overflow in sixteen bits, and make
        # other vectors than those that have them.
        options.add_session_config_entry("session.x64quantprecision", "1")
        self._session = InferenceSession(
            str(exported / MODEL_FILE), options, providers=["CPUExecutionProvider"]
        )
        self._threads = ThreadPoolExecutor(n_processors(), thread_name_prefix="model")
        self._counter = counter

    def embed(self, texts: Sequence[Encoded]) -> NDArray[np.float32]:
        """Unit-length embeddings, of shape (len(texts), dimension)."""
        return np.stack(list(self._threads.map(lambda one: self._vector(one.ids), texts)))

    def embed_question(self, words: str) -> NDArray[np.float32]:
        """The unit-length embedding of a question; shape (dimension,). A long one is cut."""
        return self._vector(self._counter.cut_to_fit(words))

    def _vector(self, ids: Sequence[int]) -> NDArray[np.float32]:
        tokens = np.array([ids], np.int64)
        given = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        (vectors,) = self._session.run(None, given)
        return np.asarray(vectors[0], dtype=np.float32)


def n_processors() -> int:
    """Those that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
