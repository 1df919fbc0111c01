"""How long the pages of the dashboard take on a catalog of many documents.

    python benchmarks/pages.py [--documents 100000] [--chunks 1000000] [--runs 15000]

Generates a catalog on SQLite by hand: documents of five sources with their versions and chunks, a
fiftieth of them in quarantine, and years of runs. Then it asks for each kind of page many times,
each time for another document, run or part of the list, in this process and with nothing kept
between two requests but what the dashboard keeps. A search is not among them: what that takes is
measured by benchmarks/scale.py.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from fastapi.testclient import TestClient
from sqlalchemy.engine import Connection

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.freshness.status import record_statuses
from flows.settings import load_settings
from flows.wiring import open_catalog, text_store
from index.catalog import tables
from index.identity import document_id
from parsers.document import ParsedDocument
from parsers.reasons import Reason

_GENERATION: Final = "0" * 16
_SOURCES: Final = 5
_TIMES: Final = 40
_ROWS: Final = 20_000
_ONE_OF: Final = 50
"""Documents of which one is in quarantine."""
_SENTENCE: Final = "Annual leave accrues at a rate that depends on the years of service. "
_TEXT_KEY: Final = "f" * 64
_NOW: Final = datetime.now(UTC)

Row = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--chunks", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=15_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        began = time.perf_counter()
        _generate(Path(scratch), arguments.documents, arguments.chunks, arguments.runs)
        print(f"generated in {time.perf_counter() - began:.0f} s")
        _measure(Path(scratch), arguments.documents, arguments.runs)


def _measure(place: Path, n_documents: int, n_runs: int) -> None:
    settings = load_settings(state_dir=place)
    access = Access(local_user="benchmark", token=None, user_header=None)
    with TestClient(make_app(settings, access), base_url="http://localhost") as client:
        print(f"{'page':<34}{'p50 ms':>9}{'p95 ms':>9}{'slowest':>9}{'KiB':>7}")
        for name, address in _addresses(n_documents, n_runs).items():
            client.get(address(0)).raise_for_status()
            taken, size = [], 0
            for number in range(_TIMES):
                began = time.perf_counter()
                answer = client.get(address(number))
                taken.append(1000 * (time.perf_counter() - began))
                assert answer.status_code == 200, (address(number), answer.text[:500])
                size = len(answer.content)
            p95 = statistics.quantiles(taken, n=20)[-1]
            print(
                f"{name:<34}{statistics.median(taken):>9.1f}{p95:>9.1f}{max(taken):>9.1f}"
                f"{size / 1024:>7.0f}",
                flush=True,
            )


def _addresses(n_documents: int, n_runs: int) -> Mapping[str, Callable[[int], str]]:
    """By name, the address of the n-th page of a kind."""
    last_page = n_documents // 50
    step = max(1, n_documents // _TIMES)

    def one(number: int) -> str:
        return _id_of(number * step % n_documents)

    return {
        "overview": lambda n: "/",
        "source": lambda n: f"/sources/source{n % _SOURCES}",
        "runs": lambda n: f"/runs?page={1 + n * 7}",
        "runs of a source": lambda n: f"/runs?source=source1&page={1 + n}",
        "run": lambda n: f"/runs/{n * (n_runs // _TIMES):032x}",
        "documents": lambda n: f"/documents?page={1 + n}",
        "documents, the last pages": lambda n: f"/documents?page={last_page - n}",
        "documents of a source": lambda n: f"/documents?source=source2&page={1 + n}",
        "documents by name": lambda n: f"/documents?words=page{n}7",
        "documents in quarantine": lambda n: f"/documents?outcome=quarantined&page={1 + n % 30}",
        "document": lambda n: f"/documents/{one(n)}",
        "chunk": lambda n: f"/chunks/{_chunk_id(n * step % n_documents, 0)}",
        "quarantine": lambda n: "/quarantine",
        "quarantine, one reason": lambda n: f"/quarantine?code=corrupt&page={1 + n % 5}",
        "entry": lambda n: f"/quarantine/{_id_of(n * step // _ONE_OF * _ONE_OF)[:12]}",
        "search, the form": lambda n: "/search",
        "index": lambda n: "/index",
        "metrics": lambda n: "/metrics",
    }


def _generate(place: Path, n_documents: int, n_chunks: int, n_runs: int) -> None:
    settings = load_settings(state_dir=place)
    n_each = n_chunks // n_documents
    text = ParsedDocument(_SENTENCE * n_each, (), "text/markdown", "markdown", "1")
    text_store(settings).put(_TEXT_KEY, text)
    with open_catalog(settings) as catalog:
        with catalog.writing() as connection:
            _add_sources(connection)
            _insert(connection, tables.run, (_run(n, n_runs) for n in range(n_runs)))
            _insert(connection, tables.document, map(_document, range(n_documents)))
            searchable = [n for n in range(n_documents) if n % _ONE_OF]
            _insert(connection, tables.version, (_version(n, n_runs) for n in searchable))
            _insert(
                connection,
                tables.chunk,
                (_chunk(n, part) for n in searchable for part in range(n_each)),
            )
            _insert(connection, tables.quarantine, map(_entry, range(0, n_documents, _ONE_OF)))
            outcomes = (_outcome(n, n_runs) for n in range(n_documents))
            _insert(connection, tables.outcome, outcomes)
            connection.execute(sa.text("ANALYZE"))
        record_statuses(settings, catalog)


def _insert(connection: Connection, table: sa.Table, rows: Iterable[Row]) -> None:
    waiting: Iterator[Row] = iter(rows)
    while some := list(islice(waiting, _ROWS)):
        connection.execute(sa.insert(table), some)


def _add_sources(connection: Connection) -> None:
    told = dict.fromkeys(("model", "revision", "chunker", "collection"), "x")
    generation = {"id": _GENERATION, "state": "live", "created_at": _NOW, **told}
    connection.execute(sa.insert(tables.generation), [generation])
    reign = {"generation": _GENERATION, "since": _NOW - timedelta(days=900)}
    connection.execute(sa.insert(tables.reign), [reign])
    for number in range(_SOURCES):
        times = ("last_check_at", "last_success_at", "complete_as_of", "first_seen_at")
        row = {"name": f"source{number}", "root": "/documents", **dict.fromkeys(times, _NOW)}
        connection.execute(sa.insert(tables.source), [row])


def _id_of(number: int) -> str:
    return document_id(_source(number), _uri(number))


def _source(number: int) -> str:
    return f"source{(number + number // _ONE_OF) % _SOURCES}"


def _uri(number: int) -> str:
    return f"folder{number % 100}/page{number}.md"


def _chunk_id(number: int, part: int) -> str:
    # Those of quarantined documents are never there.
    number += number % _ONE_OF == 0
    return f"{number * 2654435761 % 2**32:08x}{number:016x}{part:08x}"


def _run(number: int, n_runs: int) -> Row:
    started = _NOW - timedelta(minutes=15) * ((n_runs - number) // _SOURCES + 1)
    parts = {"indexed": number % 7, "partial": 0, "unchanged": 2_000, "quarantined": 40}
    documents = {"found": sum(parts.values()), **parts, "skipped": 0, "removed": number % 3}
    counts = dict.fromkeys(("made", "valid", "rejected", "embedded", "reused", "written"), 70)
    report = {
        "run_id": f"{number:032x}", "source": _source(number), "state": "completed",
        "documents": documents, "reasons": {"corrupt": 20, "encrypted": 20}, "rules": {},
        "chunks": counts | {"updated": 0, "deleted": 3}, "tokens": {"embedded": 700, "reused": 3},
        "seconds": {"total": 61.2, "scan": 0.4, "parse": 8.1, "embed": 49.0, "other": 3.7},
        "lag_seconds": {"p50": 40.0, "p95": 55.0 + number % 977, "max": 1060.0},
        "balanced": True, "notes": [], "error": None, "checks": {},
    }  # fmt: skip
    return {
        "id": f"{number:032x}", "source": _source(number), "kind": "ingest",
        "flow_run_id": None, "state": "completed", "started_at": started,
        "ended_at": started + timedelta(seconds=61), "error": None,
        "report": json.loads(json.dumps(report)),
    }  # fmt: skip


def _document(number: int) -> Row:
    is_bad = number % _ONE_OF == 0
    return {
        "id": _id_of(number), "source": _source(number), "uri": _uri(number),
        "outcome": "quarantined" if is_bad else "indexed", "stat_token": "1",
        "stat_trusted": True, "n_bytes": 1_000 + number,
        "source_modified_at": _NOW - timedelta(seconds=number + 60), "sha256": "0" * 64,
        "media_type": "text/markdown", "parser_key": "p",
        "current_version": None if is_bad else number + 1, "first_seen_at": _NOW,
        "removed_at": None,
    }  # fmt: skip


def _version(number: int, n_runs: int) -> Row:
    return {
        "id": number + 1, "version_id": f"{number:032x}", "document_id": _id_of(number),
        "sha256": "0" * 64, "text_key": _TEXT_KEY, "media_type": "text/markdown",
        "parser": "markdown", "parser_version": "1", "title": f"Page {number}",
        "language": "en", "properties": {}, "problems": [],
        "source_modified_at": _NOW - timedelta(seconds=number + 60),
        "run_id": f"{number % n_runs:032x}", "indexed_at": _NOW, "retired_at": None,
    }  # fmt: skip


def _chunk(number: int, part: int) -> Row:
    return {
        "id": _chunk_id(number, part), "version": number + 1, "generation": _GENERATION,
        "document_id": _id_of(number), "ordinal": part, "char_start": part * len(_SENTENCE),
        "char_end": (part + 1) * len(_SENTENCE) - 1, "heading_path": ["Leave"],
        "page_first": None, "page_last": None, "n_tokens": 14,
        "embedding_key": f"{number:024x}{part:08x}",
    }  # fmt: skip


def _entry(number: int) -> Row:
    code = (Reason.CORRUPT, Reason.ENCRYPTED, Reason.PARSE_TIMEOUT)[number // _ONE_OF % 3]
    event = {"at": _NOW.isoformat(), "who": "headwater", "what": "quarantined", "why": code}
    return {
        "id": _id_of(number)[:12], "document_id": _id_of(number), "source": _source(number),
        "uri": _uri(number), "sha256": "0" * 64, "code": code, "detail": f"{code} on opening",
        "stage": "parse", "parser": "markdown 1", "traceback": "Traceback\n" * 20,
        "failure_group": f"{number // _ONE_OF % 40:012x}", "first_seen_at": _NOW,
        "last_seen_at": _NOW, "n_attempts": 1, "state": "open", "history": [event],
    }  # fmt: skip


def _outcome(number: int, n_runs: int) -> Row:
    is_bad = number % _ONE_OF == 0
    return {
        "run_id": f"{number % n_runs:032x}", "document_id": _id_of(number), "uri": _uri(number),
        "outcome": "quarantined" if is_bad else "indexed",
        "code": Reason.CORRUPT if is_bad else None, "detail": None,
        "lag_seconds": None if is_bad else 40.0, "changed_at": None if is_bad else _NOW,
    }  # fmt: skip


if __name__ == "__main__":
    main()
