"""Following a folder through its history: eight snapshots of a real handbook."""

import shutil
from dataclasses import astuple
from pathlib import Path

import pytest
import sqlalchemy as sa

from benchmarks.replay import Changes, changes_between, check_out, differing, files, stored_in
from flows.settings import load_settings
from flows.wiring import open_catalog
from index.catalog import tables
from tests.conftest import ROOT
from tests.flows.test_ingest import found

pytestmark = pytest.mark.proof

SNAPSHOTS = sorted((ROOT / "tests/fixtures/handbook").iterdir())
UNWRAPPED, REWRAPPED = SNAPSHOTS[1] / "_pages", SNAPSHOTS[2] / "pages"
ONLY_REWRAPPED = [
    "general-information-and-resources/deia-resources.md",
    "getting-started/welcome-letter.md",
    "hiring-staying-or-changing-jobs/fair-and-equitable-hiring-practices.md",
    "travel-and-leave/july-13-travel-guidance.md",
    "travel-and-leave/travel-and-leave-policies/working-while-traveling.md",
]


@pytest.fixture(autouse=True)
def one_worker(monkeypatch):
    """Runs of a dozen small documents: starting a second parser takes longer than they do."""
    monkeypatch.setenv("HEADWATER_LIMITS__WORKERS", "1")


def counted(report, changes: Changes, n_documents: int) -> None:
    n_read = changes.added + changes.changed + changes.moved
    expected = {
        "found": n_documents,
        "indexed": n_read,
        "unchanged": n_documents - n_read,
        "removed": changes.removed + changes.moved,
    }
    found(report, **{name: n for name, n in expected.items() if n})


def put(origin: Path, folder: Path) -> None:
    for name in ONLY_REWRAPPED:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin / name, folder / name)


def n_cached(state: Path) -> int:
    with open_catalog(load_settings(state_dir=state)) as catalog, catalog.reading() as connection:
        return connection.scalar(sa.select(sa.func.count()).select_from(tables.embedding))


def test_after_every_step_the_index_equals_a_fresh_one(ingest, folder, state, tmp_path):
    from flows.ingest import ingest as flow

    seen, n_embedded = [], 0
    for snapshot in SNAPSHOTS:
        before, after = files(folder), files(snapshot)
        check_out(snapshot, folder)
        report = ingest(allow_removal=True)
        changes = changes_between(before, after)
        counted(report, changes, len(after))
        seen.append(astuple(changes))
        n_embedded += report["chunks"]["embedded"]
        assert n_embedded == n_cached(state)  # No text was embedded twice.
        fresh = tmp_path / f"fresh-{snapshot.name}"
        flow(str(folder), state=str(fresh))
        assert differing(stored_in(state), stored_in(fresh)) == []
    assert len(seen) == 8
    assert all(map(sum, zip(*seen, strict=True)))  # Some added, changed, moved and removed.


def test_documents_that_move_and_are_rewrapped_embed_nothing(ingest, folder):
    put(UNWRAPPED, folder / "_pages")
    ingest()
    shutil.rmtree(folder / "_pages")
    put(REWRAPPED, folder / "pages")
    report = ingest(allow_removal=True)
    found(report, found=5, indexed=5, removed=5)
    chunks = report["chunks"]
    assert chunks["embedded"] == 0
    assert chunks["reused"] == chunks["written"] == chunks["deleted"] == chunks["made"] > 5


def test_a_change_of_white_space_embeds_and_writes_nothing(ingest, folder):
    put(UNWRAPPED, folder)
    ingest()
    put(REWRAPPED, folder)
    report = ingest()
    found(report, found=5, indexed=5)
    chunks = report["chunks"]
    assert chunks["embedded"] == chunks["written"] == chunks["deleted"] == 0
    assert chunks["reused"] == chunks["updated"] == chunks["made"] > 5
