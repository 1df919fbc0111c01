"""Great Expectations' Data Docs of what is searchable now. All of it is in memory at once."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from checks.contract import Contract
from checks.rows import ContractRow
from flows.metadata.fields import fields_of
from flows.settings import Settings
from flows.source_settings import SourceSettings
from index.catalog import chunks as chunk_rows
from index.catalog.chunks import Held
from index.records import chunk_metadata
from index.stores import Index


def write_data_docs(
    settings: Settings, index: Index, folder: Path, now: datetime
) -> Iterator[tuple[str, Path]]:
    """Hold all that is searchable against the contract of its source, as it is set now.

    Args:
        settings: With the sources' rules.
        index: What is searchable.
        folder: Where to: each source has a folder of its own in it.
        now: As of when.

    Yields:
        A source, and the page to open.
    """
    by_source: dict[str, list[Held]] = defaultdict(list)
    with index.catalog.reading() as connection:
        for held in chunk_rows.all_chunks(connection, index.generation.id):
            by_source[held.provenance.source].append(held)
    for name, chunks in sorted(by_source.items()):
        source = settings.source(name) or SourceSettings(name=name, uri="")
        rules = fields_of(source).rules
        contract = Contract(window=index.embedder.files.window, rules=rules)
        yield name, contract.write_docs(list(_rows(index, chunks)), now, folder / name)


def _rows(index: Index, chunks: list[Held]) -> Iterator[ContractRow]:
    """Of one document after the other, so that no more than one text is in memory at a time."""
    key, text, n_pages = "", "", None
    for held in sorted(chunks, key=lambda one: one.text_key):
        placed = held.placement
        if held.text_key != key:
            document = index.texts.get(held.text_key)
            key, text = held.text_key, document.text if document else ""
            n_pages = len(document.pages) or None if document else None
        span = text[placed.char_start : placed.char_end]
        yield ContractRow(chunk_metadata(held.provenance, placed), span, span, n_pages)
