"""What Chroma's own database says, read without Chroma.

Chroma loads all vectors of a collection into memory before it answers anything about it, and gets
slower with every page that it lists. Ids, texts and metadata are in an SQLite file. Its tables are
Chroma's private business, so the file is refused unless its migrations are those that are known
here; and what Chroma has accepted without entering it into the tables yet is not seen here, so a
file where there is any is refused too.
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from index.batching import MAX_ITEMS, batches
from index.errors import StoreUnavailable
from index.vectors import Stored

MIGRATIONS: Final[Mapping[str, int]] = {"sysdb": 10, "metadb": 6, "embeddings_queue": 2}
"""The newest of each kind in Chroma 1.5.9."""

_NAME: Final = "chroma.sqlite3"
_TEXT: Final = "chroma:document"

_OURS: Final = (
    "FROM collections c JOIN databases d ON d.id = c.database_id "
    "WHERE d.name = 'default_database' AND d.tenant_id = 'default_tenant'"
)
_COLLECTION: Final = f"SELECT c.id, c.dimension {_OURS} AND c.name = ?"
_SEGMENT: Final = "SELECT id FROM segments WHERE collection = ? AND scope = 'METADATA'"
_QUEUED: Final = (
    "SELECT EXISTS (SELECT 1 FROM embeddings_queue WHERE topic LIKE '%/' || ? AND seq_id > "
    "coalesce((SELECT seq_id FROM max_seq_id WHERE segment_id = ?), -1))"
)
_PAGE: Final = (
    "SELECT embedding_id FROM embeddings WHERE segment_id = ? AND embedding_id > ? "
    "ORDER BY embedding_id LIMIT ?"
)
_VALUES: Final = (
    "SELECT e.embedding_id, m.key, m.string_value, m.int_value, m.float_value, m.bool_value "
    "FROM embeddings e LEFT JOIN embedding_metadata m ON m.id = e.id "
    "WHERE e.segment_id = ? AND e.embedding_id IN "
)


class UnknownFormat(Exception):
    """There is no such file, or it is not as it is known here."""


class NotApplied(Exception):
    """Chroma has yet to finish what it was writing; it does when it is next asked something."""


class ChromaFile:
    """A collection in Chroma's file, while nobody writes to it."""

    def __init__(self, connection: sqlite3.Connection, collection: str) -> None:
        """Find a collection; one that is not there is empty.

        Raises:
            UnknownFormat, NotApplied: It cannot be read from the file.
        """
        self._connection = connection
        self._require_known_format()
        found = self._one(_COLLECTION, collection)
        self.dimension: int | None = found[1] if found else None
        self._segment = self._one(_SEGMENT, found[0])[0] if found else ""
        if found and self._one(_QUEUED, found[0], self._segment)[0]:
            raise NotApplied
        self.load(self._page("", 1) or [""])  # What else is relied on is tried before it is needed.

    def pages(self) -> Iterator[list[str]]:
        """All ids, some at a time."""
        after = ""
        while page := self._page(after, MAX_ITEMS):
            yield page
            after = page[-1]

    def load(self, chunk_ids: Sequence[str]) -> dict[str, Stored]:
        """By id, what is there of `chunk_ids`."""
        values: dict[str, dict[str, Any]] = {}
        for some in batches(chunk_ids):
            query = f"{_VALUES} ({', '.join('?' * len(some))})"
            for chunk_id, key, *columns in self._all(query, self._segment, *some):
                held = values.setdefault(chunk_id, {})
                if (value := _value(*columns)) is not None:
                    held[key] = value
        return {k: Stored(held.pop(_TEXT, ""), held) for k, held in values.items()}

    def collections(self) -> list[str]:
        """The names of all collections."""
        return [row[0] for row in self._all(f"SELECT c.name {_OURS}")]

    def _require_known_format(self) -> None:
        known = dict(self._all("SELECT dir, max(version) FROM migrations GROUP BY dir"))
        # Lists are kept in a table of their own; none is ever written.
        has_lists = self._one("SELECT EXISTS (SELECT 1 FROM embedding_metadata_array)")
        if known != MIGRATIONS or has_lists[0]:
            raise UnknownFormat

    def _page(self, after: str, size: int) -> list[str]:
        return [row[0] for row in self._all(_PAGE, self._segment, after, size)]

    def _one(self, query: str, *values: object) -> Any:
        return next(iter(self._all(query, *values)), None)

    def _all(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(f"vectors: {error}") from error


@contextmanager
def open_file(folder: Path, collection: str) -> Iterator[ChromaFile]:
    """A collection as the file in Chroma's folder has it. Nobody may have the folder open.

    Raises:
        UnknownFormat, NotApplied: It cannot be read from the file.
        StoreUnavailable: In the block: the file is damaged.
    """
    file = folder / _NAME
    if not file.is_file():
        raise UnknownFormat
    if file.with_name(f"{_NAME}-journal").exists():
        raise NotApplied  # A transaction that was cut off: whoever may write undoes it.
    with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
        try:
            found = ChromaFile(connection, collection)
        except StoreUnavailable as error:
            raise UnknownFormat from error
        yield found


def _value(text: str | None, whole: int | None, real: float | None, truth: int | None) -> Any:
    if truth is not None:
        return bool(truth)
    return next((value for value in (text, whole, real) if value is not None), None)
