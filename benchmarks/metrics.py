"""What metrics and status cost on a catalog of many chunks.

    python benchmarks/metrics.py [--chunks 1000000] [--documents 100000] [--sources 5]

Generates a catalog on SQLite by hand: documents with chunks, a hundredth of them served stale, a
month of looks, and a week of outcomes. Then it measures, in this process, `render_metrics` (each
time anew, after one to warm up), and `all_statuses`, which counts everything. In the end it
compares what the two say.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flows.freshness.looks import record_freshness
from flows.freshness.metrics import render_metrics
from flows.freshness.sources import objective_of
from flows.freshness.status import all_statuses, quick_statuses
from flows.settings import Settings, load_settings
from flows.wiring import open_catalog
from index.catalog import tables
from index.catalog.database import Catalog

_GENERATION: Final = "0" * 16
_TIMES: Final = 10
_ROWS: Final = 20_000
_LOOKS_A_SOURCE: Final = 900


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--sources", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        settings = load_settings(state_dir=Path(scratch))
        with open_catalog(settings) as catalog:
            _fill(catalog, settings, arguments.documents, arguments.chunks, arguments.sources)
            _measure(catalog, settings)


def _measure(catalog: Catalog, settings: Settings) -> None:
    _tell("metrics", lambda: render_metrics(settings, catalog), _TIMES)
    _tell("status", lambda: all_statuses(settings, catalog), 3)
    now = datetime.now(UTC)
    with catalog.reading() as connection:
        quick = [one.as_json() for one in quick_statuses(settings, connection, now)]
    assert quick == [one.as_json() for one in all_statuses(settings, catalog, now)]
    print("both say the same")


def _tell(name: str, work: Callable[[], object], times: int) -> None:
    work()
    taken, on_processor = [], []
    for _ in range(times):
        began, began_on_processor = time.perf_counter(), time.process_time()
        work()
        taken.append(time.perf_counter() - began)
        on_processor.append(time.process_time() - began_on_processor)
    print(f"{name:<8} median {1000 * statistics.median(taken):7.1f} ms"
          f"  slowest {1000 * max(taken):7.1f} ms"
          f"  on the processor {1000 * statistics.median(on_processor):7.1f} ms")  # fmt: skip


def _fill(
    catalog: Catalog, settings: Settings, n_documents: int, n_chunks: int, n_sources: int
) -> None:
    now = datetime.now(UTC)
    names = [f"source{number}" for number in range(n_sources)]
    with catalog.writing() as connection:
        _add_runs(connection, names, now)
        _add_documents(connection, names, n_documents, now)
        _add_chunks(connection, n_documents, n_chunks)
        for name in names:
            for hours in range(_LOOKS_A_SOURCE, 0, -1):
                _add_look(connection, name, now - timedelta(hours=hours))
            record_freshness(connection, name, objective_of(settings, name), now)
    with catalog.writing() as connection:
        connection.execute(sa.text("ANALYZE"))


def _add_runs(connection: Connection, names: list[str], now: datetime) -> None:
    then = now - timedelta(minutes=1)
    followed = now - timedelta(days=60)
    told = dict.fromkeys(("model", "revision", "chunker", "collection"), "x")
    generation = {"id": _GENERATION, "state": "live", "created_at": then, **told}
    connection.execute(sa.insert(tables.generation), [generation])
    for name in names:
        row = {"name": name, "root": "/", "first_seen_at": followed, "last_check_at": then}
        times = {"last_success_at": then, "complete_as_of": then}
        connection.execute(sa.insert(tables.source), [row | times])
        run = {"id": name, "source": name, "kind": "ingest", "state": "completed"}
        times = {"started_at": then, "ended_at": then}
        connection.execute(sa.insert(tables.run), [run | times])


def _add_documents(
    connection: Connection, names: list[str], n_documents: int, now: datetime
) -> None:
    rows = [_document(number, names, now) for number in range(n_documents)]
    _insert(connection, tables.document, iter(rows))
    _insert(connection, tables.version, (_version(row) for row in rows))
    outcomes = (
        {
            "run_id": row["source"], "document_id": row["id"], "uri": row["uri"],
            "outcome": "indexed", "lag_seconds": float(n % 5000), "changed_at": now,
        }
        for n, row in enumerate(rows)
    )  # fmt: skip
    _insert(connection, tables.outcome, outcomes)


def _document(number: int, names: list[str], now: datetime) -> dict[str, Any]:
    is_stale = number % 100 == 0
    return {
        "id": f"{_scattered(number)}{number:024x}",
        "source": names[number % len(names)],
        "uri": f"folder{number % 100}/page{number}.md",
        "outcome": "quarantined" if is_stale else "indexed",
        "stat_token": "1", "stat_trusted": True, "n_bytes": 1000,
        "source_modified_at": now - timedelta(seconds=number + 60),
        "sha256": "0" * 64, "media_type": "text/markdown", "parser_key": "p",
        "current_version": number + 1, "first_seen_at": now, "removed_at": None,
        "stale_since": now - timedelta(seconds=number + 60) if is_stale else None,
    }  # fmt: skip


def _scattered(number: int) -> str:
    """The start of an id that comes in no order, as hashes do."""
    return f"{number * 2654435761 % 2**32:08x}"


def _version(document: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": document["current_version"], "version_id": document["id"],
        "document_id": document["id"], "sha256": "0" * 64, "text_key": "0" * 64,
        "media_type": "text/markdown", "parser": "markdown", "parser_version": "1", "title": "",
        "language": "en", "properties": {}, "problems": [], "run_id": document["source"],
        "source_modified_at": document["source_modified_at"],
        "indexed_at": document["first_seen_at"],
    }  # fmt: skip


def _add_chunks(connection: Connection, n_documents: int, n_chunks: int) -> None:
    each = n_chunks // n_documents
    rows = (
        {
            "id": f"{_scattered(number * each + ordinal)}{number:012x}{ordinal:012x}",
            "version": number + 1, "generation": _GENERATION,
            "document_id": f"{_scattered(number)}{number:024x}",
            "ordinal": ordinal, "char_start": 0, "char_end": 1, "heading_path": [],
            "n_tokens": 100, "embedding_key": f"{number:016x}{ordinal:016x}",
        }
        for number in range(n_documents)
        for ordinal in range(each)
    )  # fmt: skip
    _insert(connection, tables.chunk, rows)


def _add_look(connection: Connection, source: str, at: datetime) -> None:
    zero = (
        "n_stale",
        "n_lags",
        "n_in_time",
        "n_backlog",
        "n_searchable",
        "n_chunks",
        "outside_s",
        "unknown_s",
    )
    row: dict[str, Any] = {"source": source, "at": at, "state": "fresh", "check_failed": False}
    row |= {"last_check": at, "complete_as_of": at, "within_s": 3600.0}
    connection.execute(sa.insert(tables.freshness), [row | dict.fromkeys(zero, 0)])


def _insert(connection: Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    some: list[dict[str, Any]] = []
    for row in rows:
        some.append(row)
        if len(some) == _ROWS:
            connection.execute(sa.insert(table), some)
            some = []
    if some:
        connection.execute(sa.insert(table), some)


if __name__ == "__main__":
    main()
