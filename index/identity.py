"""How documents, versions, chunks and embeddings are named. Equal input, equal name, for ever."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable
from typing import Final

_WHITE_SPACE: Final = re.compile(r"\s+")


def document_id(source: str, uri: str) -> str:
    return _digest("document", source, uri)


def version_id(document: str, sha256: str) -> str:
    return _digest("version", document, sha256)


def chunk_ids(document: str, generation: str, texts: Iterable[str]) -> list[str]:
    """One id for each chunk of a document, in order.

    An id depends on the chunk's text and on how many equal ones stand before it, not on where it
    stands: text that changes elsewhere in the document leaves it alone. Equal texts in two
    documents have two ids.
    """
    seen: Counter[str] = Counter()
    ids = []
    for text in texts:
        text_hash = hash_text(text)
        ids.append(_digest("chunk", document, generation, text_hash, str(seen[text_hash])))
        seen[text_hash] += 1
    return ids


def generation_id(model: str, revision: str, chunker: str) -> str:
    """Of one embedding model revision with one chunker configuration."""
    return _digest("generation", model, revision, chunker)[:16]


def embedding_key(model: str, revision: str, text: str) -> str:
    """Where the embedding of `text` is cached."""
    return _digest("embedding", model, revision, hash_text(text))


def hash_text(text: str) -> str:
    """sha256 of the text with its white space folded, so that re-wrapping it changes nothing."""
    return hashlib.sha256(fold(text).encode()).hexdigest()


def fold(text: str) -> str:
    """`text` with every run of white space made one space."""
    return _WHITE_SPACE.sub(" ", text).strip()


def _digest(*parts: str) -> str:
    # JSON, for it keeps parts apart whatever they hold, and writes undecodable file names in ASCII.
    return hashlib.sha256(json.dumps(parts).encode("ascii")).hexdigest()[:32]
