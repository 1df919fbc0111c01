"""Stores that fail, hang or are full: one clear line, nothing lost, and the next run finishes."""

import errno
import itertools
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from flows.settings import load_settings
from flows.wiring import open_stores
from index.catalog.database import Catalog
from index.errors import StoreUnavailable
from index.vectors import VectorStore
from tests.memory import recall

pytestmark = [pytest.mark.timeout(600), pytest.mark.proof]


@pytest.fixture(autouse=True)
def _impatient(prefect: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWATER_STORE_TIMEOUT", "1s")
    for task in ("runs.indexing.index_batch", "ingest.scan", "runs.indexing.remove"):
        monkeypatch.setattr(f"flows.{task}.retry_delay_seconds", [0.0, 0.0, 0.0])
    monkeypatch.setattr("flows.runs.outages.RETRY_DELAYS_S", [0.0, 0.0, 0.0])


@pytest.fixture
def page(folder):
    path = folder / "page.md"
    path.write_text("# Page\n\nThe first words.\n")
    return path


def texts(state: Any) -> list[str]:
    with open_stores(load_settings(state_dir=state)) as index:
        return [text for text, _, _ in recall(index).chunks.values()]


def test_a_commit_whose_answer_is_lost_costs_nothing(ingest, page, state, monkeypatch):
    real = Catalog.writing
    for n in range(7):
        calls = itertools.count()

        @contextmanager
        def writing(self: Catalog, n: int = n, calls: Any = calls) -> Iterator[Any]:
            with real(self) as connection:
                yield connection
            if next(calls) == n:
                raise StoreUnavailable("catalog: injected")

        page.write_text(f"# Page\n\nThe words of round {n}.\n")
        with monkeypatch.context() as faulty:
            faulty.setattr(Catalog, "writing", writing)
            report = ingest()
        assert next(calls) > n
        assert (report["state"], report["balanced"]) == ("completed", True), (n, report)
        (text,) = texts(state)
        assert f"round {n}" in text


def test_a_vector_store_that_hangs_fails_the_run_in_bounded_time(ingest, page, state, monkeypatch):
    with monkeypatch.context() as hanging:
        hanging.setattr("index.vectors._upsert", lambda *rest: time.sleep(20))
        began = time.monotonic()
        report = ingest()
        assert time.monotonic() - began < 60
    assert (report["state"], report["error"]) == ("failed", "vectors: no answer within 1 s")
    again = ingest()
    assert (again["state"], again["documents"]["indexed"]) == ("completed", 1)
    assert len(texts(state)) == 1


def test_a_database_that_stays_locked_fails_the_run_and_the_next_finishes(
    ingest, page, state, monkeypatch
):
    ingest()
    page.write_text("# Page\n\nThe second words.\n")
    other = sqlite3.connect(state / "catalog.db", isolation_level=None, check_same_thread=False)
    real = VectorStore.missing

    def missing(self: VectorStore, *arguments: Any) -> set[str]:
        if not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")
        return real(self, *arguments)

    with monkeypatch.context() as locked:
        locked.setattr(VectorStore, "missing", missing)
        report = ingest()
    other.close()
    assert (report["state"], report["error"]) == ("failed", "catalog: database is locked")
    again = ingest()
    assert (again["state"], again["took_over"]) == ("completed", [report["run_id"]])
    (text,) = texts(state)
    assert "second words" in text


def test_texts_that_find_no_room_fail_the_run_at_once(ingest, page, state, monkeypatch):
    def full(*rest: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as small:
        small.setattr("index.texts._write_whole", full)
        report = ingest()
    assert (report["state"], report["error"]) == ("failed", "texts: the disk is full")
    assert ingest()["state"] == "completed"
    assert len(texts(state)) == 1
