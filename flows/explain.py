"""From a chunk, or a document, back to the bytes: what `headwater explain` says."""

from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from flows.verdicts import as_json
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.database import Catalog
from index.catalog.generations import live_generation
from index.catalog.validations import Validation, find_validation
from index.records import Placement, chunk_metadata, iso
from index.texts import TextStore
from parsers.document import ParsedDocument


def explain_chunk(catalog: Catalog, texts: TextStore, chunk_id: str) -> dict[str, Any] | None:
    """All that is known of a chunk; None if no searchable chunk has this id."""
    with catalog.reading() as connection:
        found = chunk_rows.load_chunks(connection, [chunk_id]).get(chunk_id)
        if found is None:
            return None
        provenance, placement, text_key = found
        generation = live_generation(connection)
        run = run_rows.find_run(connection, provenance.run_id)
        checked = find_validation(connection, provenance.run_id, provenance.document_id)
        source = run_rows.find_source(connection, provenance.source)
    document = texts.get(text_key)
    span = document.text[placement.char_start : placement.char_end] if document else None
    return {
        **chunk_metadata(provenance, placement),
        "location": _location(source["root"] if source else "", provenance.uri),
        "pages": _pages(document, placement),
        "text_key": text_key,
        "embedding_key": placement.embedding_key,
        **_checks(checked),
        "model": generation and generation.model,
        "model_revision": generation and generation.revision,
        "chunker": generation and generation.chunker,
        "run_state": run and run["state"],
        "run_started_at": iso(run["started_at"]) if run else None,
        "text": span,
    }


def _pages(document: ParsedDocument | None, placement: Placement) -> list[dict[str, Any]]:
    """The pages that a chunk stands on: what is printed on each for a number, and who read it."""
    first, last = placement.page_first, placement.page_last
    if document is None or first is None or last is None:
        return []
    return [
        {"number": page.number, "label": page.label, "engine": page.engine}
        for page in document.pages[first - 1 : last]
    ]


def _checks(checked: Validation | None) -> dict[str, Any]:
    """What the contract said of a version, and what gave its fields their values."""
    if checked is None:
        return {"checks": None, "field_origins": {}}
    return {"checks": as_json(checked), "field_origins": dict(checked.origins)}


def explain_uri(catalog: Catalog, uri: str) -> list[dict[str, Any]]:
    """All that is known of the documents with this uri, one for each source that has it."""
    with catalog.reading() as connection:
        return [_explain(connection, row) for row in document_rows.find_by_uri(connection, uri)]


def _explain(connection: Connection, row: RowMapping) -> dict[str, Any]:
    source = run_rows.find_source(connection, row["source"])
    current = row["current_version"]
    version = document_rows.find_version(connection, current) if current else None
    checked = find_validation(connection, version["run_id"], row["id"]) if version else None
    entry = quarantine.find_by_document(connection, row["id"])
    return {
        "document_id": row["id"],
        "source": row["source"],
        "uri": row["uri"],
        "location": _location(source["root"] if source else "", row["uri"]),
        "outcome": "removed" if row["removed_at"] else row["outcome"],
        "media_type": row["media_type"],
        "n_bytes": row["n_bytes"],
        "sha256": row["sha256"],
        "source_modified_at": iso(row["source_modified_at"]),
        "first_seen_at": iso(row["first_seen_at"]),
        "removed_at": iso(row["removed_at"]),
        "searchable_version": version and _version(version),
        **_checks(checked),
        "chunks": [_chunk(chunk) for chunk in chunk_rows.chunks_of(connection, row["id"])],
        "quarantine": entry and {name: entry[name] for name in ("id", "state", "code", "detail")},
    }


def _version(row: RowMapping) -> dict[str, Any]:
    return {
        "version": row["sha256"],
        "title": row["title"],
        "language": row["language"],
        "parser": row["parser"],
        "parser_version": row["parser_version"],
        "run_id": row["run_id"],
        "indexed_at": iso(row["indexed_at"]),
        "left_out": row["problems"],
    }


def _chunk(row: RowMapping) -> dict[str, Any]:
    names = ("ordinal", "char_start", "char_end", "page_first", "page_last", "n_tokens")
    return {"chunk_id": row["id"], **{name: row[name] for name in names}}


def _location(root: str, uri: str) -> str:
    """Where the bytes are."""
    return root if root.rsplit("/", 1)[-1] == uri else f"{root.rstrip('/')}/{uri}"
