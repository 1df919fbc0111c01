"""Documents: the list of them, one with its text and its chunks, and one chunk."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.engine import RowMapping

from flows.dashboard.listing import Listing, listed
from flows.dashboard.stores import Stores
from flows.explain import explain_chunk, explain_uri
from index.catalog import browsing
from index.catalog import documents as document_rows
from index.catalog.browsing import DocumentFilter, Paging
from index.catalog.documents import versions_of
from index.plan import Outcome

CHUNKS_SHOWN: Final = 40
"""Of a document's text at a time."""


@dataclass(frozen=True, slots=True)
class DocumentLine:
    """A document in a list."""

    id: str
    source: str
    uri: str
    outcome: str
    media_type: str
    n_bytes: int
    source_modified_at: datetime | None
    first_seen_at: datetime
    removed_at: datetime | None
    searchable: bool


@dataclass(frozen=True, slots=True)
class WaitingLine:
    """A change that is not searchable."""

    document_id: str
    uri: str
    changed_at: datetime
    """At its source; when it was first seen, where that does not say."""
    served_stale: bool
    """An older version of it is searchable."""
    entry_id: str
    code: str


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of a version's text: a chunk of it, or what lies between two."""

    text: str
    chunk_id: str | None
    ordinal: int | None
    page_first: int | None
    page_last: int | None


@dataclass(frozen=True, slots=True)
class DocumentText:
    """A part of the text of what is searchable of a document."""

    n_chunks: int
    page: int
    """1-based."""
    n_pages: int
    stretches: Sequence[Stretch]
    """Together the text of this part, without a gap."""


def list_documents(stores: Stores, wanted: DocumentFilter, paging: Paging) -> Listing[DocumentLine]:
    """Documents by source and uri."""
    with stores.catalog().reading() as connection:
        n_rows = browsing.count_documents(connection, wanted)
        rows = browsing.page_of_documents(connection, wanted, paging, n_rows)
    return listed([_line(row) for row in rows], n_rows, paging)


def _line(row: RowMapping) -> DocumentLine:
    names = ("id", "source", "uri", "media_type", "n_bytes", "source_modified_at", "first_seen_at")
    return DocumentLine(
        **{name: row[name] for name in names},
        outcome=Outcome.REMOVED if row["removed_at"] else row["outcome"],
        removed_at=row["removed_at"],
        searchable=row["current_version"] is not None,
    )


def list_waiting(stores: Stores, source: str, n_shown: int) -> list[WaitingLine]:
    """The oldest changes of a source that are not searchable."""
    with stores.catalog().reading() as connection:
        rows = browsing.oldest_waiting(connection, source, n_shown)
    return [
        WaitingLine(
            document_id=row["id"],
            uri=row["uri"],
            changed_at=row["source_modified_at"] or row["first_seen_at"],
            served_stale=row["current_version"] is not None,
            entry_id=row["entry"],
            code=row["code"],
        )
        for row in rows
    ]


def find_document(stores: Stores, document_id: str) -> dict[str, Any] | None:
    """What `headwater explain` says of a document; None if there is none with this id."""
    catalog = stores.catalog()
    with catalog.reading() as connection:
        row = document_rows.find_document(connection, document_id)
    if row is None:
        return None
    explained = explain_uri(catalog, row["uri"])
    return next(one for one in explained if one["document_id"] == document_id)


def find_chunk(stores: Stores, chunk_id: str) -> dict[str, Any] | None:
    """What `headwater explain` says of a chunk; None if there is none with this id."""
    return explain_chunk(stores.catalog(), stores.texts, chunk_id)


def read_text(
    stores: Stores, document_id: str, chunks: Sequence[Mapping[str, Any]], page: int
) -> DocumentText | None:
    """A part of a document's text with its chunks marked; None if nothing of it is stored.

    Args:
        stores: That have it.
        document_id: Of which document.
        chunks: All that are searchable of it, as `find_document` has them.
        page: Which part, 1-based.
    """
    with stores.catalog().reading() as connection:
        versions = versions_of(connection, document_id)
    current = next((one for one in versions if one["retired_at"] is None), None)
    document = stores.texts.get(current["text_key"]) if current else None
    if document is None:
        return None
    n_pages = max(1, -(-len(chunks) // CHUNKS_SHOWN))
    page = min(page, n_pages)
    first = (page - 1) * CHUNKS_SHOWN
    shown = chunks[first : first + CHUNKS_SHOWN]
    start = shown[0]["char_start"] if first else 0
    is_last = first + CHUNKS_SHOWN >= len(chunks)
    end = len(document.text) if is_last else chunks[first + CHUNKS_SHOWN]["char_start"]
    return DocumentText(len(chunks), page, n_pages, stretches(document.text, shown, start, end))


def page_of_chunk(ordinal: int) -> int:
    """On which part of its document's text a chunk stands, 1-based."""
    return ordinal // CHUNKS_SHOWN + 1


def stretches(
    text: str, chunks: Sequence[Mapping[str, Any]], start: int, end: int
) -> list[Stretch]:
    """`text[start:end]` cut at the chunks; where two overlap, the later one has what they share."""
    found, at = [], start
    for number, chunk in enumerate(chunks):
        following = chunks[number + 1]["char_start"] if number + 1 < len(chunks) else end
        upto = min(chunk["char_end"], max(following, chunk["char_start"]), end)
        if chunk["char_start"] > at:
            found.append(Stretch(text[at : chunk["char_start"]], None, None, None, None))
        begin = max(at, chunk["char_start"])
        names = ("chunk_id", "ordinal", "page_first", "page_last")
        found.append(Stretch(text[begin:upto], **{name: chunk[name] for name in names}))
        at = max(at, upto)
    if at < end:
        found.append(Stretch(text[at:end], None, None, None, None))
    return found
