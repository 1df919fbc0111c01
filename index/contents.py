"""What a collection holds, vectors aside: read from Chroma's file where that can be, or else by
its client, which takes all vectors of the collection into memory.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import Protocol

from index.chroma.file import NotApplied, UnknownFormat, open_file
from index.vectors import Stored, VectorStore


class ReadBy(StrEnum):
    """What contents are read by."""

    FILE = "file"
    CLIENT = "client"


class Contents(Protocol):
    """A collection while nobody writes to it.

    Each of its methods raises `StoreUnavailable` where it cannot be read.
    """

    @property
    def dimension(self) -> int | None:
        """Of its vectors; None while it is empty."""
        ...

    def pages(self) -> Iterator[list[str]]:
        """All ids, some at a time."""
        ...

    def load(self, chunk_ids: Sequence[str]) -> dict[str, Stored]:
        """By id, what is there of `chunk_ids`."""
        ...

    def collections(self) -> list[str]:
        """The names of all collections, this one and others."""
        ...


class _ByClient:
    """A collection as Chroma says that it is."""

    def __init__(self, vectors: VectorStore, collection: str) -> None:
        self._vectors = vectors
        self._collection = collection

    @property
    def dimension(self) -> int | None:
        return self._vectors.dimension(self._collection)

    def pages(self) -> Iterator[list[str]]:
        offset = 0
        while page := self._vectors.page(self._collection, offset):
            yield page
            offset += len(page)

    def load(self, chunk_ids: Sequence[str]) -> dict[str, Stored]:
        return self._vectors.load(self._collection, chunk_ids)

    def collections(self) -> list[str]:
        return self._vectors.collections()


@contextmanager
def contents_of(vectors: VectorStore, collection: str) -> Iterator[tuple[Contents, ReadBy]]:
    """What a collection holds, and what that is read by.

    Nothing else may be asked of the vector store within the block, and nobody may write to it.

    Raises:
        StoreBusy: Another process has it open.
        StoreUnavailable: It cannot be read.
    """
    with ExitStack() as held:
        file = _from_file(held, vectors, collection)
        if file is None:
            held.close()
            yield _ByClient(vectors, collection), ReadBy.CLIENT
        else:
            yield file, ReadBy.FILE


def _from_file(held: ExitStack, vectors: VectorStore, collection: str) -> Contents | None:
    for is_again in (False, True):
        folder = held.enter_context(vectors.at_rest())
        if folder is None:
            return None
        try:
            return held.enter_context(open_file(folder, collection))
        except UnknownFormat:
            return None
        except NotApplied:
            held.close()
            if not is_again:
                vectors.page(collection, 0)  # Whatever is asked has it finish what it was writing.
    return None
