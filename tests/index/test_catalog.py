"""The catalog's schema and its errors."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta, timezone
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from index.catalog import quarantine, runs, tables
from index.catalog.chunks import load_chunks, open_intents
from index.catalog.database import _MIGRATIONS, HEAD, Catalog
from index.catalog.generations import live_generation, reigning_at
from index.catalog.quarantine import Failed
from index.errors import LeaseLost, ReadOnly, StoreUnavailable
from parsers.reasons import Reason

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_the_migrations_make_the_tables_that_the_code_uses(catalog):
    with catalog.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        differences = compare_metadata(context, tables.metadata)
    assert [one for one in differences if "comment" not in str(one[0])] == []


def test_the_newest_migration_is_the_one_that_opening_asks_for():
    assert ScriptDirectory(str(_MIGRATIONS)).get_current_head() == HEAD


@pytest.fixture
def first_catalog(tmp_path: Path) -> Path:
    """A catalog as the first migration made it, with a row in each table that others refer to."""
    file = tmp_path / "old.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in _FILLED:
            connection.execute(sa.text(statement))
    engine.dispose()
    return file


_FILLED = (
    "INSERT INTO source (name, root, first_seen_at) VALUES ('s', '/s', '2026-01-01')",
    "INSERT INTO run (id, source, state, started_at) VALUES ('r', 's', 'running', '2026-01-01')",
    "INSERT INTO generation (id, model, revision, chunker, collection, is_live, created_at)"
    " VALUES ('g', 'm', 'r', 'c', 'headwater-g', 1, '2026-01-01')",
    "INSERT INTO document (id, source, uri, outcome, stat_token, stat_trusted, n_bytes, media_type,"
    " parser_key, first_seen_at, current_version)"
    " VALUES ('d', 's', 'a.md', 'indexed', 't', 1, 1, 'text/markdown', 'p', '2026-01-01', 1)",
    "INSERT INTO version (id, version_id, document_id, sha256, text_key, media_type, parser,"
    " parser_version, title, language, properties, problems, run_id, indexed_at)"
    " VALUES (1, 'v', 'd', 'h', 'k', 'text/markdown', 'p', '1', '', 'en', '{}', '[]', 'r',"
    " '2026-01-01')",
    "INSERT INTO chunk (id, generation, document_id, version, ordinal, char_start, char_end,"
    " heading_path, n_tokens, embedding_key) VALUES ('c', 'g', 'd', 1, 0, 0, 1, '[]', 1, 'e')",
    "INSERT INTO outcome (run_id, document_id, uri, outcome) VALUES ('r', 'd', 'a.md', 'indexed')",
    "INSERT INTO intent (chunk_id, generation, run_id) VALUES ('c', 'g', 'r')",
)


def test_a_catalog_of_the_first_version_is_brought_up_to_date_with_all_that_is_in_it(first_catalog):
    with closing(Catalog(f"sqlite:///{first_catalog}")) as catalog:
        with catalog.reading() as connection:
            live = live_generation(connection)
            assert live is not None
            assert (live.id, live.collection) == ("g", "headwater-g")
            assert reigning_at(connection, NOW) == "g"
            assert set(load_chunks(connection, ["c"])) == {"c"}
            assert open_intents(connection, "s") == {"c": "g"}
            assert runs.count_outcomes(connection, "r") == {("indexed", None): 1}
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar_one() == 1
        with pytest.raises(sa.exc.IntegrityError), catalog.writing() as connection:
            connection.execute(sa.delete(tables.run))


def test_opening_again_keeps_what_is_there(tmp_path):
    url = f"sqlite:///{tmp_path / 'c.db'}"
    first = Catalog(url)
    with first.writing() as connection:
        connection.execute(sa.insert(tables.source).values(name="s", root="/", first_seen_at=NOW))
    first.close()
    again = Catalog(url)
    with again.reading() as connection:
        assert runs.find_source(connection, "s")
    again.close()


def test_a_transaction_that_fails_leaves_nothing(catalog):
    with pytest.raises(ZeroDivisionError), catalog.writing() as connection:
        connection.execute(sa.insert(tables.source).values(name="s", root="/", first_seen_at=NOW))
        _ = 1 / 0
    with catalog.reading() as connection:
        assert runs.find_source(connection, "s") is None


def test_moments_come_back_in_utc(catalog):
    there = NOW.astimezone(timezone(timedelta(hours=5)))
    with catalog.writing() as connection:
        connection.execute(sa.insert(tables.source).values(name="s", root="/", first_seen_at=there))
    with catalog.reading() as connection:
        row = runs.find_source(connection, "s")
    assert row is not None
    assert row["first_seen_at"] == NOW
    assert row["first_seen_at"].tzinfo is UTC


def test_a_file_that_is_no_database_is_unavailable(tmp_path):
    (tmp_path / "c.db").write_bytes(b"not a database, by far" * 100)
    with pytest.raises(StoreUnavailable, match="not a database"):
        Catalog(f"sqlite:///{tmp_path / 'c.db'}")


def test_a_folder_that_is_not_there_is_told_with_a_remedy(tmp_path):
    with pytest.raises(ReadOnly) as caught:
        Catalog(f"sqlite:///{tmp_path / 'missing' / 'c.db'}")
    assert "--state" in caught.value.remedy


def failed(code: Reason = Reason.CORRUPT, sha256: str = "a", detail: str = "pypdf: X") -> Failed:
    return Failed("d" * 32, "s", "a.pdf", sha256, code, detail, "parse", "pdf 1")


@pytest.fixture
def document(catalog: Catalog) -> None:
    with catalog.writing() as connection:
        connection.execute(
            sa.insert(tables.document).values(
                id="d" * 32, source="s", uri="a.pdf", outcome="quarantined", stat_token="",
                stat_trusted=True, n_bytes=1, media_type="", parser_key="", first_seen_at=NOW,
            )
        )  # fmt: skip


def entry(catalog: Catalog) -> sa.RowMapping:
    with catalog.reading() as connection:
        row = quarantine.find_by_document(connection, "d" * 32)
    assert row is not None
    return row


@pytest.mark.usefixtures("document")
def test_an_entry_counts_its_attempts_and_keeps_when_it_began(catalog):
    for days in range(3):
        with catalog.writing() as connection:
            quarantine.record_failures(connection, [failed()], NOW + timedelta(days=days))
    row = entry(catalog)
    assert (row["n_attempts"], row["state"]) == (3, "open")
    assert row["first_seen_at"] == NOW
    assert row["last_seen_at"] == NOW + timedelta(days=2)


@pytest.mark.usefixtures("document")
def test_an_entry_is_resolved_and_opens_again_with_its_history(catalog):
    for step in ("fail", "resolve", "fail"):
        with catalog.writing() as connection:
            if step == "fail":
                quarantine.record_failures(connection, [failed()], NOW)
            else:
                quarantine.resolve(connection, ["d" * 32], "indexed", NOW)
    row = entry(catalog)
    assert row["state"] == "open"
    assert [event["what"] for event in row["history"]] == ["quarantined", "resolved", "quarantined"]


@pytest.mark.usefixtures("document")
def test_a_document_that_fails_otherwise_than_before_begins_anew(catalog):
    with catalog.writing() as connection:
        quarantine.record_failures(connection, [failed()], NOW)
        later = NOW + timedelta(days=1)
        quarantine.record_failures(connection, [failed(Reason.ENCRYPTED, "b")], later)
    row = entry(catalog)
    assert (row["code"], row["n_attempts"]) == ("encrypted", 1)
    assert row["first_seen_at"] == later


def test_failures_of_one_kind_are_one_group():
    assert failed(detail="3 pages").group == failed(detail="5 pages").group
    assert failed().group != failed(Reason.ENCRYPTED).group


def test_the_migrations_are_packed_with_the_code():
    assert (Path(_MIGRATIONS) / "env.py").is_file()


def test_a_run_that_is_recorded_twice_is_recorded_once(catalog):
    """Whether a commit happened is not known where its answer was lost."""
    begin = partial(runs.start_run, source="s", root="/s", flow_run_id=None)
    with catalog.writing() as connection:
        begin(connection, run_id="a" * 32, now=NOW)
    for _ in range(2):
        with catalog.writing() as connection:
            dead = begin(connection, run_id="b" * 32, now=NOW + timedelta(minutes=1))
        assert dead == ["a" * 32]
    with catalog.reading() as connection:
        states = dict(connection.execute(sa.select(tables.run.c.id, tables.run.c.state)).all())
    assert states == {"a" * 32: "interrupted", "b" * 32: "running"}


def test_reading_sees_one_moment(catalog):
    count = sa.select(sa.func.count()).select_from(tables.source)
    row = sa.insert(tables.source).values(name="s", root="/", first_seen_at=NOW)
    with catalog.reading() as reading:
        assert reading.scalar(count) == 0
        with catalog.writing() as writing:
            writing.execute(row)
        assert reading.scalar(count) == 0
    with catalog.reading() as reading:
        assert reading.scalar(count) == 1


def test_two_that_open_a_new_catalog_at_once_both_can(postgres):
    url = postgres.make_database(uuid.uuid4().hex)
    with ThreadPoolExecutor() as pool:
        for catalog in pool.map(Catalog, [url] * 4):
            catalog.close()


def test_a_lock_holds_for_one_and_says_who_that_is(database):
    with closing(Catalog(database)) as one, closing(Catalog(database)) as other:
        with ExitStack() as held, ExitStack() as tried:
            assert one.lock(held, "s", "the first", shared=False) is None
            assert other.lock(tried, "s", "the second", shared=False) == "the first"
            assert other.lock(tried, "t", "the second", shared=False) is None
        with ExitStack() as held, ExitStack() as tried:
            assert one.lock(held, "s", "the first", shared=True) is None
            assert other.lock(tried, "s", "the second", shared=True) is None
            assert other.lock(tried, "s", "the second", shared=False) is not None


def test_nothing_is_written_once_a_lock_is_lost(postgres, database):
    with closing(Catalog(database)) as catalog, ExitStack() as held:
        assert catalog.lock(held, "s", "the one to be cut off", shared=False) is None
        with catalog.writing() as connection:
            connection.execute(
                sa.insert(tables.source).values(name="s", root="/", first_seen_at=NOW)
            )
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'the one to be cut off'"
        )
        with pytest.raises(LeaseLost), catalog.writing() as connection:
            connection.execute(sa.delete(tables.source))
        with catalog.reading() as connection:
            assert runs.find_source(connection, "s")
