"""Freshness of real runs: what is served stale, what is withdrawn, and what is told of it."""

import json
import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from flows import scheduled
from flows.cli import app
from flows.errors import UserError
from flows.settings import load_settings
from flows.wiring import open_catalog
from index.catalog import history, tables
from index.catalog.chunks import count_chunks
from tests.documents import pdf, zipped
from tests.fakes import FakeEmbedder

pytestmark = pytest.mark.proof

PAGE = "# Leave\n\nAnnual leave accrues.\n"
BAD = b"%PDF-1.4 nothing"

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path, "")


def write_config(tmp_path: Path, more: str) -> Path:
    file = tmp_path / "headwater.toml"
    source = '[[sources]]\nname = "handbook"\nuri = "docs"\n'
    file.write_text(f'state_dir = "state"\n{source}{more}\n')
    return file


@pytest.fixture
def run(ingest: Run, config: Path) -> Run:
    return lambda **options: ingest("handbook", config=str(config), **options)


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result, *, status: int = 0) -> list[dict[str, Any]]:
    assert result.exit_code == status, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def status_of(config: Path) -> dict[str, Any]:
    (found,) = lines(call("status", "--config", config, "--json"))
    return found


def aged(file: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(file, (then, then))


def found_by_search(config: Path) -> dict[str, str | None]:
    results = lines(call("search", "leave", "--config", config, "--json", "-k", "20"))
    assert all(one["stale"] is (one["stale_since"] is not None) for one in results)
    return {one["uri"]: one["stale_since"] for one in results}


def test_what_can_no_longer_be_read_is_served_as_stale_and_says_so(run, folder, config):
    (folder / "leave.md").write_text(PAGE)
    (folder / "sick.md").write_text("# Sick leave\n\nCall in before nine.\n")
    aged(folder / "leave.md", 48)
    run()
    assert found_by_search(config) == {"leave.md": None, "sick.md": None}
    (folder / "leave.md").write_bytes(BAD)
    aged(folder / "leave.md", 3)
    run()
    changed = status_of(config)["oldest_change_waiting"]
    assert abs(datetime.fromisoformat(changed) - datetime.now(UTC)) < timedelta(hours=3.1)
    assert found_by_search(config) == {"leave.md": changed, "sick.md": None}
    (explained,) = lines(call("explain", "leave.md", "--config", config, "--json"))
    assert explained["stale_since"] == changed
    chunk = explained["chunks"][0]["chunk_id"]
    (explained,) = lines(call("explain", chunk, "--config", config, "--json"))
    assert explained["stale_since"] == changed
    status = status_of(config)
    assert (status["state"], status["stale_documents"]) == ("warning", 1)
    assert status["waiting_for_seconds"] == pytest.approx(3 * 3600, abs=60)
    assert "stale: its source says something else" in call(
        "search", "leave", "--config", config
    ).stdout.replace("\n", " ")
    run()
    assert status_of(config)["oldest_change_waiting"] == changed
    (folder / "leave.md").write_text(PAGE + "\nNew.\n")
    run()
    assert found_by_search(config) == {"leave.md": None, "sick.md": None}
    assert status_of(config)["state"] == "fresh"


def test_members_of_a_container_that_can_no_longer_be_read_are_stale(run, folder, config):
    archive = folder / "all.zip"
    archive.write_bytes(zipped(**{"leave.md": PAGE.encode()}))
    run()
    assert found_by_search(config) == {"all.zip!/leave.md": None}
    archive.write_bytes(archive.read_bytes()[:60])
    run()
    assert found_by_search(config)["all.zip!/leave.md"] is not None
    archive.write_bytes(zipped(**{"leave.md": PAGE.encode()}))
    run()
    assert found_by_search(config) == {"all.zip!/leave.md": None}


def test_documents_below_a_folder_that_cannot_be_listed_are_stale(run, folder, config, monkeypatch):
    (folder / "hr").mkdir()
    (folder / "hr" / "leave.md").write_text(PAGE)
    (folder / "sick.md").write_text(PAGE)
    run()
    listing = os.scandir

    def denied(path: Any = ".") -> Any:
        if str(path).endswith("/hr"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr("flows.runs.sources.os.scandir", denied)
    run()
    found = found_by_search(config)
    assert found["hr/leave.md"] is not None
    assert found["sick.md"] is None
    monkeypatch.undo()


@pytest.mark.parametrize("name", ["leave.md", "all.zip"])
def test_a_source_that_keeps_no_last_good_version_withdraws_it(
    ingest, folder, tmp_path, name, state
):
    config = write_config(tmp_path, "keep_last_good = false")
    (folder / "sick.md").write_text(PAGE)
    good = zipped(**{"in.md": PAGE.encode()}) if name == "all.zip" else PAGE.encode()
    (folder / name).write_bytes(good)
    ingest("handbook", config=str(config))
    assert len(found_by_search(config)) == 2
    (folder / name).write_bytes(BAD if name == "leave.md" else good[:60])
    report = ingest("handbook", config=str(config))
    assert report["balanced"]
    assert report["documents"]["quarantined"] == 1
    assert found_by_search(config) == {"sick.md": None}
    assert status_of(config)["stale_documents"] == 0
    assert status_of(config)["quarantined"] == {"corrupt": 1}
    again = ingest("handbook", config=str(config))
    assert again["documents"]["quarantined"] == 1
    (folder / name).write_bytes(good)
    ingest("handbook", config=str(config))
    assert len(found_by_search(config)) == 2


def test_only_a_change_has_a_lag(run, folder, config, monkeypatch):
    (folder / "leave.md").write_text(PAGE)
    aged(folder / "leave.md", 5)
    run()
    (explained,) = lines(call("explain", "leave.md", "--config", config, "--json"))
    assert explained["lag_seconds"] == pytest.approx(5 * 3600, abs=60)
    assert status_of(config)["lag_seconds"]["backlog"] == 1
    monkeypatch.setattr("parsers.registry.parser_key", lambda *_: "another parser")
    monkeypatch.setattr("flows.wiring.parser_key", lambda *_: "another parser")
    report = run()
    assert report["documents"]["indexed"] == 1
    assert report["lag_seconds"] is None


def test_reprocessing_makes_no_source_fresh(run, folder, config):
    (folder / "leave.md").write_text(PAGE)
    (folder / "bad.pdf").write_bytes(BAD)
    run()
    before = status_of(config)
    (folder / "bad.pdf").write_bytes(pdf("Readable words."))
    (report,) = lines(call("reprocess", "--all", "--config", config, "--json"))
    assert report["entries"][0]["state"] == "resolved"
    after = status_of(config)
    for name in ("last_check", "last_success", "complete_as_of"):
        assert after[name] == before[name]


def test_a_source_that_is_away_is_unknown_at_once(run, folder, config):
    (folder / "leave.md").write_text(PAGE)
    run()
    folder.rename(folder.with_name("away"))
    assert run()["state"] == "failed"
    status = status_of(config)
    assert (status["state"], status["check_failed"]) == ("unknown", True)
    assert "could not be listed" in call("status", "--config", config).stdout


def test_every_run_adds_to_the_history_and_so_does_status_if_asked(run, folder, config):
    (folder / "leave.md").write_text(PAGE)
    run()
    run()
    call("status", "--config", config)
    call("status", "--record", "--config", config)
    settings = load_settings(config)
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        looks = history.looks(connection, "handbook", datetime(2000, 1, 1, tzinfo=UTC))
    assert len(looks) == 3
    assert [look.n_chunks for look in looks] == [1, 1, 1]
    assert looks[-1].within_s == pytest.approx(
        (looks[-1].at - looks[-2].at).total_seconds(), abs=0.01
    )


def test_the_report_accounts_for_every_stage(run, folder):
    for number in range(3):
        (folder / f"{number}.md").write_text(f"# Page {number}\n\nWords of {number}.\n")
    report = run()
    stages = report["stages"]
    n_bytes = sum(file.stat().st_size for file in folder.iterdir())
    assert stages["read"]["documents"] == stages["parse"]["documents"] == 3
    assert stages["read"]["bytes"] == stages["parse"]["bytes"] == n_bytes
    assert stages["chunk"]["chunks"] == report["chunks"]["made"] == 3
    assert stages["embed"]["tokens"] == report["tokens"]["embedded"]
    assert stages["upsert"]["chunks"] == report["chunks"]["written"]
    assert stages["read"]["passes"] == 3
    assert stages["parse"]["passes"] == 1
    assert stages["parse"]["p50"] == stages["parse"]["max"] > 0
    seconds = report["seconds"]
    assert seconds["total"] == pytest.approx(sum(seconds.values()) - seconds["total"], abs=0.01)
    assert 0 <= seconds["other"] < seconds["total"]


def test_runs_publish_freshness_as_artifacts(run, folder, config):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    (folder / "leave.md").write_text(PAGE)
    run()

    def latest(key: str) -> str:
        asked = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
        with get_client(sync_client=True) as client:
            found = client.read_artifacts(
                artifact_filter=asked, sort=ArtifactSort.CREATED_DESC, limit=1
            )
        return str(found[0].data)

    assert "**handbook**: fresh" in latest("freshness-handbook")
    rows = json.loads(latest("freshness"))
    assert [(row["source"], row["state"]) for row in rows] == [("handbook", "fresh")]


@pytest.fixture
def flown(prefect: None, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    (folder / "leave.md").write_text(PAGE)
    return write_config(tmp_path, "canary = { enabled = true }")


def test_a_canary_is_found_and_its_lag_is_kept(flown, folder):
    for _ in range(2):
        (found,) = lines(call("canary", "--config", flown, "--json"))
        assert found["found"] is True
        assert 0 < found["lag_seconds"] < 60
    assert sorted(file.name for file in folder.iterdir()) == ["headwater-canary.md", "leave.md"]
    assert (folder / "leave.md").read_text() == PAGE
    status = status_of(flown)
    assert status["canary"]["lag_seconds"] == found["lag_seconds"]
    assert status["documents"] == {"indexed": 2}
    metrics = call("metrics", "--config", flown).stdout
    assert 'headwater_source_canary_found{source="handbook"} 1.0' in metrics


def test_a_canary_that_no_run_picks_up_is_told(flown):
    call("ingest", "--config", flown)
    command = ("canary", "--no-run", "--timeout", "0", "--config", flown, "--json")
    (found,) = lines(call(*command), status=1)
    assert found["found"] is False
    assert found["error"] == "no search found it in 0 s"
    assert status_of(flown)["canary"]["lag_seconds"] is None


def test_by_schedule_a_canary_brings_its_own_run_where_the_source_has_no_schedule(flown):
    (found,) = scheduled.canary(config=str(flown))
    assert (found["source"], found["found"]) == ("handbook", True)
    assert status_of(flown)["canary"]["lag_seconds"] == found["lag_seconds"]


def test_by_schedule_a_canary_that_no_run_picks_up_fails(flown, tmp_path):
    config = write_config(tmp_path, 'canary = { enabled = true }\nschedule = "6h"')
    call("ingest", "--config", config)
    with pytest.raises(UserError, match="handbook: no search found it in 0 s"):
        scheduled.canary("handbook", str(config), timeout_s=0)
    assert status_of(config)["canary"]["lag_seconds"] is None


def test_a_canary_of_a_source_that_nobody_knows_or_allowed_is_told(flown, tmp_path):
    with pytest.raises(UserError, match="no source gone"):
        scheduled.canary("gone", str(flown))
    with pytest.raises(UserError, match="enabled = true"):
        scheduled.canary("handbook", str(write_config(tmp_path, "")))


def test_a_canary_replaces_nothing_of_the_users(flown, folder, tmp_path):
    theirs = folder / "headwater-canary.md"
    theirs.write_text("mine")
    result = call("canary", "--config", flown)
    assert (result.exit_code, theirs.read_text()) == (2, "mine")
    theirs.unlink()
    theirs.symlink_to(folder / "leave.md")
    assert call("canary", "--config", flown).exit_code == 2
    assert (folder / "leave.md").read_text() == PAGE
    theirs.unlink()
    without = write_config(tmp_path, "")
    assert call("canary", "handbook", "--config", without).exit_code == 2
    excluding = write_config(tmp_path, 'include = ["*.pdf"]\ncanary = { enabled = true }')
    assert call("canary", "--config", excluding).exit_code == 2
    assert not theirs.exists()


def test_the_chunks_of_a_look_are_those_that_a_count_finds(run, folder, config, state):
    from flows.freshness.status import quick_statuses

    def agree() -> bool:
        settings = load_settings(config)
        with open_catalog(settings) as catalog, catalog.reading() as connection:
            (quick,) = quick_statuses(settings, connection, datetime.now(UTC))
            return quick.n_chunks == count_chunks(connection, "handbook")

    (folder / "leave.md").write_text(PAGE)
    (folder / "sick.md").write_text(PAGE + "\n## Sick\n\nCall.\n")
    run()
    assert agree()
    (folder / "leave.md").write_text(PAGE + "\n## More\n\nWords.\n")
    run()
    assert agree()
    assert call("erase", "leave.md", "--yes", "--config", config).exit_code == 0
    assert agree()
    settings = load_settings(config)
    with open_catalog(settings) as catalog, catalog.writing() as connection:
        # A run that was killed after it had changed a document.
        connection.execute(
            sa.insert(tables.run).values(
                id="k" * 32, source="handbook", kind="ingest", state="running",
                started_at=datetime.now(UTC),
            )
        )  # fmt: skip
        connection.execute(sa.delete(tables.chunk).where(tables.chunk.c.ordinal == 1))
    assert agree()
