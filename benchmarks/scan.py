"""What a scan of many documents costs of which none has changed, and how large the catalog is.

    python benchmarks/scan.py [--documents 500000] [--chunks-per-document 20] [--catalog-url URL]

Makes the rows of an index of so many documents in PostgreSQL (a new cluster on this machine, unless
an empty database is named): each with one version, and for a share of them (--chunk-share, of 1)
chunks and their cached embeddings. Then it measures, in this process, what a run does until it
knows that nothing has changed: reading what is known, planning, and counting; the listing is made
up as it goes. It ends with the bytes of each table, per row, and what that comes to for ten million
documents.
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from flows.settings import load_settings
from flows.source_settings import SourceSettings
from flows.wiring import make_expectation
from index.catalog import documents as document_rows
from index.catalog.database import Catalog
from index.plan import Listed, make_plan
from parsers.media_type import MARKDOWN
from tests.servers import Postgres, postgres_programs

_MANY: Final = 10_000_000
_TIMEOUT_S: Final = 3_600
_SOURCE: Final = "handbook"
_TABLES: Final = ("document", "version", "chunk", "embedding")
_URI: Final = "'department-' || n % 97 || '/2026/' || lpad(n::text, 9, '0') || '-page.md'"
_TOKEN: Final = "'4711-1767225600000000000-1767225600000000000-' || n"
_DOCUMENTS: Final = f"""
    INSERT INTO document (id, source, uri, outcome, stat_token, stat_trusted, n_bytes,
        source_modified_at, sha256, media_type, parser_key, current_version, first_seen_at)
    SELECT md5(n::text), '{_SOURCE}', {_URI}, 'indexed', {_TOKEN}, true, 4711, :now,
        md5(n::text) || md5((-n)::text), '{MARKDOWN}', :key, n, :now
    FROM generate_series(1, :n) n
"""
_VERSIONS: Final = f"""
    INSERT INTO version (id, version_id, document_id, sha256, text_key, media_type, parser,
        parser_version, title, language, properties, problems, source_modified_at, run_id,
        indexed_at)
    SELECT n, md5('v' || n), md5(n::text), md5(n::text) || md5((-n)::text),
        md5('t' || n) || md5('t' || -n), '{MARKDOWN}', 'markdown', '1', 'The page numbered ' || n,
        'en', '{{}}', '[]', :now, md5('run'), :now
    FROM generate_series(1, :n) n
"""
_CHUNKS: Final = """
    INSERT INTO chunk (id, version, generation, document_id, ordinal, char_start, char_end,
        heading_path, n_tokens, embedding_key)
    SELECT md5('c' || n || ' ' || k), n, '0123456789abcdef', md5(n::text), k, 700 * k,
        700 * (k + 1), '["The page", "A section of it"]', 120, md5('e' || n || ' ' || k)
    FROM generate_series(1, :n) n, generate_series(0, :each - 1) k
"""
_EMBEDDINGS: Final = """
    INSERT INTO embedding (key, vector)
    SELECT md5('e' || n || ' ' || k), decode(repeat(md5(n || ' ' || k), 96), 'hex')
    FROM generate_series(1, :n) n, generate_series(0, :each - 1) k
"""
"""384 floats each, too short for PostgreSQL to compress."""
_Value = TypeVar("_Value")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--documents", type=int, default=500_000)
    parser.add_argument("--chunks-per-document", type=int, default=20)
    parser.add_argument("--chunk-share", type=float, default=0.02)
    parser.add_argument("--catalog-url")
    given = parser.parse_args()
    with _database(given.catalog_url) as url:
        catalog = Catalog(url, _TIMEOUT_S)
        settings = load_settings()
        source = SourceSettings(name=_SOURCE, uri=str(Path.cwd()))
        expected = make_expectation(settings, source)
        key = expected.parser_key(MARKDOWN)
        n_chunked = max(1, int(given.documents * given.chunk_share))
        _tell("rows made", lambda: _fill(catalog, given.documents, key))
        _tell("chunks made", lambda: _chunk(catalog, n_chunked, given.chunks_per_document))
        _show_sizes(catalog, n_chunked, given.chunks_per_document)
        _scan(catalog, given.documents, source)
        catalog.close()


@contextmanager
def _database(url: str | None) -> Iterator[str]:
    if url:
        yield url
        return
    programs = postgres_programs()
    if programs is None:
        raise SystemExit("PostgreSQL is not installed: name a database with --catalog-url")
    with Postgres(programs) as server:
        yield server.make_database("scan")


def _fill(catalog: Catalog, n: int, key: str) -> None:
    with catalog.writing() as connection:
        values = {"n": n, "now": datetime.now(UTC), "key": key}
        connection.execute(sa.text(_DOCUMENTS), values)
        connection.execute(sa.text(_VERSIONS), values)


def _chunk(catalog: Catalog, n: int, each: int) -> None:
    with catalog.writing() as connection:
        connection.execute(sa.text(_CHUNKS), {"n": n, "each": each})
        connection.execute(sa.text(_EMBEDDINGS), {"n": n, "each": each})
        connection.execute(sa.text("ANALYZE"))


def _show_sizes(catalog: Catalog, n_chunked: int, each: int) -> None:
    with catalog.reading() as connection:
        for name in _TABLES:
            n_rows, n_bytes = _size(connection, name)
            per_document = 1 if name in ("document", "version") else each
            many = n_bytes / n_rows * _MANY * per_document
            print(
                f"{name:<10} {n_rows:>11,} rows {n_bytes / n_rows:>8.0f} bytes a row, with indexes"
                f" {many / 1e9:>8.1f} GB for {_MANY:,} documents"
            )


def _size(connection: Connection, table: str) -> tuple[int, int]:
    query = f"SELECT (SELECT count(*) FROM {table}), pg_total_relation_size('{table}')"
    n_rows, n_bytes = connection.execute(sa.text(query)).one()
    return n_rows, n_bytes


def _scan(catalog: Catalog, n: int, source: SourceSettings) -> None:
    expected = make_expectation(load_settings(), source)
    listing = _tell("listing made up", lambda: [_listed(number) for number in range(1, n + 1)])
    with catalog.reading() as connection:
        known = _tell("known read", lambda: document_rows.known_documents(connection, _SOURCE))
    plan = _tell(
        "planned",
        lambda: make_plan(listing, known, expected, include=source.include, exclude=source.exclude),
    )
    assert len(plan.unchanged) == plan.n_found == n, plan.n_found


def _listed(n: int) -> Listed:
    uri = f"department-{n % 97}/2026/{n:09d}-page.md"
    token = f"4711-1767225600000000000-1767225600000000000-{n}"
    return Listed(uri, f"/srv/documents/{uri}", 4711, datetime(2026, 1, 1, tzinfo=UTC), token)


def _tell(what: str, work: Callable[[], _Value]) -> _Value:
    began, on_processor = time.perf_counter(), time.process_time()
    value = work()
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{what:<16}{time.perf_counter() - began:>9.1f} s"
        f"{time.process_time() - on_processor:>9.1f} CPU s{peak_mib:>9.0f} MiB at most",
        flush=True,
    )
    return value


if __name__ == "__main__":
    main()
