"""Catalog in PostgreSQL and vectors on a Chroma server: side by side, and through outages."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from fastapi.testclient import TestClient

from flows.dashboard.access import Access
from flows.dashboard.app import make_app
from flows.doctor import examine
from flows.errors import LeaseHeld
from flows.runs.lease import index_lease, source_lease
from flows.settings import Settings, load_settings
from flows.wiring import open_catalog, open_stores
from index.catalog import tables
from index.vectors import VectorStore
from tests.flows.conftest import Ingest
from tests.flows.dashboard.test_pages import crawl
from tests.memory import Memory, recall
from tests.servers import Chroma, Postgres

pytestmark = [
    pytest.mark.proof,
    pytest.mark.timeout(600),
    # Chroma's client leaves its connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


@pytest.fixture
def shared(
    prefect: None, database: str, chroma: Chroma, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    monkeypatch.setenv("HEADWATER_CATALOG_URL", database)
    monkeypatch.setenv("HEADWATER_VECTORS_URL", chroma.url)
    for task in ("runs.indexing.index_batch", "ingest.scan", "runs.indexing.remove"):
        monkeypatch.setattr(f"flows.{task}.retry_delay_seconds", [0.2, 0.2, 0.2])
    monkeypatch.setattr("flows.runs.outages.RETRY_DELAYS_S", [0.2, 0.2, 0.2])
    settings = load_settings(state_dir=state)
    yield settings
    with open_stores(settings) as index:
        for target in index.targets:
            index.vectors.drop(target.generation.collection)


def remembered(settings: Settings) -> Memory:
    with open_stores(settings) as index:
        return recall(index)


def write_pages(folder: Path, n_pages: int, words: str) -> None:
    for n in range(n_pages):
        (folder / f"{n}.md").write_text(f"# Page {n}\n\n{words} of page {n}.\n")


def holding(call: Callable[..., Any], entered: threading.Event, go_on: threading.Event) -> Any:
    """`call`, which waits on its way in."""

    def held(*arguments: Any, **options: Any) -> Any:
        entered.set()
        assert go_on.wait(60)
        return call(*arguments, **options)

    return held


def test_sources_are_written_side_by_side_and_each_by_one_alone(shared):
    with open_catalog(shared) as one, open_catalog(shared) as other:
        with source_lease(shared, one, "a"), source_lease(shared, other, "b"):
            with pytest.raises(LeaseHeld, match="process"), source_lease(shared, other, "a"):
                pass
            with pytest.raises(LeaseHeld), index_lease(shared, other):
                pass
        with index_lease(shared, one):
            with pytest.raises(LeaseHeld), source_lease(shared, other, "a"):
                pass
        with index_lease(shared, other):
            pass


def test_a_run_on_servers_follows_its_source(shared, ingest, folder):
    write_pages(folder, 6, "Words")
    assert ingest()["balanced"]
    on_servers = remembered(shared)
    write_pages(folder, 3, "Other words")
    (folder / "5.md").unlink()
    assert ingest()["documents"]["removed"] == 1
    write_pages(folder, 6, "Words")
    ingest()
    assert remembered(shared).chunks.keys() == on_servers.chunks.keys()


def test_a_connection_that_dies_fails_the_run_and_the_next_finishes(
    shared, ingest: Ingest, folder, postgres: Postgres, monkeypatch
):
    write_pages(folder, 4, "Words")
    ingest()
    write_pages(folder, 4, "Other words")
    entered, go_on = threading.Event(), threading.Event()
    with monkeypatch.context() as slow:
        slow.setattr(VectorStore, "missing", holding(VectorStore.missing, entered, go_on))
        reports: list[dict[str, Any]] = []
        run = threading.Thread(target=lambda: reports.append(ingest()))
        run.start()
        assert entered.wait(60)
        postgres.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND datname <> 'postgres'"
        )
        go_on.set()
        run.join()
    (failed,) = reports
    assert failed["state"] == "failed"
    assert "keeps other runs out was lost" in failed["error"]
    assert _texts_of_versions(shared) == {"Words"}
    report = ingest()
    assert (report["balanced"], report["took_over"]) == (True, [failed["run_id"]])
    found = [text for text, _, _ in remembered(shared).chunks.values()]
    assert len(found) == 4
    assert all("Other words" in text for text in found)


def test_a_chroma_server_that_is_killed_is_waited_for_and_then_fails_the_run(
    shared, ingest: Ingest, folder, chroma: Chroma
):
    write_pages(folder, 4, "Words")
    ingest()
    before = remembered(shared)
    write_pages(folder, 4, "Other words")
    chroma.kill()
    try:
        began = time.monotonic()
        report = ingest()
        assert report["state"] == "failed"
        assert "no Chroma server answers at 127.0.0.1" in report["error"]
        assert not report["balanced"]
        assert time.monotonic() - began < 60
    finally:
        chroma.start()
    assert _texts_of_versions(shared) == {"Words"}
    assert ingest()["balanced"]
    assert remembered(shared).chunks.keys() != before.chunks.keys()


def test_a_chroma_server_that_is_restarted_in_the_middle_costs_nothing(
    shared, ingest: Ingest, folder, chroma: Chroma, monkeypatch
):
    write_pages(folder, 4, "Words")
    real, n_calls = VectorStore.missing, []

    def restarting(self: VectorStore, *arguments: Any) -> set[str]:
        n_calls.append(1)
        if len(n_calls) == 1:
            chroma.kill()
            chroma.start()
        return real(self, *arguments)

    monkeypatch.setattr(VectorStore, "missing", restarting)
    report = ingest()
    assert (report["state"], report["documents"]["indexed"]) == ("completed", 4)
    remembered(shared)


def _texts_of_versions(settings: Settings) -> set[str]:
    """How the texts begin that are recorded as searchable."""
    with open_stores(settings) as index, index.catalog.reading() as connection:
        keys = connection.scalars(
            sa.select(tables.version.c.text_key).where(tables.version.c.retired_at.is_(None))
        )
        texts = [index.texts.get(key) for key in keys]
    return {one.text.split("\n\n")[1].split(" of ")[0] for one in texts if one is not None}


def test_doctor_names_the_servers(shared, ingest):
    ingest()
    (catalog,) = (one for one in examine(shared) if one.check == "catalog")
    assert catalog.detail.startswith("0 chunks (PostgreSQL ")


def test_the_dashboard_shows_an_index_on_servers(shared, ingest, folder):
    write_pages(folder, 3, "Words")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    access = Access(local_user="ann@here", token=None, user_header=None)
    with TestClient(make_app(shared, access), base_url="http://localhost") as client:
        assert len(crawl(client)) > 10
        schema = client.get("/api/openapi.json").json()
        asked = [
            path for path, does in schema["paths"].items() if "get" in does and "{" not in path
        ]
        for path in ["/metrics", "/healthz", "/readyz", *asked]:
            answer = client.get(path, params={"words": "page"})
            assert answer.status_code == 200, (path, answer.text)
