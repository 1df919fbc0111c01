"""Documents inside of documents: archives, mails, and Slack exports in folders and archives."""

import io
import json
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msoffcrypto.format.ooxml import OOXMLFile

from flows.settings import SettingsError
from parsers.contract import ParseOptions
from tests.documents import pdf, word
from tests.flows.test_ingest import contents, settled

pytestmark = pytest.mark.proof

PAGE = "# Leave\n\nAnnual leave accrues.\n"


def zip_of(**members: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def outcomes(report: dict[str, Any]) -> dict[str, int]:
    assert report["balanced"] is True
    return {name: n for name, n in report["documents"].items() if n}


def uris(state: Path) -> set[str]:
    return {str(chunk["uri"]) for chunk in contents(state).values()}


@pytest.fixture
def box(folder) -> Path:
    """An archive of a good document, a bad one, and an archive with one more."""
    inner = zip_of(**{"deep.md": "# Deep\n\nStill waters.\n"})
    members = {"leave.md": PAGE, "sub/bad.pdf": b"%PDF-1.4 nothing", "inner.zip": inner}
    path: Path = folder / "box.zip"
    path.write_bytes(zip_of(**members))
    return path


def test_members_are_documents_of_their_own(ingest, box, state):
    report = ingest()
    assert outcomes(report) == {"found": 5, "indexed": 4, "quarantined": 1}
    assert report["reasons"] == {"corrupt": 1}
    assert uris(state) == {"box.zip!/leave.md", "box.zip!/inner.zip!/deep.md"}


def test_an_archive_that_did_not_change_is_not_opened_again(ingest, box, folder):
    settled(folder)
    ingest()
    report = ingest()
    assert outcomes(report) == {"found": 5, "unchanged": 4, "quarantined": 1}
    assert report["seconds"].get("parse", 0) == 0


def test_members_that_are_gone_are_removed_and_others_stay(ingest, box, state):
    ingest()
    box.write_bytes(zip_of(**{"leave.md": PAGE, "new.md": "# New\n\nFresh.\n"}))
    report = ingest()
    assert outcomes(report) == {"found": 3, "indexed": 2, "unchanged": 1, "removed": 3}
    assert uris(state) == {"box.zip!/leave.md", "box.zip!/new.md"}
    assert report["reasons"] == {}


def test_members_go_with_their_archive(ingest, box, folder, state):
    (folder / "other.md").write_text(PAGE)
    ingest()
    box.unlink()
    assert outcomes(ingest(allow_removal=True)) == {"found": 1, "unchanged": 1, "removed": 5}
    assert uris(state) == {"other.md"}


def test_a_damaged_archive_keeps_what_was_in_it(ingest, box, state):
    ingest()
    before = uris(state)
    box.write_bytes(b"PK\x03\x04 nothing")
    report = ingest()
    assert outcomes(report) == {"found": 5, "unchanged": 3, "quarantined": 2}
    assert uris(state) == before
    assert outcomes(ingest()) == {"found": 5, "unchanged": 3, "quarantined": 2}


def test_rules_hold_for_members_too(ingest, box, tmp_path, state):
    config = tmp_path / "headwater.toml"
    settings = '[[sources]]\nname = "s"\nuri = "docs"\n'
    config.write_text(f'{settings}exclude = ["**/*.pdf", "**/inner.zip"]\n')
    for expected in ({"indexed": 2}, {"unchanged": 2}):
        assert outcomes(ingest("s", config=str(config))) == {"found": 4, "skipped": 2} | expected
    config.write_text(settings)
    report = ingest("s", config=str(config))
    assert outcomes(report) == {"found": 5, "indexed": 3, "unchanged": 1, "quarantined": 1}
    config.write_text(f'{settings}exclude = ["**/inner.zip"]\n')
    report = ingest("s", config=str(config))
    assert outcomes(report) == {
        "found": 4, "indexed": 1, "unchanged": 1, "quarantined": 1, "skipped": 1, "removed": 1,
    }  # fmt: skip
    assert uris(state) == {"box.zip!/leave.md"}


def test_archives_stay_closed_if_the_source_says_so(ingest, box, tmp_path):
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\nopen_archives = false\n')
    report = ingest("s", config=str(config))
    assert outcomes(report) == {"found": 1, "quarantined": 1}
    assert report["reasons"] == {"unsupported_type": 1}


def test_archives_within_archives_end_somewhere(ingest, folder):
    data = zip_of(**{"a.md": PAGE})
    for _ in range(8):
        data = zip_of(**{"in.zip": data})
    (folder / "deep.zip").write_bytes(data)
    report = ingest()
    assert report["reasons"] == {"decompression_bomb": 1}
    assert report["documents"]["found"] == 7


def test_a_document_that_holds_too_much_is_one_failure(ingest, folder, state, monkeypatch):
    monkeypatch.setattr("flows.settings.ParseOptions", partial(ParseOptions, max_members=20))
    (folder / "leave.md").write_text(PAGE)
    box = folder / "box.zip"
    box.write_bytes(zip_of(**{"a.md": PAGE}))
    ingest()
    inner = zip_of(**{f"{number}.md": PAGE for number in range(10)})
    box.write_bytes(zip_of(**{f"{number}.zip": inner for number in range(10)}))
    report = ingest()
    assert report["reasons"] == {"decompression_bomb": 1}
    assert outcomes(report) == {"found": 3, "unchanged": 2, "quarantined": 1}
    assert outcomes(ingest()) == {"found": 3, "unchanged": 2, "quarantined": 1}
    assert uris(state) == {"leave.md", "box.zip!/a.md"}


def test_a_mail_and_what_is_attached_to_it(ingest, folder, state):
    import email.message

    mail = email.message.EmailMessage()
    mail["Subject"], mail["From"], mail["To"] = "Leave", "ann@example.org", "ben@example.org"
    mail.set_content("See what is attached.")
    mail.add_attachment(
        pdf("Annual leave accrues."), maintype="application", subtype="pdf", filename="rules.pdf"
    )
    (folder / "mail.eml").write_bytes(mail.as_bytes())
    assert outcomes(ingest()) == {"found": 2, "indexed": 2}
    assert uris(state) == {"mail.eml", "mail.eml!/rules.pdf"}


USERS = [{"id": "U1", "name": "ann", "profile": {"display_name": "Ann"}}]
CHANNELS = [{"id": "C1", "name": "general"}]
GROUPS = [{"id": "G1", "name": "secret"}]


def message(minute: int, words: str) -> dict[str, str]:
    ts = f"{1_700_000_000 + 60 * minute}.000100"
    return {"type": "message", "user": "U1", "ts": ts, "text": words}


def export(**days: list[dict[str, str]]) -> dict[str, str]:
    files: dict[str, Any] = {
        "users.json": USERS, "channels.json": CHANNELS, "groups.json": GROUPS,
        "general/2023-11-14.json": [message(0, "The kettle is descaled.")],
        "secret/2023-11-14.json": [message(1, "Nobody knows.")],
    }  # fmt: skip
    return {name: json.dumps(value) for name, value in (files | days).items()}


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_a_conversation_is_a_document_and_a_private_one_is_left_alone(ingest, folder, state):
    write(folder / "slack", export())
    assert outcomes(ingest()) == {"found": 2, "indexed": 1, "skipped": 1}
    assert uris(state) == {"slack/general"}
    report = ingest()
    assert outcomes(report) == {"found": 2, "unchanged": 1, "skipped": 1}
    assert report["rules"] == {"include_private is not set": 1}


def test_a_new_day_changes_its_conversation_alone(ingest, folder, state):
    write(folder / "slack", export() | {"random/2023-11-14.json": json.dumps([message(3, "Hi.")])})
    ingest()
    before = set(contents(state))
    write(folder / "slack", {"general/2023-11-15.json": json.dumps([message(1440, "Cold tea.")])})
    report = ingest()
    assert report["documents"]["indexed"] == 1
    assert report["chunks"]["deleted"] == 0
    assert before < set(contents(state))


def test_files_that_a_rule_excludes_are_part_of_no_conversation(ingest, folder, tmp_path, state):
    channels = [*CHANNELS, {"id": "C2", "name": "random"}]
    days = {"channels.json": channels, "random/2023-11-14.json": [message(3, "Hi.")]}
    write(folder / "slack", export(**days))
    config = tmp_path / "headwater.toml"
    source = '[[sources]]\nname = "s"\nuri = "docs"\n'
    config.write_text(f'{source}exclude = ["slack/general/**"]\n')
    assert outcomes(ingest("s", config=str(config))) == {"found": 3, "indexed": 1, "skipped": 2}
    assert uris(state) == {"slack/random"}


def test_a_day_that_cannot_be_read_shortens_no_conversation(ingest, folder, state):
    write(folder / "slack", export())
    ingest()
    before = contents(state)
    (folder / "slack" / "general" / "2023-11-15.json").symlink_to(folder / "nowhere")
    report = ingest()
    assert report["reasons"] == {"source_unreadable": 1}
    assert contents(state) == before


def test_private_conversations_are_read_if_the_source_says_so(ingest, folder, tmp_path, state):
    write(folder / "slack", export())
    config = tmp_path / "headwater.toml"
    config.write_text('[[sources]]\nname = "s"\nuri = "docs"\ninclude_private = true\n')
    assert outcomes(ingest("s", config=str(config))) == {"found": 2, "indexed": 2}


def test_an_export_in_an_archive_reads_as_in_a_folder(ingest, folder, state):
    (folder / "slack.zip").write_bytes(zip_of(**export()))
    assert outcomes(ingest()) == {"found": 3, "indexed": 2, "skipped": 1}
    assert uris(state) == {"slack.zip!/general"}
    report = ingest()
    assert outcomes(report) == {"found": 3, "unchanged": 2, "skipped": 1}
    assert report["rules"] == {"include_private is not set": 1}


def test_files_beside_the_conversations_are_documents(ingest, folder, state):
    write(folder / "slack", export() | {"notes.md": PAGE})
    assert outcomes(ingest()) == {"found": 3, "indexed": 2, "skipped": 1}
    assert uris(state) == {"slack/general", "slack/notes.md"}


def test_a_password_opens_what_was_encrypted(ingest, folder, tmp_path, monkeypatch):
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(word(("Normal", "Nobody knows.")))).encrypt("open sesame", out)
    (folder / "sealed.docx").write_bytes(out.getvalue())
    (folder / "other.docx").write_bytes(out.getvalue())
    config = tmp_path / "headwater.toml"
    config.write_text(settings := '[[sources]]\nname = "s"\nuri = "docs"\n')
    assert ingest("s", config=str(config))["reasons"] == {"encrypted": 2}
    monkeypatch.setenv("KEYS", "wrong\nopen sesame")
    config.write_text(f'{settings}passwords = [{{ pattern = "sealed.*", env = "KEYS" }}]\n')
    report = ingest("s", config=str(config))
    assert outcomes(report) == {"found": 2, "indexed": 1, "quarantined": 1}
    assert outcomes(ingest("s", config=str(config))) == {
        "found": 2, "unchanged": 1, "quarantined": 1,
    }  # fmt: skip


def test_a_password_that_is_nowhere_is_a_wrong_setting(ingest, tmp_path):
    config = tmp_path / "headwater.toml"
    source = '[[sources]]\nname = "s"\nuri = "docs"\n'
    config.write_text(f'{source}passwords = [{{ env = "NO_SUCH_VARIABLE" }}]\n')
    with pytest.raises(SettingsError, match="NO_SUCH_VARIABLE"):
        ingest("s", config=str(config))
