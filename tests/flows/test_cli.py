"""The command line, in this process; what must be a process of its own is in test_commands.py."""

import json
import os
import sqlite3
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tests.documents import pdf
from tests.fakes import FakeEmbedder

PAGE = "# Leave\n\nAnnual leave accrues.\n\n## Sick leave\n\nCall in before nine.\n"
RUN_KEYS = {
    "run_id", "source", "state", "documents", "reasons", "chunks", "tokens", "seconds",
    "lag_seconds", "balanced",
}  # fmt: skip


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def filled(ingest, folder, state) -> Path:
    """A state directory with a good, a partial and a bad document."""
    (folder / "leave.md").write_text(PAGE)
    (folder / "mixed.pdf").write_bytes(pdf("Readable words.", None))
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    return state


def test_help_is_the_map():
    result = call("--help")
    commands = (
        "ingest", "status", "quarantine", "alerts", "checks", "search", "explain", "doctor",
    )  # fmt: skip
    for command in commands:
        assert command in result.stdout
        shown = call(command, "--help")
        assert shown.exit_code == 0
    assert "Examples" in call("search", "--help").stdout


def test_it_says_which_release_it_is():
    result = call("--version")
    assert (result.exit_code, result.stdout) == (0, f"headwater {version('headwater')}\n")


def test_ingest_prints_one_object_a_source(prefect, folder, state, monkeypatch):
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    (folder / "leave.md").write_text(PAGE)
    result = call("ingest", folder, "--state", state, "--json")
    (report,) = lines(result)
    assert report.keys() >= RUN_KEYS
    assert report["documents"]["indexed"] == 1
    assert report["balanced"] is True
    seconds = report["seconds"]
    stages = sum(taken for stage, taken in seconds.items() if stage != "total")
    assert stages == pytest.approx(seconds["total"], abs=0.01)


def test_strict_says_by_its_exit_status_that_something_is_in_quarantine(
    prefect, folder, state, monkeypatch
):
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    assert call("ingest", folder, "--state", state).exit_code == 0
    assert call("ingest", folder, "--state", state, "--strict").exit_code == 3


def test_a_failed_run_exits_with_1_and_prints_its_report(prefect, folder, state, monkeypatch):
    monkeypatch.setattr("flows.wiring.Embedder", FakeEmbedder)
    (folder / "a.md").write_text(PAGE)
    call("ingest", folder, "--state", state)
    (folder / "a.md").unlink()
    result = call("ingest", folder, "--state", state, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["state"] == "failed"


def test_status_is_fresh_after_a_run_and_an_error_when_it_is_long_ago(filled, monkeypatch):
    (status,) = lines(call("status", "--state", filled, "--json"))
    assert status["state"] == "fresh"
    assert status["documents"] == {"indexed": 1, "partial": 1, "quarantined": 1}
    assert status["quarantined"] == {"corrupt": 1}
    assert status["chunks"] == 3
    assert call("status", "--state", filled).exit_code == 0
    from datetime import UTC, datetime, timedelta

    import flows.freshness.status

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(UTC) + timedelta(days=2)

    monkeypatch.setattr(flows.freshness.status, "datetime", Later)
    result = call("status", "--state", filled, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["state"] == "error"


def test_a_source_that_is_configured_and_was_never_ingested_is_unknown(filled, tmp_path):
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "never"\nuri = "docs"\n')
    statuses = lines(call("status", "--state", filled, "--config", config, "--json"))
    assert {one["source"]: one["state"] for one in statuses} == {
        "docs": "fresh",
        "never": "unknown",
    }


def test_the_quarantine_lists_what_failed_and_shows_why(filled):
    (entry,) = lines(call("quarantine", "list", "--state", filled, "--json"))
    assert (entry["uri"], entry["code"], entry["state"]) == ("bad.pdf", "corrupt", "open")
    assert {"id", "source", "detail", "stage", "first_seen", "last_seen"} <= set(entry)
    assert {"attempts", "group"} <= set(entry)
    (shown,) = lines(call("quarantine", "show", entry["id"][:6], "--state", filled, "--json"))
    assert shown["remedy"].startswith("Open the file")
    assert "pypdf" in shown["traceback"]
    human = call("quarantine", "list", "--state", filled).stdout
    assert entry["id"] in human
    assert "Open the file" in human
    assert call("quarantine", "show", "nothing", "--state", filled).exit_code == 2
    assert lines(call("quarantine", "list", "--source", "x", "--state", filled, "--json")) == []


def test_search_gives_ranked_chunks_with_their_origin(filled):
    results = lines(
        call("search", "Leave Annual leave accrues.", "-k", "2", "--state", filled, "--json")
    )
    assert [result["rank"] for result in results] == [1, 2]
    assert results[0]["score"] >= results[1]["score"]
    assert {
        "chunk_id", "uri", "page_first", "page_last", "heading_path", "text",
        "source_modified_at", "indexed_at",
    } <= set(results[0])  # fmt: skip
    assert "leave.md" in call("search", "leave", "--state", filled).stdout


def test_explain_leads_from_a_chunk_to_its_bytes(filled, folder):
    (document,) = lines(call("explain", "leave.md", "--state", filled, "--json"))
    assert document["location"] == str(folder / "leave.md")
    assert document["outcome"] == "indexed"
    chunk_id = document["chunks"][1]["chunk_id"]
    (chunk,) = lines(call("explain", chunk_id, "--state", filled, "--json"))
    assert chunk["text"] == "## Sick leave\n\nCall in before nine."
    assert PAGE[chunk["char_start"] : chunk["char_end"]] == chunk["text"]
    assert chunk["version"] == document["sha256"]
    assert {"parser", "parser_version", "model", "model_revision", "run_id", "uri"} <= set(chunk)
    assert "Call in before nine" in call("explain", chunk_id, "--state", filled).stdout


def test_explain_says_which_engine_read_a_page(filled):
    (found,) = lines(call("search", "Readable words.", "-k", "1", "--state", filled, "--json"))
    (chunk,) = lines(call("explain", found["chunk_id"], "--state", filled, "--json"))
    assert chunk["uri"] == "mixed.pdf"
    assert chunk["pages"] == [{"number": 1, "label": "", "engine": "pdfium"}]


def test_explain_tells_of_a_document_in_quarantine_and_of_pages_left_out(filled):
    (bad,) = lines(call("explain", "bad.pdf", "--state", filled, "--json"))
    assert bad["quarantine"]["code"] == "corrupt"
    (mixed,) = lines(call("explain", "mixed.pdf", "--state", filled, "--json"))
    assert mixed["searchable_version"]["left_out"][0]["number"] == 2


def test_doctor_finds_what_is_there(filled):
    findings = lines(call("doctor", "--state", filled, "--json"))
    assert all(finding["ok"] for finding in findings), findings
    assert {"model", "sandbox", "state directory", "catalog"} <= {f["check"] for f in findings}


def test_doctor_says_what_is_missing(tmp_path):
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "gone"\nuri = "nowhere"\n')
    result = call("doctor", "--config", config, "--json")
    assert result.exit_code == 1
    bad = [json.loads(line) for line in result.stdout.splitlines()]
    assert [finding["check"] for finding in bad if not finding["ok"]] == ["source gone"]


def told(result: Result, status: int, *words: str) -> None:
    """One line on standard error, nothing on standard output, no traceback."""
    assert result.exit_code == status, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("headwater: ")
    for word in words:
        assert word in line, line


def test_a_missing_folder_is_told_in_one_line(tmp_path):
    told(call("ingest", tmp_path / "missing"), 2, "no file or folder", "missing")


def test_nothing_to_ingest_is_told_in_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told(call("ingest"), 2, "no source is configured")


def test_a_wrong_setting_is_told_in_one_line(tmp_path):
    config = tmp_path / "headwater.toml"
    config.write_text("[limits]\nparse_timeout_s = 'long'\n")
    told(call("ingest", tmp_path, "--config", config), 2, "limits.parse_timeout_s", "'long'")


def test_a_settings_file_that_is_missing_is_told_in_one_line(tmp_path):
    told(call("status", "--config", tmp_path / "none.toml"), 2, "there is no file")


def test_asking_before_anything_was_ingested_is_told_in_one_line(tmp_path):
    for command in (["status"], ["search", "x"], ["explain", "x"], ["quarantine", "list"]):
        told(call(*command, "--state", tmp_path / "s"), 1, "nothing has been ingested")


def test_what_nobody_knows_is_told_in_one_line(filled):
    told(call("explain", "nothing.md", "--state", filled), 2, "nothing.md")


def test_a_state_directory_that_is_a_file_is_told_in_one_line(tmp_path, folder):
    (tmp_path / "file").write_text("x")
    told(call("ingest", folder, "--state", tmp_path / "file"), 1, "cannot be written to", "--state")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_state_directory_is_told_in_one_line(tmp_path, folder):
    (tmp_path / "locked").mkdir(mode=0o500)
    told(call("ingest", folder, "--state", tmp_path / "locked" / "s"), 1, "cannot be written to")


def test_a_catalog_that_is_no_database_is_told_in_one_line(tmp_path):
    (tmp_path / "catalog.db").write_bytes(b"no database" * 1000)
    told(call("status", "--state", tmp_path), 1, "not a database")


def test_a_model_that_is_no_longer_what_it_was_is_told_in_one_line(filled):
    with sqlite3.connect(filled / "catalog.db") as connection:
        connection.execute("UPDATE generation SET revision = 'another'")
    connection.close()
    result = call("search", "x", "--state", filled)
    told(result, 1, "revision another", "put the model back")
