"""The ingest flow: the invariants of a run."""

import os
import shutil
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from flows.settings import load_settings
from flows.wiring import open_stores
from index.catalog import tables
from index.catalog.chunks import chunks_of, load_chunks, open_intents
from index.catalog.documents import find_by_uri
from index.errors import StoreUnavailable
from index.publishing import Index
from index.records import chunk_metadata
from parsers.media_type import ODP, PDF, PPT, PPTX
from tests.documents import pdf

PAGE = "# Leave\n\nAnnual leave accrues with every pay period.\n\n## Sick leave\n\nCall in.\n"
WHEN = {"indexed_at", "run_id", "source_modified_at"}
PAGED = (ODP, PDF, PPT, PPTX)


def settled(folder: Path) -> None:
    """Wait until a change in the folder cannot hide in the resolution of its files' times."""
    newest = max((f.stat().st_ctime for f in folder.rglob("*")), default=0)
    time.sleep(max(0.0, newest + 2.1 - time.time()))


def contents(state: Path) -> dict[str, dict[str, Any]]:
    """All chunks of the vector store; checked against the catalog on the way."""
    with open_stores(load_settings(state_dir=state)) as index:
        stored = index.vectors.contents(index.generation.collection)
        assert stored == meant(index)
        with index.catalog.reading() as connection:
            assert open_intents(connection) == {}
    return {
        chunk_id: {name: value for name, value in metadata.items() if name not in WHEN}
        for chunk_id, metadata in stored.items()
    }


def meant(index: Index) -> dict[str, Any]:
    with index.catalog.reading() as connection:
        ids = list(connection.scalars(sa.select(tables.chunk.c.id)))
        live = load_chunks(connection, ids)
    return {
        chunk_id: chunk_metadata(one.provenance, one.placement) for chunk_id, one in live.items()
    }


def found(report: dict[str, Any], **expected: int) -> None:
    """The documents of a report are these and no others, and it balances."""
    counts = {name: n for name, n in report["documents"].items() if n}
    assert counts == expected, report
    assert report["balanced"], report


def test_a_folder_becomes_searchable(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    report = ingest()
    found(report, found=1, indexed=1)
    assert report["state"] == "completed"
    assert report["chunks"]["written"] == report["chunks"]["embedded"] == 2
    assert len(contents(state)) == 2


def test_running_twice_does_nothing_and_says_so(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    before = contents(state)
    settled(folder)
    ingest()
    report = ingest()
    found(report, found=2, unchanged=1, quarantined=1)
    assert set(report["chunks"].values()) == {0}
    assert report["seconds"]["parse"] == 0
    assert contents(state) == before


def test_a_touched_document_is_unchanged(ingest, folder):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    os.utime(folder / "leave.md", (1_000_000_000, 1_000_000_000))
    report = ingest()
    found(report, found=1, unchanged=1)
    assert set(report["chunks"].values()) == {0}


def test_a_changed_document_replaces_its_old_version(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    (folder / "leave.md").write_text(PAGE.replace("Call in.", "Write a mail."))
    report = ingest()
    found(report, found=1, indexed=1)
    assert report["chunks"]["embedded"] == report["chunks"]["deleted"] == 1
    assert report["chunks"]["updated"] == 1
    assert len(contents(state)) == 2


def test_a_removed_document_is_gone(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    (folder / "other.md").write_text("# Other\n\nWords.\n")
    ingest()
    (folder / "other.md").unlink()
    report = ingest()
    found(report, found=1, unchanged=1, removed=1)
    assert {metadata["uri"] for metadata in contents(state).values()} == {"leave.md"}


def test_a_document_that_comes_back_is_indexed_again(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    (folder / "stays.md").write_text("# Stays\n\nWords.\n")
    ingest()
    before = contents(state)
    (folder / "leave.md").rename(folder.parent / "away.md")
    ingest()
    (folder.parent / "away.md").rename(folder / "leave.md")
    report = ingest()
    found(report, found=2, indexed=1, unchanged=1)
    assert report["chunks"]["embedded"] == 0
    assert contents(state) == before


def test_an_empty_folder_is_an_answer(ingest):
    report = ingest()
    found(report)
    assert report["state"] == "completed"


def test_bad_documents_are_outcomes_and_stop_nothing(ingest, samples):
    report = ingest(samples)
    assert report["documents"]["quarantined"] == sum(report["reasons"].values()) > 5
    assert report["documents"]["indexed"] > 15
    assert report["documents"]["partial"] == 1
    assert report["balanced"]
    assert report["state"] == "completed_with_errors"
    assert {"encrypted", "corrupt", "empty_file", "empty_text"} <= set(report["reasons"])


def test_spans_and_pages_of_all_samples_are_right(ingest, samples, state):
    ingest(samples)
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            ids = list(connection.scalars(sa.select(tables.chunk.c.id)))
            live = load_chunks(connection, ids)
        assert len(live) > 200
        for chunk_id, held in live.items():
            provenance, placed, text_key = held.provenance, held.placement, held.text_key
            document = index.texts.get(text_key)
            assert document is not None
            text = document.text[placed.char_start : placed.char_end]
            assert text.strip() == text != ""
            if placed.page_first is not None and placed.page_last is not None:
                first, last = (document.pages[n - 1] for n in (placed.page_first, placed.page_last))
                assert first.start <= placed.char_start < first.end
                assert last.start < placed.char_end <= last.end
            assert (provenance.media_type in PAGED) == (placed.page_first is not None)
            assert chunk_id == placed.chunk_id


def test_a_partial_document_leaves_its_unreadable_pages_out(ingest, folder, state):
    (folder / "mixed.pdf").write_bytes(pdf("Words of the first page.", None, "The third page."))
    report = ingest()
    found(report, found=1, partial=1)
    pages = {metadata["page_first"] for metadata in contents(state).values()}
    assert 2 not in pages
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            problems = connection.scalar(sa.select(tables.version.c.problems))
    assert [(problem["number"], problem["code"]) for problem in problems] == [(2, "empty_text")]


def test_a_document_that_gets_damaged_keeps_its_last_good_version(ingest, folder, state):
    file = folder / "report.pdf"
    file.write_bytes(pdf("Words of the report."))
    ingest()
    before = contents(state)
    file.write_bytes(b"%PDF-1.4 cut off")
    found(ingest(), found=1, quarantined=1)
    assert contents(state) == before
    file.write_bytes(pdf("Words of the new report."))
    found(ingest(), found=1, indexed=1)
    assert contents(state) != before


def test_a_mended_document_leaves_the_quarantine(ingest, folder, state):
    (folder / "a.txt").write_text("")
    report = ingest()
    assert report["reasons"] == {"empty_file": 1}
    (folder / "a.txt").write_text("Now there are words.")
    found(ingest(), found=1, indexed=1)
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            assert connection.scalar(sa.select(tables.quarantine.c.state)) == "resolved"


def test_verify_reads_what_seems_unchanged(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    settled(folder)
    ingest()
    with (
        open_stores(load_settings(state_dir=state)) as index,
        index.catalog.writing() as connection,
    ):
        connection.execute(sa.update(tables.document).values(sha256="0" * 64))
    found(ingest(), found=1, unchanged=1)
    found(ingest(verify=True), found=1, indexed=1)


def test_an_excluded_document_is_skipped_and_no_longer_searchable(ingest, folder, state, tmp_path):
    (folder / "leave.md").write_text(PAGE)
    (folder / "draft.md").write_text("# Draft\n\nNot yet.\n")
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\n')
    found(ingest("s", config=str(config)), found=2, indexed=2)
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\nexclude = ["draft.md"]\n')
    found(ingest("s", config=str(config)), found=2, unchanged=1, skipped=1)
    assert {metadata["uri"] for metadata in contents(state).values()} == {"leave.md"}
    found(ingest("s", config=str(config)), found=2, unchanged=1, skipped=1)


def test_required_metadata_comes_from_front_matter_or_the_document_is_quarantined(
    ingest, folder, state, tmp_path
):
    (folder / "with.md").write_text("---\nowner: HR\n---\nWords.\n")
    (folder / "without.md").write_text("Words.\n")
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\nrequired_metadata = ["owner"]\n')
    report = ingest("s", config=str(config))
    found(report, found=2, indexed=1, quarantined=1)
    assert report["reasons"] == {"metadata_missing": 1}
    assert report["chunks"]["rejected"] == 1
    assert [metadata["owner"] for metadata in contents(state).values()] == ["HR"]


def test_the_removal_guard_keeps_what_an_outage_seems_to_have_taken(ingest, folder, state):
    for number in range(5):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nWords.\n")
    ingest()
    before = contents(state)
    for number in range(3):
        (folder / f"{number}.md").unlink()
    report = ingest()
    assert report["state"] == "failed"
    assert "--allow-removal" in report["error"]
    assert report["removal_withheld"] == len(report["would_remove"]) == 3
    assert contents(state) == before
    found(ingest(allow_removal=True), found=2, unchanged=2, removed=3)
    assert len(contents(state)) == 2


def test_a_source_that_is_gone_fails_the_run_and_keeps_its_documents(
    ingest, folder, state, tmp_path, monkeypatch
):
    monkeypatch.setattr("flows.ingest.scan.retry_delay_seconds", [0, 0, 0])
    (folder / "leave.md").write_text(PAGE)
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\n')
    ingest("s", config=str(config))
    before = contents(state)
    folder.rename(tmp_path / "elsewhere")
    report = ingest("s", config=str(config))
    assert report["state"] == "failed"
    assert "No such file" in report["error"]
    assert report["code"] == "source_unreadable"
    assert contents(state) == before


def test_two_folders_of_one_name_are_two_sources(ingest, tmp_path):
    for parent in ("x", "y"):
        (tmp_path / parent / "docs").mkdir(parents=True)
        (tmp_path / parent / "docs" / "a.md").write_text(PAGE)
    names = [ingest(tmp_path / parent / "docs")["source"] for parent in ("x", "y", "x")]
    assert names[0] == names[2] == "docs"
    assert names[1].startswith("docs-")


def test_a_store_that_fails_for_a_moment_costs_nothing(ingest, folder, state, monkeypatch):
    (folder / "leave.md").write_text(PAGE)
    from index.vectors import VectorStore

    real, failures = VectorStore.upsert, [StoreUnavailable("injected")] * 2

    def upsert(self: VectorStore, collection: str, records: Any) -> None:
        real(self, collection, records)
        if failures:
            raise failures.pop()

    monkeypatch.setattr(VectorStore, "upsert", upsert)
    monkeypatch.setattr("flows.runs.indexing.index_batch.retry_delay_seconds", [0.0, 0.0, 0.0])
    found(ingest(), found=1, indexed=1)
    assert len(contents(state)) == 2


def test_a_store_that_stays_away_fails_the_run_and_nothing_counts_as_done(
    ingest, folder, state, monkeypatch
):
    (folder / "leave.md").write_text(PAGE)

    def upsert(self: Any, collection: str, records: Any) -> None:
        raise StoreUnavailable("vectors: away")

    monkeypatch.setattr("flows.runs.indexing.index_batch.retry_delay_seconds", [0.0, 0.0, 0.0])
    with monkeypatch.context() as away:
        away.setattr("index.vectors.VectorStore.upsert", upsert)
        report = ingest()
    assert (report["state"], report["error"]) == ("failed", "vectors: away")
    assert not report["balanced"]
    found(ingest(), found=1, indexed=1)
    assert len(contents(state)) == 2


def test_a_defect_of_ours_fails_the_run_loudly(ingest, folder, state, monkeypatch):
    (folder / "leave.md").write_text(PAGE)
    with monkeypatch.context() as broken:
        broken.setattr("index.targets.chunk_document", lambda *a, **k: 1 / 0)
        report = ingest()
    assert (report["state"], report["error"]) == ("failed", "division by zero")
    found(ingest(), found=1, indexed=1)


def test_a_run_that_was_killed_is_interrupted_and_named_by_the_next(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    first = ingest()["run_id"]
    with (
        open_stores(load_settings(state_dir=state)) as index,
        index.catalog.writing() as connection,
    ):
        connection.execute(sa.update(tables.run).values(state="running", ended_at=None))
    assert ingest()["took_over"] == [first]
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            states = dict(connection.execute(sa.select(tables.run.c.id, tables.run.c.state)).all())
    assert states[first] == "interrupted"


def test_the_record_of_a_run_is_what_it_reported(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    report = ingest()
    with open_stores(load_settings(state_dir=state)) as index:
        with index.catalog.reading() as connection:
            row = connection.execute(sa.select(tables.run)).mappings().one()
            outcomes = connection.execute(
                sa.select(tables.outcome.c.uri, tables.outcome.c.outcome, tables.outcome.c.code)
            ).all()
            (document,) = find_by_uri(connection, "leave.md")
            version, generation = document["current_version"], index.generation.id
            assert len(chunks_of(connection, version, generation)) == 2
    assert row["report"] == report
    assert sorted(outcomes) == [
        ("bad.pdf", "quarantined", "corrupt"),
        ("leave.md", "indexed", None),
    ]


def test_lag_is_the_time_from_change_to_searchable(ingest, folder):
    file = folder / "leave.md"
    file.write_text(PAGE)
    hour_ago = time.time() - 3600
    os.utime(file, (hour_ago, hour_ago))
    assert ingest()["lag_seconds"]["max"] == pytest.approx(3600, abs=60)


def test_prefect_shows_the_run_by_name_and_its_balance_as_an_artifact(ingest, folder):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.sorting import FlowRunSort

    (folder / "leave.md").write_text(PAGE)
    report = ingest()
    newest = FlowRunSort.EXPECTED_START_TIME_DESC
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(sort=newest, limit=1)
        tasks = {run.name for run in _task_runs(client, runs[0].id)}
        artifacts = client._client.post("/artifacts/latest/filter", json={}).json()
    assert "ingest docs" in {run.name for run in runs}
    assert any(name.startswith("batch 1 of 1 (1 documents)") for name in tasks)
    assert any(name.startswith("scan docs") for name in tasks)
    (artifact,) = [a for a in artifacts if a["key"] == "balance-docs"]
    assert "Balanced." in artifact["data"]
    assert report["source"] == "docs"


def _task_runs(client: Any, flow_run_id: Any) -> list[Any]:
    """Prefect records task runs a moment after they ended."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId
    from prefect.client.schemas.sorting import TaskRunSort

    deadline = time.monotonic() + 20
    while True:
        of_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
        runs: list[Any] = client.read_task_runs(
            flow_run_filter=of_run, sort=TaskRunSort.ID_DESC, limit=50
        )
        if len(runs) >= 3 or time.monotonic() > deadline:
            return runs
        time.sleep(0.2)


def test_a_fresh_ingest_equals_one_that_was_changed_step_by_step(ingest, folder, state, tmp_path):
    texts = {f"{n}.md": f"# Page {n}\n\n{'Words. ' * n}\n\n## Sub\n\nMore.\n" for n in range(6)}
    for name, text in texts.items():
        (folder / name).write_text(text)
    ingest()
    (folder / "0.md").write_text(texts["0.md"] + "\n## New\n\nSection.\n")
    (folder / "1.md").unlink()
    (folder / "2.md").rename(folder / "moved.md")
    (folder / "3.md").write_text(texts["3.md"].replace(" ", "\n"))
    ingest(allow_removal=True)
    stepwise = contents(state)
    shutil.rmtree(state)
    ingest()
    assert contents(state) == stepwise


def test_a_disk_that_is_nearly_full_fails_the_run_in_words(ingest, folder, state, monkeypatch):
    (folder / "leave.md").write_text(PAGE)
    monkeypatch.setattr("flows.runs.indexing.index_batch.retry_delay_seconds", [0, 0, 0])
    with monkeypatch.context() as small:
        small.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=5 * 2**20))
        report = ingest()
    assert report["state"] == "failed"
    assert report["error"] == "vectors: 5 MiB free where 64 MiB are needed"
    report = ingest()
    assert (report["state"], report["documents"]["indexed"]) == ("completed", 1)
    assert contents(state)
