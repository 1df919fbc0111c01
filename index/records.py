"""A chunk together with where it comes from, and its metadata as the contract has it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

HEADING_SEPARATOR: Final = " > "


@dataclass(frozen=True, slots=True)
class Provenance:
    """What all chunks of one version of a document share."""

    document_id: str
    source: str
    uri: str
    version: str
    """sha256 of the bytes."""
    media_type: str
    parser: str
    parser_version: str
    title: str
    language: str
    run_id: str
    source_modified_at: datetime | None
    indexed_at: datetime
    extra: Mapping[str, str] = field(default_factory=dict)
    """What the source's configuration requires besides."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One chunk: its id and its place in the version's text."""

    chunk_id: str
    generation: str
    ordinal: int
    char_start: int
    """0-based, in code points."""
    char_end: int
    heading_path: tuple[str, ...]
    page_first: int | None
    """1-based; None where the format has no pages."""
    page_last: int | None
    n_tokens: int
    embedding_key: str


def chunk_metadata(
    provenance: Provenance, placement: Placement
) -> dict[str, str | int | float | bool]:
    """The metadata of a chunk as the vector store holds it; what is unknown is left out."""
    values: dict[str, str | int | None] = {
        **provenance.extra,
        "chunk_id": placement.chunk_id,
        "document_id": provenance.document_id,
        "version": provenance.version,
        "source": provenance.source,
        "uri": provenance.uri,
        "title": provenance.title,
        "media_type": provenance.media_type,
        "language": provenance.language,
        "ordinal": placement.ordinal,
        "page_first": placement.page_first,
        "page_last": placement.page_last,
        "char_start": placement.char_start,
        "char_end": placement.char_end,
        "heading_path": HEADING_SEPARATOR.join(placement.heading_path),
        "n_tokens": placement.n_tokens,
        "parser": provenance.parser,
        "parser_version": provenance.parser_version,
        "generation": placement.generation,
        "run_id": provenance.run_id,
        "source_modified_at": iso(provenance.source_modified_at),
        "indexed_at": iso(provenance.indexed_at),
    }
    return {name: value for name, value in values.items() if value is not None}


def iso(moment: datetime | None) -> str | None:
    """ISO 8601 in UTC, to the millisecond: `2026-11-22T05:36:00.000Z`."""
    if moment is None:
        return None
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
