"""Running a model with PyTorch, as its makers did."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from index.importing import IMPORTING
from index.tokens import Encoded

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

_CPU_BATCH: Final = 1_024
"""Tokens that fit the caches of a processor: larger batches take up to half as long again."""
_GPU_BATCH: Final = 65_536


class Transformer:
    """A model in memory."""

    def __init__(self, folder: Path, *, half: bool = False) -> None:
        """Load it.

        Args:
            folder: Of the model.
            half: Compute in fp16, if there is a graphics processor; without one fp32 is faster, and
                its vectors are the same to the third digit.
        """
        self._model = load_transformer(folder)
        on_gpu = self._model.device.type == "cuda"
        if half and on_gpu:
            self._model.half()
        self.batch_tokens = _GPU_BATCH if on_gpu else _CPU_BATCH

    def embed(self, texts: Sequence[Encoded]) -> NDArray[np.float32]:
        """Unit-length embeddings, of shape (len(texts), dimension)."""
        vectors: Any = self._model.encode_document(
            [one.text for one in texts],
            batch_size=len(texts),
            normalize_embeddings=True,
            show_progress_bar=False,
        )
        return np.asarray(vectors, dtype=np.float32)

    def embed_question(self, words: str) -> NDArray[np.float32]:
        """The unit-length embedding of a question; shape (dimension,). A long one is cut."""
        vector: Any = self._model.encode_query(
            words, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vector, dtype=np.float32)


def load_transformer(folder: Path) -> "SentenceTransformer":
    """The model as sentence-transformers has it."""
    with IMPORTING:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        return SentenceTransformer(str(folder), local_files_only=True)


def sees_gpu() -> bool:
    """Whether PyTorch can use a graphics processor; imports it only if there may be one."""
    if shutil.which("nvidia-smi") is None and not Path("/dev/nvidiactl").exists():
        return False
    with IMPORTING:
        import torch

        return torch.cuda.is_available()
