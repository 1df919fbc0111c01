"""Trying quarantined documents again: only what is chosen, and what came of it."""

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from flows.errors import UsageError
from flows.reprocess import given_passwords
from tests.documents import encrypted_pdf, pdf, zipped

pytestmark = pytest.mark.proof

PASSWORD = "correct-horse-battery"
PAGE = "# Leave\n\nAnnual leave accrues.\n"


def call(*arguments: str | Path, given: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=given)


@pytest.fixture
def reprocess(ingest, state):
    from flows.reprocess import reprocess as flow

    def run(**options: Any) -> list[dict[str, Any]]:
        return flow(state=str(state), **options)

    return run


def entries(state: Path) -> dict[str, dict[str, Any]]:
    result = call("quarantine", "list", "--state", state, "--json")
    assert result.exit_code == 0, result.output
    return {entry["uri"]: entry for entry in map(json.loads, result.stdout.splitlines())}


def test_an_encrypted_document_is_read_with_its_password(ingest, folder, state, prefect):
    (folder / "secret.pdf").write_bytes(encrypted_pdf("Words behind a lock.", PASSWORD))
    (folder / "leave.md").write_text(PAGE)
    ingest()
    entry = entries(state)["secret.pdf"]
    wrong = call(
        "reprocess", "--id", entry["id"], "--password", "--state", state, given="nonsense\n"
    )
    assert wrong.exit_code == 1
    assert entries(state)["secret.pdf"]["attempts"] == 2
    assert entries(state)["secret.pdf"]["state"] == "open"
    result = call(
        "reprocess", "--id", entry["id"][:6], "--password", "--state", state, "--json",
        given=f"{PASSWORD}\n",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout.splitlines()[-1])
    assert [(one["uri"], one["state"]) for one in report["entries"]] == [("secret.pdf", "resolved")]
    assert report["documents"]["indexed"] == 1
    assert entries(state) == {}
    after = ingest()
    assert (after["documents"]["unchanged"], after["documents"]["found"]) == (2, 2)
    assert PASSWORD not in result.output + wrong.output
    for file in [*state.rglob("*"), *_server_files()]:
        if file.is_file():
            assert PASSWORD.encode() not in file.read_bytes(), file


def _server_files() -> list[Path]:
    """Of the Prefect server that the tests share."""
    from prefect.settings import get_current_settings

    return list(get_current_settings().home.rglob("*"))


def test_only_what_is_chosen_is_touched(ingest, folder, state, reprocess):
    for name in ("a.pdf", "b.pdf"):
        (folder / name).write_bytes(b"%PDF-1.4 nothing")
    (folder / "odd.xyz").write_bytes(b"\x00\x01\x02" * 50)
    (folder / "leave.md").write_text(PAGE)
    ingest()
    (folder / "leave.md").write_text("# Leave\n\nChanged, but nobody asked for it.\n")
    (report,) = reprocess(reason="corrupt")
    assert report["documents"]["found"] == report["documents"]["quarantined"] == 2
    assert report["balanced"]
    assert {one["uri"]: one["attempts"] for one in report["entries"]} == {"a.pdf": 2, "b.pdf": 2}
    assert entries(state)["odd.xyz"]["attempts"] == 1
    assert ingest(verify=True)["documents"]["indexed"] == 1


def test_another_limit_lets_a_document_through_for_good(ingest, folder, state, tmp_path, reprocess):
    config = tmp_path / "headwater.toml"
    config.write_text("[limits]\nmax_pages = 1\n")
    (folder / "long.pdf").write_bytes(pdf("One page.", "Two pages.", "Three pages."))
    assert ingest(config=str(config))["reasons"] == {"too_many_pages": 1}
    (report,) = reprocess(everything=True, config=str(config), limits={"max_pages": 10})
    assert report["entries"][0]["state"] == "resolved"
    assert ingest(config=str(config))["documents"]["unchanged"] == 1


def test_a_document_can_be_read_as_something_else(ingest, folder, state, reprocess):
    (folder / "notes.pdf").write_bytes(b"%PDF-1.4\nThese are notes that someone named so.\n")
    ingest()
    assert entries(state)["notes.pdf"]
    (report,) = reprocess(uri="*.pdf", parser="plain-text")
    assert report["entries"][0]["state"] == "resolved"
    assert ingest()["documents"]["unchanged"] == 1


def test_a_member_of_an_archive_is_tried_again_by_itself(ingest, folder, state, reprocess):
    locked = encrypted_pdf("Words behind a lock.", PASSWORD)
    packed = zipped(**{"secret.pdf": locked, "plain.txt": b"Plain words in an archive."})
    (folder / "both.zip").write_bytes(packed)
    ingest()
    token = given_passwords.set((PASSWORD,))
    try:
        (report,) = reprocess(uri="both.zip!/secret.pdf")
    finally:
        given_passwords.reset(token)
    assert [one["state"] for one in report["entries"]] == ["resolved"]
    assert report["chunks"]["embedded"] == 1
    assert entries(state) == {}


def test_a_document_that_is_gone_is_left_to_the_next_run(ingest, folder, state, reprocess):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    (folder / "bad.pdf").unlink()
    (report,) = reprocess(everything=True)
    assert "gone from its source" in report["entries"][0]["detail"]
    assert entries(state)["bad.pdf"]["state"] == "open"
    ingest()
    assert entries(state) == {}


def test_trying_again_makes_no_source_fresh(ingest, folder, state, reprocess):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    before = json.loads(call("status", "--state", state, "--json").stdout)
    reprocess(everything=True)
    after = json.loads(call("status", "--state", state, "--json").stdout)
    for clock in ("last_check", "last_success"):
        assert after[clock] == before[clock]


def test_what_is_ignored_is_left_alone_until_it_is_opened(ingest, folder, state, reprocess):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    entry = entries(state)["bad.pdf"]
    ignored = call("quarantine", "ignore", entry["id"], "--why", "a signature", "--state", state)
    assert ignored.exit_code == 0, ignored.output
    assert entries(state)["bad.pdf"]["state"] == "ignored"
    with pytest.raises(UsageError, match="no entry"):
        reprocess(everything=True)
    ingest()
    assert entries(state)["bad.pdf"]["state"] == "ignored"
    shown = json.loads(call("quarantine", "show", entry["id"], "--state", state, "--json").stdout)
    assert shown["history"][-1]["what"] == "ignored"
    assert shown["history"][-1]["why"] == "a signature"
    assert "@" in shown["history"][-1]["who"]
    call("quarantine", "open", entry["id"], "--why", "wanted", "--state", state)
    assert entries(state)["bad.pdf"]["state"] == "open"


def test_many_that_failed_in_one_way_are_one_line(ingest, folder, state):
    for number in range(40):
        (folder / f"{number:02}.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    shown = call("quarantine", "list", "--state", state)
    lines = [line for line in shown.stdout.splitlines() if ".pdf" in line]
    assert len(lines) == 1
    assert "40 x group" in lines[0]
    (group,) = {entry["group"] for entry in entries(state).values()}
    every = call("quarantine", "list", "--group", group, "--state", state).stdout
    assert sum(".pdf" in line for line in every.splitlines()) == 40


def test_a_new_parser_version_releases_them_once(ingest, folder, state, monkeypatch):
    for number in range(3):
        (folder / f"{number}.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    assert ingest()["released"] == 0
    monkeypatch.setattr("parsers.pdf.parser.VERSION", "another")
    assert ingest()["released"] == 3
    assert ingest()["released"] == 0
    assert {entry["attempts"] for entry in entries(state).values()} == {2}


def test_nothing_chosen_or_nothing_found_is_told(ingest, folder, state):
    (folder / "leave.md").write_text(PAGE)
    ingest()
    result = call("reprocess", "--state", state)
    assert (result.exit_code, "--reason" in result.stderr) == (2, True)
    assert call("reprocess", "--all", "--state", state).exit_code == 2
    assert call("reprocess", "--all", "--limit", "speed", "--state", state).exit_code == 2


def test_entries_of_a_retry_that_was_killed_are_open_again(ingest, folder, state):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 nothing")
    ingest()
    with sqlite3.connect(state / "catalog.db") as connection:
        connection.execute("UPDATE quarantine SET state = 'retrying'")
    connection.close()
    ingest()
    assert entries(state)["bad.pdf"]["state"] == "open"
