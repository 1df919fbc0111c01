"""Files that have another time: those with the same bytes cost no parser and no model."""

import os
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from flows.runs import comparing, indexing
from flows.runs.fetched import DocumentUnreadable
from flows.settings import load_settings
from flows.wiring import open_catalog, open_stores
from index.catalog import tables
from index.catalog.quarantine import unresolved
from tests.flows.runs.test_members import zip_of
from tests.flows.test_ingest import contents, found, settled

pytestmark = pytest.mark.proof

PAGE = "# Leave\n\nAnnual leave accrues.\n"


def touch(folder: Path) -> None:
    for file in folder.rglob("*"):
        os.utime(file, (1_000_000_000, 1_000_000_000))


@pytest.fixture
def refused(monkeypatch):
    """From `refused()` on, no run can parse or embed."""

    def no_workshop(run):
        raise AssertionError("a document was to be prepared")

    return lambda: monkeypatch.setattr(indexing, "open_workshop", no_workshop)


@pytest.fixture
def mixed(folder) -> Path:
    """Good ones, a bad one, and an archive of a good one and a bad one."""
    (folder / "leave.md").write_text(PAGE)
    (folder / "pay.md").write_text("# Pay\n\nTwice a month.\n")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "box.zip").write_bytes(zip_of(**{"in.md": PAGE, "bad.pdf": b"%PDF-1.4 nothing"}))
    return folder


def last_seen(state: Path) -> dict[str, datetime]:
    """By uri, of what is in quarantine."""
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        return {row["uri"]: row["last_seen_at"] for row in unresolved(connection)}


def test_what_is_only_touched_is_neither_parsed_nor_embedded(ingest, mixed, state, refused):
    ingest()
    before, seen = contents(state), last_seen(state)
    touch(mixed)
    refused()
    report = ingest()
    assert all(later > seen[uri] for uri, later in last_seen(state).items())
    found(report, found=6, unchanged=4, quarantined=2)
    assert report["reasons"] == {"corrupt": 2}
    assert report["stages"]["read"]["documents"] == 4
    assert contents(state) == before


def test_it_is_read_once(ingest, mixed, refused):
    ingest()
    touch(mixed)
    settled(mixed)
    ingest()
    refused()
    assert ingest()["stages"].get("read", {}).get("documents", 0) == 0


def test_another_sidecar_has_its_document_prepared_again(ingest, mixed):
    (mixed / "pay.md.meta.json").write_text('{"title": "Pay days"}')
    ingest()
    (mixed / "pay.md.meta.json").write_text('{"title": "Pay-days"}')
    assert ingest()["documents"]["indexed"] == 1


def test_as_many_other_bytes_are_found(ingest, mixed, state):
    ingest()
    touch(mixed)
    (mixed / "leave.md").write_text(PAGE.replace("Annual", "Weekly"))
    report = ingest()
    found(report, found=6, indexed=1, unchanged=3, quarantined=2)
    with open_stores(load_settings(state_dir=state)) as index:
        collection = index.generation.collection
        ids = [k for k, v in contents(state).items() if v["uri"] == "leave.md"]
        texts = [one.text for one in index.vectors.load(collection, ids).values()]
    assert len(texts) == 1
    assert "Weekly leave" in texts[0]


def test_to_verify_reads_all_and_prepares_nothing(ingest, mixed, refused):
    ingest()
    refused()
    report = ingest(verify=True)
    assert report["stages"]["read"]["documents"] == 4


def test_what_cannot_be_compared_is_tried_as_any_other(ingest, mixed, monkeypatch):
    ingest()
    touch(mixed)

    def unreadable(listed, max_bytes):
        raise DocumentUnreadable("away for a moment")

    monkeypatch.setattr(comparing, "fetch_attached", unreadable)
    report = ingest()
    assert report["balanced"]
    assert report["reasons"] == {"corrupt": 2}


def test_a_document_in_quarantine_keeps_its_entry(ingest, folder, state, refused):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    touch(folder)
    refused()
    ingest()
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        entry = connection.execute(sa.select(tables.quarantine)).mappings().one()
    assert (entry["state"], entry["n_attempts"]) == ("open", 1)
