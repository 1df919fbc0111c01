"""The vector store: one Chroma collection for each generation, and all that is asked of it.

How it is opened and asked is in `index.chroma.client`. What it must be told or it misbehaves: an
embedding function of None (the default one downloads a model), bounded batches, no None in metadata
on insert, and None for a key that an update is to remove (an update merges).

Chroma 1.5 changes its search index in several threads at once. One that replaces a vector undoes
links that another one has just made to a new vector, which no search finds then, though it is
there. So a vector is never replaced: it is deleted and inserted. And before anything is written to
a collection it is read: a collection whose first use was a write has what was written done again,
as replacements, along with the next write.
"""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from index.batching import batches
from index.chroma.client import ChromaHome, ask
from index.errors import StoreDamaged

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

_Answer = TypeVar("_Answer")

Metadata = Mapping[str, str | int | float | bool]

_HNSW: Final[Any] = {"space": "cosine", "ef_construction": 200, "ef_search": 200}
"""Twice Chroma's defaults: a chunk that is there but not found is a lie."""

_IDS: Final = 100_000
"""In a page of them: Chroma passes over all that come before, for every page anew."""
_ROWS: Final = 250
"""Chunks in one write: more at a time are no quicker."""


@dataclass(frozen=True, slots=True)
class Record:
    """A chunk as the vector store holds it."""

    chunk_id: str
    vector: NDArray[np.float32]
    """Unit length; shape (dimension,)."""
    text: str
    metadata: Metadata


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found."""

    chunk_id: str
    score: float
    """Cosine similarity to the question, -1 to 1."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A chunk as the vector store has it, or is to have it, vector aside."""

    text: str
    metadata: Metadata


class VectorStore:
    """A Chroma database. It is opened when it is first used, and Chroma imported then."""

    def __init__(self, home: ChromaHome, *, timeout_s: float = 120) -> None:
        """`timeout_s` is how long one request may take."""
        self._home = home
        self._timeout_s = timeout_s
        self._client: ClientAPI | None = None
        self._opening = threading.Lock()

    def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Insert chunks; what is there of the same ids is deleted first.

        Raises:
            StoreUnavailable: Not all are written; which ones is not known.
        """
        for batch in batches(records, _ROWS):
            self._write(collection, partial(_upsert, batch))

    def missing(self, collection: str, chunk_ids: Sequence[str]) -> set[str]:
        """Those of `chunk_ids` that are not there.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        absent = set(chunk_ids)
        for batch in batches(chunk_ids):
            absent.difference_update(self._read(collection, partial(_ids, batch)))
        return absent

    def refresh(self, collection: str, chunks: Mapping[str, Stored]) -> None:
        """Give chunks that are there exactly this metadata and text; keys that they had besides are
        removed, and their vectors stay.

        Raises:
            StoreUnavailable: Not all are written; which ones is not known.
        """
        for batch in batches(list(chunks), _ROWS):
            self._write(collection, partial(_refresh, {k: chunks[k] for k in batch}))

    def delete(self, collection: str, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; those that are not there are no error.

        Raises:
            StoreUnavailable: Not all are gone; which ones is not known.
        """
        for batch in batches(chunk_ids):
            self._write(collection, partial(_delete, batch))

    def search(
        self, collection: str, vector: NDArray[np.float32], k: int, *, source: str | None = None
    ) -> list[Hit]:
        """The `k` chunks nearest to a vector, the nearest first.

        Args:
            collection: A generation's.
            vector: Unit length; shape (dimension,).
            k: How many at most.
            source: Only chunks of this source.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        where: dict[str, Any] | None = {"source": source} if source else None

        def query(chunks: "Collection") -> list[Hit]:
            found = chunks.query(
                query_embeddings=vector[None, :], n_results=k, where=where, include=["distances"]
            )
            distances = found["distances"] or [[]]
            return [
                Hit(chunk_id, 1.0 - distance)
                for chunk_id, distance in zip(found["ids"][0], distances[0], strict=True)
            ]

        return self._read(collection, query)

    def load(self, collection: str, chunk_ids: Sequence[str]) -> dict[str, Stored]:
        """By id, what is there of `chunk_ids`, vectors aside.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        stored: dict[str, Stored] = {}
        for batch in batches(chunk_ids):
            stored |= self._read(collection, partial(_load, batch))
        return stored

    def load_vectors(
        self, collection: str, chunk_ids: Sequence[str]
    ) -> dict[str, NDArray[np.float32]]:
        """By id, the vectors of those of `chunk_ids` that are there.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        vectors: dict[str, NDArray[np.float32]] = {}
        for batch in batches(chunk_ids):
            vectors |= self._read(collection, partial(_load_vectors, batch))
        return vectors

    def page(self, collection: str, offset: int) -> list[str]:
        """Some ids, from the `offset`-th one on; none after the last.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return self._read(collection, partial(_page, offset))

    def contents(self, collection: str) -> dict[str, Metadata]:
        """Every chunk's metadata by id. For checks of small stores: all are in memory at once."""
        contents: dict[str, Metadata] = {}
        while page := self.page(collection, len(contents)):
            contents |= {k: stored.metadata for k, stored in self.load(collection, page).items()}
        return contents

    def dimension(self, collection: str) -> int | None:
        """Of its vectors; None while it is empty.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return self._read(collection, lambda chunks: chunks.get_model().dimension)

    def is_damaged(self, collection: str) -> bool:
        """Whether it cannot be searched any more; for this all its vectors are read.

        Raises:
            StoreUnavailable: It cannot be read for another reason.
        """
        dimension = self.dimension(collection)
        try:
            if dimension is not None:
                self.search(collection, np.full(dimension, dimension**-0.5, np.float32), 1)
        except StoreDamaged:
            return True
        return False

    def collections(self) -> list[str]:
        """The names of all collections.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return ask(lambda: [one.name for one in self._open().list_collections()], self._timeout_s)

    def drop(self, collection: str) -> None:
        """Remove a collection with all that is in it; if there is none, that is no error.

        Raises:
            StoreUnavailable: It may still be there.
        """
        if collection in self.collections():
            ask(lambda: self._open().delete_collection(collection), self._timeout_s)
            with self._opening:
                self._close_client()
                self._home.tidy()

    @contextmanager
    def renewed(self) -> Iterator["VectorStore | None"]:
        """A store that takes the place of this one if the block ends well, empty at first.

        It is the only way to be rid of what was deleted: Chroma keeps it in its files. None where
        the files are a server's.

        Raises:
            StoreUnavailable: It cannot be opened.
        """
        ask(self._open, self._timeout_s)
        beside = self._home.beside()
        if beside is None:
            yield None
            return
        with closing(VectorStore(beside, timeout_s=self._timeout_s)) as fresh:
            yield fresh
        with self._opening:
            self._close_client()
            self._home.swap()

    def at_rest(self) -> AbstractContextManager[Path | None]:
        """Let go of it, and let nobody else open it: its folder, or None if it is a server's.

        Nothing may be asked of it within the block.

        Raises:
            StoreBusy: Another process has it open.
        """
        self.close()
        return self._home.at_rest()

    def close(self) -> None:
        """Let go of it; a later use opens it again."""
        with self._opening:
            self._close_client()
            self._home.closed()

    def _close_client(self) -> None:
        if self._client is not None:
            self._client.close()  # type: ignore[attr-defined]
            self._client = None

    def _write(self, collection: str, action: "Callable[[Collection], object]") -> None:
        self._home.require_room()
        self._read(collection, action)

    def _read(self, collection: str, action: "Callable[[Collection], _Answer]") -> _Answer:
        def work() -> _Answer:
            found = self._open().get_or_create_collection(
                collection, embedding_function=None, configuration={"hnsw": _HNSW}
            )
            return action(found)

        return ask(work, self._timeout_s)

    def _open(self) -> "ClientAPI":
        with self._opening:
            if self._client is None:
                self._client = self._home.open()
            return self._client


def _upsert(records: Sequence[Record], chunks: "Collection") -> None:
    _delete([record.chunk_id for record in records], chunks)
    chunks.upsert(
        ids=[record.chunk_id for record in records],
        embeddings=np.stack([record.vector for record in records]),
        documents=[record.text for record in records],
        metadatas=[dict(record.metadata) for record in records],
    )


def _refresh(wanted: Mapping[str, Stored], chunks: "Collection") -> None:
    held = _load(list(wanted), chunks)
    moved = [k for k in held if held[k].text != wanted[k].text]
    if kept := [k for k in held if k not in moved]:
        metadata = {k: dict.fromkeys(held[k].metadata) | dict(wanted[k].metadata) for k in kept}
        chunks.update(ids=kept, metadatas=list(metadata.values()))
    if moved:  # Chroma takes no text without its vector.
        vectors = _load_vectors(moved, chunks)
        _upsert([Record(k, vectors[k], wanted[k].text, wanted[k].metadata) for k in moved], chunks)


def _delete(chunk_ids: Sequence[str], chunks: "Collection") -> None:
    if there := _ids(chunk_ids, chunks):
        chunks.delete(ids=there)


def _ids(chunk_ids: Sequence[str], chunks: "Collection") -> list[str]:
    return chunks.get(ids=list(chunk_ids), include=[])["ids"]


def _page(offset: int, chunks: "Collection") -> list[str]:
    return chunks.get(limit=_IDS, offset=offset, include=[])["ids"]


def _load(chunk_ids: Sequence[str], chunks: "Collection") -> dict[str, Stored]:
    found = chunks.get(ids=list(chunk_ids), include=["metadatas", "documents"])
    rows = zip(found["ids"], found["metadatas"] or [], found["documents"] or [], strict=True)
    return {
        chunk_id: Stored(text or "", dict(metadata or {}))  # type: ignore[arg-type]
        for chunk_id, metadata, text in rows
    }


def _load_vectors(chunk_ids: Sequence[str], chunks: "Collection") -> dict[str, NDArray[np.float32]]:
    found = chunks.get(ids=list(chunk_ids), include=["embeddings"])
    vectors = found["embeddings"]
    rows = zip(found["ids"], vectors if vectors is not None else [], strict=True)
    return {chunk_id: np.asarray(vector, np.float32) for chunk_id, vector in rows}
