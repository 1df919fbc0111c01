"""The vector store: one Chroma collection for each generation, and all that is asked of it.

Only this module knows Chroma. What it must be told or it misbehaves: an embedding function of None
(the default one downloads a model), bounded batches, no None in metadata on insert, and None for a
key that an update is to remove (an update merges).
"""

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from index.batching import batches
from index.errors import DiskFull, ReadOnly, StoreUnavailable
from index.importing import IMPORTING

if TYPE_CHECKING:
    from chromadb.api import ClientAPI
    from chromadb.api.models.Collection import Collection

Metadata = Mapping[str, str | int | float | bool]

_HNSW: Final[Any] = {"space": "cosine", "ef_construction": 200, "ef_search": 200}
"""Twice Chroma's defaults: a chunk that is there but not found is a lie."""

_ROOM: Final = 64 * 1024 * 1024
"""Bytes that must be free before anything is written: Chroma 1.5 never returns from a write during
which the disk fills up."""


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


class VectorStore:
    """A Chroma database on disk. One process may have it open at a time: see the lease.

    It is opened when it is first used, and Chroma imported then.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._client: ClientAPI | None = None
        self._opening = threading.Lock()

    def upsert(self, collection: str, records: Sequence[Record]) -> None:
        """Insert chunks, or replace their vector, text and metadata.

        Raises:
            StoreUnavailable: Not all are written; which ones is not known.
        """
        with self._using(collection) as chunks:
            for batch in batches(records):
                self._require_room()
                chunks.upsert(
                    ids=[record.chunk_id for record in batch],
                    embeddings=np.stack([record.vector for record in batch]),
                    documents=[record.text for record in batch],
                    metadatas=[dict(record.metadata) for record in batch],
                )

    def missing(self, collection: str, chunk_ids: Sequence[str]) -> set[str]:
        """Those of `chunk_ids` that are not there.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        absent = set(chunk_ids)
        with self._using(collection) as chunks:
            for batch in batches(chunk_ids):
                absent.difference_update(chunks.get(ids=list(batch), include=[])["ids"])
        return absent

    def reworded(self, collection: str, texts: Mapping[str, str]) -> list[str]:
        """Those chunks of `texts`, which is by id, that are there with another text.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        differing: list[str] = []
        with self._using(collection) as chunks:
            for batch in batches(list(texts)):
                found = chunks.get(ids=list(batch), include=["documents"])
                held = zip(found["ids"], found["documents"] or [], strict=True)
                differing += [chunk_id for chunk_id, text in held if text != texts[chunk_id]]
        return differing

    def set_metadata(self, collection: str, metadata: Mapping[str, Metadata]) -> None:
        """Give chunks that are there exactly this metadata; keys that they had besides are removed.

        Raises:
            StoreUnavailable: Not all are written; which ones is not known.
        """
        with self._using(collection) as chunks:
            for batch in batches(list(metadata)):
                self._require_room()
                found = chunks.get(ids=list(batch), include=["metadatas"])
                wanted = []
                for chunk_id, old in zip(found["ids"], found["metadatas"] or [], strict=True):
                    wanted.append(dict.fromkeys(old or {}) | dict(metadata[chunk_id]))
                if wanted:
                    chunks.update(ids=found["ids"], metadatas=wanted)  # type: ignore[arg-type]

    def delete(self, collection: str, chunk_ids: Sequence[str]) -> None:
        """Remove chunks; those that are not there are no error.

        Raises:
            StoreUnavailable: Not all are gone; which ones is not known.
        """
        with self._using(collection) as chunks:
            for batch in batches(chunk_ids):
                self._require_room()
                chunks.delete(ids=list(batch))

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
        with self._using(collection) as chunks:
            found = chunks.query(
                query_embeddings=vector[None, :], n_results=k, where=where, include=["distances"]
            )
        distances = found["distances"] or [[]]
        return [
            Hit(chunk_id, 1.0 - distance)
            for chunk_id, distance in zip(found["ids"][0], distances[0], strict=True)
        ]

    def contents(self, collection: str) -> dict[str, Metadata]:
        """Every chunk's metadata by id. For checks of small stores: all are in memory at once."""
        with self._using(collection) as chunks:
            found = chunks.get(include=["metadatas"])
        metadatas = found["metadatas"] or []
        return {
            chunk_id: dict(metadata)  # type: ignore[arg-type]
            for chunk_id, metadata in zip(found["ids"], metadatas, strict=True)
        }

    def records(self, collection: str) -> Iterator[Record]:
        """Every chunk with its vector and text. For comparing small stores, as `contents`.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        with self._using(collection) as chunks:
            found: Any = chunks.get(include=["embeddings", "documents", "metadatas"])
        columns = (found[name] for name in ("ids", "embeddings", "documents", "metadatas"))
        for chunk_id, vector, text, metadata in zip(*columns, strict=True):
            yield Record(chunk_id, np.asarray(vector, np.float32), text, metadata)

    def close(self) -> None:
        """Let go of the files; a later use opens them again."""
        with self._opening:
            if self._client is not None:
                self._client.close()  # type: ignore[attr-defined]
                self._client = None

    @contextmanager
    def _using(self, collection: str) -> "Iterator[Collection]":
        with IMPORTING:
            import chromadb.errors

        try:
            client = self._open()
            yield client.get_or_create_collection(
                collection, embedding_function=None, configuration={"hnsw": _HNSW}
            )
        except chromadb.errors.ChromaError as error:
            raise _translated(error) from error
        except (OSError, ValueError) as error:
            raise StoreUnavailable(f"vectors: {type(error).__name__}") from error

    def _require_room(self) -> None:
        free = shutil.disk_usage(self._folder).free
        if free < _ROOM:
            raise DiskFull(
                f"vectors: {free // 2**20} MiB free where {_ROOM // 2**20} MiB are needed",
                "Make room, then run again.",
            )

    def _open(self) -> "ClientAPI":
        with self._opening:
            if self._client is None:
                with IMPORTING:
                    import chromadb

                if not self._folder.exists():
                    self._folder.mkdir(parents=True)
                    self._require_room()
                settings = chromadb.Settings(anonymized_telemetry=False)
                self._client = chromadb.PersistentClient(str(self._folder), settings)
            return self._client


def _translated(error: Exception) -> StoreUnavailable:
    said = str(error).splitlines()[0]
    if "disk is full" in said or "No space left" in said:
        return DiskFull("vectors: the disk is full", "Make room, then run again.")
    if "readonly" in said or "unable to open" in said:
        return ReadOnly(f"vectors: {said}", "Let this user write to the state directory.")
    return StoreUnavailable(f"vectors: {said}")
