"""What would show that a document is still there: its words and its vectors.

They are taken from what nothing in the catalog refers to any more, so they can be taken again after
an erasure was killed; and only such as no other document has are taken.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from index.catalog import retention
from index.catalog.database import Catalog
from index.catalog.embeddings import load_embeddings, pages_of_vectors
from index.erasure.needles import Needles
from index.texts import TextStore
from parsers.document import ParsedDocument, to_json

_MAX_WORDS: Final = 300
_TRIED: Final = 3 * _MAX_WORDS
"""Runs of words that are compared with other documents, to have enough left."""
_RUN: Final = (24, 80)
"""Characters of a run of words: fewer may stand anywhere, and more may not stand together."""
_SHORT_RUN: Final = 8
"""For texts that have no longer one."""
_BREAK: Final = re.compile(r"[\n\t.!?。！？]+")
_MAX_VECTORS: Final = 200
_SAME: Final = 0.99999
"""Similarity of vectors that cannot be told apart."""
_PAGE: Final = 5_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What must be found nowhere."""

    text_keys: tuple[str, ...]
    """Of stored texts that no version has."""
    embedding_keys: tuple[str, ...]
    """Of embeddings that no chunk has."""
    words: tuple[str, ...]
    """Runs of words that stood in these texts."""
    vectors: tuple[NDArray[np.float32], ...]
    n_words_shared: int
    """Runs that were left out, for other documents have them too."""
    n_vectors_shared: int
    """Likewise."""
    shared_with: tuple[str, ...]
    """Keys of the texts that have these runs."""


def gather(catalog: Catalog, texts: TextStore) -> Evidence:
    """Collect it.

    Raises:
        StoreUnavailable: The catalog cannot be read.
    """
    with catalog.reading() as connection:
        used = set(retention.text_keys(connection))
        embedding_keys = retention.unused_embeddings(connection)
    unused = sorted(set(texts.stored()) - used)
    words, shared, shared_with = _unshared_words(texts, unused, sorted(used))
    vectors, n_alike = _unshared_vectors(catalog, embedding_keys)
    return Evidence(
        text_keys=tuple(unused),
        embedding_keys=tuple(embedding_keys),
        words=words[:_MAX_WORDS],
        vectors=vectors,
        n_words_shared=len(shared),
        n_vectors_shared=n_alike,
        shared_with=shared_with,
    )


def forms_of(words: str) -> set[bytes]:
    """How a run of words is written in files: as it is, and in JSON."""
    as_json = (json.dumps(words, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False))
    return {form.encode("utf-8", "surrogatepass") for form in (words, *as_json)}


def _unshared_words(
    texts: TextStore, unused: Sequence[str], used: Sequence[str]
) -> tuple[tuple[str, ...], set[str], tuple[str, ...]]:
    """Runs of words that only unused texts have; those that others have too; and these others."""
    tried = _evenly([run for key in unused for run in _runs_of(texts, key)], _TRIED)
    run_of = {form: run for run in tried for form in forms_of(run)}
    needles = Needles(run_of)
    shared: set[str] = set()
    shared_with = []
    for key in used if tried else ():
        document = texts.get(key)
        found = needles.find(to_json(document)) if document else None
        if found:
            shared.update(run_of[form] for form in found)
            shared_with.append(key)
    return tuple(run for run in tried if run not in shared), shared, tuple(shared_with)


def _runs_of(texts: TextStore, key: str) -> list[str]:
    """Of one text; evenly from all of it, so that many texts need no more memory than one."""
    document = texts.get(key)
    return _evenly(_runs(document), _TRIED) if document else []


def _runs(document: ParsedDocument) -> list[str]:
    said = (document.text, document.title, *document.properties.values())
    parts = [part.strip() for text in said for part in _BREAK.split(text)]
    least, most = _RUN
    long = [part[:most].strip() for part in parts if len(part) >= least]
    return list(dict.fromkeys(long or (part for part in parts if len(part) >= _SHORT_RUN)))


def _unshared_vectors(
    catalog: Catalog, unused: Sequence[str]
) -> tuple[tuple[NDArray[np.float32], ...], int]:
    """Vectors that only unused embeddings have, and how many were left out."""
    with catalog.reading() as connection:
        mine = load_embeddings(connection, _evenly(unused, _MAX_VECTORS))
        alike: set[str] = set()
        for page in pages_of_vectors(connection, _PAGE) if mine else ():
            alike |= _alike(mine, [vector for key, vector in page if key not in set(unused)])
    left = tuple(vector for key, vector in mine.items() if key not in alike)
    return left, len(alike)


def _alike(mine: Mapping[str, NDArray[np.float32]], others: Sequence[bytes]) -> set[str]:
    alike: set[str] = set()
    for size in {vector.nbytes for vector in mine.values()}:
        keys = [key for key, vector in mine.items() if vector.nbytes == size]
        joined = np.frombuffer(b"".join(one for one in others if len(one) == size), "<f4")
        scores = joined.reshape(-1, size // 4) @ np.stack([mine[key] for key in keys]).T
        alike.update(keys[column] for column in np.flatnonzero((scores > _SAME).any(axis=0)))
    return alike


def _evenly(items: Sequence[str], n: int) -> list[str]:
    """At most `n`, from all of them."""
    step = max(1, -(-len(items) // n))
    return list(items[::step])
