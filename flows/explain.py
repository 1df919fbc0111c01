"""From a chunk, or a document, back to the bytes: what `headwater explain` says."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.engine import Connection, RowMapping

from flows.metadata.verdicts import as_json
from index.catalog import chunks as chunk_rows
from index.catalog import documents as document_rows
from index.catalog import generations as generation_rows
from index.catalog import quarantine
from index.catalog import runs as run_rows
from index.catalog.chunks import Held
from index.catalog.database import Catalog
from index.catalog.staleness import stale_since
from index.catalog.validations import Validation, find_validation
from index.records import Placement, chunk_metadata, iso
from index.texts import TextStore
from parsers.document import ParsedDocument

_Period = tuple[datetime, datetime | None]


def explain_chunk(
    catalog: Catalog, texts: TextStore, chunk_id: str, moment: datetime | None = None
) -> dict[str, Any] | None:
    """All that is known of a chunk; None if the catalog knows of none with this id.

    Args:
        catalog: That knows.
        texts: That has its words.
        chunk_id: Which.
        moment: As it was then; as it is, or was last, if None.
    """
    with catalog.reading() as connection:
        history = chunk_rows.history_of(connection, chunk_id)
        held = _at(history, moment)
        if held is None:
            return None
        provenance, placement = held.provenance, held.placement
        generation = generation_rows.find_generation(connection, placement.generation)
        reigns = [
            (since, until)
            for one, since, until in generation_rows.reigns(connection)
            if one == placement.generation
        ]
        run = run_rows.find_run(connection, provenance.run_id)
        checked = find_validation(connection, provenance.run_id, provenance.document_id)
        lag = run_rows.lag_of(connection, provenance.run_id, provenance.document_id)
        stale = stale_since(connection, [provenance.document_id])
        source = run_rows.find_source(connection, provenance.source)
    document = texts.get(held.text_key)
    span = document.text[placement.char_start : placement.char_end] if document else None
    return {
        **chunk_metadata(provenance, placement),
        "location": _location(source["root"] if source else "", provenance.uri),
        "pages": _pages(document, placement),
        "text_key": held.text_key,
        "embedding_key": placement.embedding_key,
        **_checks(checked),
        "model": generation and generation.model,
        "model_revision": generation and generation.revision,
        "chunker": generation and generation.chunker,
        "lag_seconds": lag,
        "stale_since": iso(None if held.retired_at else stale.get(provenance.document_id)),
        "run_state": run and run["state"],
        "run_started_at": iso(run["started_at"]) if run else None,
        "searchable": [
            {"from": iso(since), "until": iso(until)} for since, until in _periods(history, reigns)
        ],
        "text": span,
    }


def _at(history: Sequence[Held], moment: datetime | None) -> Held | None:
    """Of a chunk's versions, the one that was current at a moment, or else the last one."""
    if moment is None:
        return history[-1] if history else None
    for held in history:
        if held.provenance.indexed_at <= moment and not _is_before(held.retired_at, moment):
            return held
    return None


def _is_before(retired_at: datetime | None, moment: datetime) -> bool:
    return retired_at is not None and retired_at <= moment


def _periods(history: Sequence[Held], reigns: Sequence[_Period]) -> list[_Period]:
    """When a chunk was found by a search: its version was current, and its generation reigned."""
    found = [
        shared
        for held in history
        for reign in reigns
        if (shared := _overlap((held.provenance.indexed_at, held.retired_at), reign))
    ]
    joined: list[_Period] = []
    for since, until in sorted(found, key=lambda period: period[0]):
        if joined and joined[-1][1] == since:
            joined[-1] = (joined[-1][0], until)
        else:
            joined.append((since, until))
    return joined


def _overlap(one: _Period, other: _Period) -> _Period | None:
    since = max(one[0], other[0])
    ends = [end for end in (one[1], other[1]) if end is not None]
    until = min(ends) if ends else None
    return None if until is not None and until <= since else (since, until)


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


def explain_uri(catalog: Catalog, uri: str, moment: datetime | None = None) -> list[dict[str, Any]]:
    """All that is known of the documents with this uri, one for each source that has it.

    Args:
        catalog: That knows.
        uri: Which.
        moment: Show the version that was searchable then; the one that is now if None.
    """
    with catalog.reading() as connection:
        return [
            _explain(connection, row, moment) for row in document_rows.find_by_uri(connection, uri)
        ]


def _explain(connection: Connection, row: RowMapping, moment: datetime | None) -> dict[str, Any]:
    source = run_rows.find_source(connection, row["source"])
    versions = document_rows.versions_of(connection, row["id"])
    shown = next((one for one in versions if _is_current(one, moment)), None)
    checked = find_validation(connection, shown["run_id"], row["id"]) if shown else None
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
        "stale_since": iso(row["stale_since"]),
        "lag_seconds": shown and run_rows.lag_of(connection, shown["run_id"], row["id"]),
        "searchable_version": shown and _version(shown),
        **_checks(checked),
        "chunks": [
            _chunk(placement) for placement in (_chunks(connection, shown, moment) if shown else ())
        ],
        "versions": [
            {
                "version": one["sha256"],
                "from": iso(one["indexed_at"]),
                "until": iso(one["retired_at"]),
            }
            for one in versions
        ],
        "quarantine": entry and {name: entry[name] for name in ("id", "state", "code", "detail")},
    }


def _is_current(version: RowMapping, moment: datetime | None) -> bool:
    if moment is None:
        return version["retired_at"] is None
    return version["indexed_at"] <= moment and not _is_before(version["retired_at"], moment)


def _chunks(
    connection: Connection, version: RowMapping, moment: datetime | None
) -> list[Placement]:
    live = generation_rows.live_generation(connection)
    reigning = generation_rows.reigning_at(connection, moment) if moment else live and live.id
    return chunk_rows.chunks_of(connection, version["id"], reigning) if reigning else []


def _version(row: RowMapping) -> dict[str, Any]:
    return {
        "version": row["sha256"],
        "title": row["title"],
        "language": row["language"],
        "parser": row["parser"],
        "parser_version": row["parser_version"],
        "run_id": row["run_id"],
        "indexed_at": iso(row["indexed_at"]),
        "retired_at": iso(row["retired_at"]),
        "left_out": row["problems"],
    }


def _chunk(placement: Placement) -> dict[str, Any]:
    names = ("ordinal", "char_start", "char_end", "page_first", "page_last", "n_tokens")
    return {"chunk_id": placement.chunk_id, **{name: getattr(placement, name) for name in names}}


def _location(root: str, uri: str) -> str:
    """Where the bytes are."""
    return root if root.rsplit("/", 1)[-1] == uri else f"{root.rstrip('/')}/{uri}"
