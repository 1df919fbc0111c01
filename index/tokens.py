"""Counting the tokens of texts as the embedding model does, without loading the model."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tokenizers import Tokenizer

# Its threads take as much again of the processors, which the model has a use for.
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


@cache
def _read(file: str, modified_ns: int) -> Tokenizer:
    """Read once a process, unless it changes."""
    tokenizer = Tokenizer.from_file(file)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


@dataclass(frozen=True, slots=True)
class Encoded:
    """A text and what a model reads of it."""

    text: str
    ids: Sequence[int]
    """Of its tokens, special ones included."""


class TokenCounter:
    """The tokenizer of an embedding model."""

    def __init__(self, tokenizer_file: Path, window: int) -> None:
        """`window` is the number of tokens that the model reads, special ones included."""
        self.window = window
        self._tokenizer = _read(str(tokenizer_file), tokenizer_file.stat().st_mtime_ns)

    @property
    def capacity(self) -> int:
        """How many tokens of text the model reads at once."""
        return self.window - int(self._tokenizer.num_special_tokens_to_add(is_pair=False))

    def count(self, texts: Sequence[str]) -> list[int]:
        """Tokens of each text, without special ones."""
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        return [len(encoding.ids) for encoding in encodings]

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """What the model reads of each text; one may have more tokens than it can read."""
        encodings = self._tokenizer.encode_batch_fast(list(texts))
        return [Encoded(text, one.ids) for text, one in zip(texts, encodings, strict=True)]

    def cut_to_fit(self, text: str) -> list[int]:
        """The ids of a text's tokens, special ones included, without those that are too many."""
        encoding = self._tokenizer.encode(text, add_special_tokens=False)
        encoding.truncate(self.capacity)
        return list(self._tokenizer.post_process(encoding).ids)

    def starts(self, text: str) -> list[int]:
        """Where each token of `text` begins: 0-based offsets in code points."""
        return [
            start for start, _ in self._tokenizer.encode(text, add_special_tokens=False).offsets
        ]
