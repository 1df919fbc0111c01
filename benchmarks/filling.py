"""Filling a large index quicker than a run over its source does.

Documents are listed, read, parsed, chunked, embedded and published by what a run does that with;
left out are the sandbox, the checks of text and metadata, and Prefect. A run afterwards finds
nothing changed.
"""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from flows.runs.selection import select_source
from flows.runs.sources import fetch, list_source
from flows.settings import Settings, load_settings
from flows.source_settings import SourceSettings
from flows.wiring import make_expectation, make_state_dir, open_stores
from index.batching import batches
from index.catalog import documents as document_rows
from index.catalog import runs as run_rows
from index.catalog.documents import Seen
from index.catalog.runs import RunState
from index.identity import document_id
from index.plan import Listed, Outcome
from index.publishing import Prepared, embed, publish
from index.records import Provenance
from index.stores import Index
from index.targets import identify
from parsers.contract import ParseTask
from parsers.media_type import MARKDOWN
from parsers.registry import parse_fingerprint
from parsers.web import markdown

_DOCUMENTS_AT_ONCE: Final = 100
_MAX_BYTES: Final = 1024 * 1024


def fill(documents: Path, state: Path) -> int:
    """Make the Markdown files in a folder searchable that are not yet.

    Returns:
        How many there were.
    """
    settings = load_settings(state_dir=state)
    make_state_dir(settings)
    with open_stores(settings) as index:
        source = select_source(settings, index.catalog, str(documents))
        with index.catalog.reading() as connection:
            known = document_rows.known_documents(connection, source.name)
        new = [one for one in list_source(source.uri, state) if one.uri not in known]
        run_id = uuid.uuid4().hex
        with index.catalog.writing() as connection:
            run_rows.start_run(
                connection,
                run_id=run_id,
                source=source.name,
                root=source.uri,
                flow_run_id=None,
                now=datetime.now(UTC),
            )
        for some in batches(new, _DOCUMENTS_AT_ONCE):
            _publish(index, settings, source, run_id, some)
        _end(index, source.name, run_id)
    return len(new)


def _publish(
    index: Index,
    settings: Settings,
    source: SourceSettings,
    run_id: str,
    listed: Sequence[Listed],
) -> None:
    now = datetime.now(UTC)
    prepared = [_prepared(index, settings, source, run_id, one, now) for one in listed]
    vectors, _ = embed(index, prepared)
    publish(index, prepared, vectors, now)


def _prepared(
    index: Index,
    settings: Settings,
    source: SourceSettings,
    run_id: str,
    listed: Listed,
    now: datetime,
) -> Prepared:
    options = settings.parse_options(source)
    fetched = fetch(listed, _MAX_BYTES)
    parsed = markdown.parse(ParseTask(fetched.data, MARKDOWN, options))
    text_key = parse_fingerprint(fetched.sha256, MARKDOWN, options)
    index.texts.put(text_key, parsed)
    seen = Seen(
        document_id=document_id(source.name, listed.uri),
        source=source.name,
        uri=listed.uri,
        stat_token=fetched.stat_token,
        stat_trusted=fetched.stat_trusted,
        n_bytes=len(fetched.data),
        source_modified_at=fetched.modified_at,
        sha256=fetched.sha256,
        media_type=MARKDOWN,
        parser_key=make_expectation(settings, source).parser_key(MARKDOWN),
    )
    provenance = Provenance(
        document_id=seen.document_id,
        source=source.name,
        uri=listed.uri,
        version=fetched.sha256,
        media_type=MARKDOWN,
        parser=parsed.parser,
        parser_version=parsed.parser_version,
        title=parsed.title,
        language=parsed.language,
        run_id=run_id,
        source_modified_at=fetched.modified_at,
        indexed_at=now,
    )
    chunks = tuple(
        one for target in index.targets for one in identify(target, seen.document_id, parsed)
    )
    return Prepared(seen, provenance, text_key, Outcome.INDEXED, (), chunks)


def _end(index: Index, source: str, run_id: str) -> None:
    now = datetime.now(UTC)
    with index.catalog.writing() as connection:
        run_rows.mark_checked(connection, source, now)
        run_rows.mark_succeeded(connection, source, now)
        run_rows.end_run(connection, run_id, RunState.COMPLETED, now)
