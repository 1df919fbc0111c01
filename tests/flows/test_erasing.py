"""Erasing documents that were ingested: nothing of them is left in the state directory."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import sqlalchemy as sa
import zstandard
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from flows import erasing
from flows.cli import app
from flows.errors import LeaseHeld, NotErased, UsageError
from flows.runs.lease import source_lease
from flows.settings import Settings, load_settings
from flows.upkeep import reconcile_index
from flows.wiring import open_catalog
from index.catalog import tables
from index.catalog.embeddings import load_embeddings
from index.erasure.needles import count_vectors
from tests.documents import pdf, word, zipped
from tests.flows.test_ingest import contents, found, settled

pytestmark = pytest.mark.proof

OLD = "Xylographer Doe was on sick leave in November"
NEW = "Quillwort Doe earns eighty thousand and wants more"
DEEP = "Bandicoot Doe wrote to the works council about it"
PAGE = "Wombat Doe studied forestry for three years"
BROKEN = "Numbat Doe is in a file that nobody can read"
MARKERS = (OLD, NEW, DEEP, PAGE, BROKEN)
SHARED = "The cafeteria opens at eight and closes at six"
ERASED = ("person.md", "box.zip!/letter.md", "cv.pdf", "bad.docx")
KEPT = {"stays.md", "box.zip!/other.md"}


def person(marker: str) -> str:
    return f"# Doe\n\n{marker}.\n\n# Lunch\n\n{SHARED}.\n"


@pytest.fixture
def filled(ingest, folder, state) -> Path:
    """A state directory with what is to be erased, and what is not."""
    (folder / "person.md").write_text(person(OLD))
    members = {"letter.md": f"# Letter\n\n{DEEP}.\n", "other.md": "# Other\n\nWords.\n"}
    (folder / "box.zip").write_bytes(zipped(**{k: v.encode() for k, v in members.items()}))
    (folder / "cv.pdf").write_bytes(pdf(f"{PAGE}.", title="CV"))
    broken = word(("Normal", BROKEN))
    (folder / "bad.docx").write_bytes(broken[:-200] + BROKEN.encode())
    (folder / "stays.md").write_text(f"# Lunch\n\n{SHARED}.\n")
    ingest()
    (folder / "person.md").write_text(person(NEW))
    settled(folder)
    report = ingest()
    assert report["documents"]["quarantined"] == 1
    return state


@pytest.fixture
def settings(state) -> Settings:
    return load_settings(state_dir=state)


def vectors_of(settings: Settings, *uris: str) -> list[NDArray[np.float32]]:
    """Of chunks, current and past, that only these documents have."""
    document = tables.document.c
    with open_catalog(settings) as catalog, catalog.reading() as connection:
        ids = list(connection.scalars(sa.select(document.id).where(document.uri.in_(uris))))
        keys: dict[bool, set[str]] = {True: set(), False: set()}
        for table in (tables.chunk, tables.past_chunk):
            for key, owner in connection.execute(
                sa.select(table.c.embedding_key, table.c.document_id)
            ):
                keys[owner in ids].add(key)
        return list(load_embeddings(connection, sorted(keys[True] - keys[False])).values())


def everything(state: Path) -> dict[str, bytes]:
    """All files, those of the text store unpacked."""
    read = {str(p.relative_to(state)): p.read_bytes() for p in state.rglob("*") if p.is_file()}
    unpack = zstandard.ZstdDecompressor().decompress
    return {name: unpack(data) if name.endswith(".zst") else data for name, data in read.items()}


def holding(state: Path, vectors: list[NDArray[np.float32]]) -> set[str]:
    """The files that hold one of the markers or of the vectors."""
    needles = [marker.encode() for marker in MARKERS] + [vector.tobytes() for vector in vectors]
    return {
        name
        for name, data in everything(state).items()
        if any(needle in data for needle in needles)
        or count_vectors(np.frombuffer(data[: len(data) // 4 * 4], "<f4"), vectors)
    }


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def receipts(state: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((state / "receipts").glob("*.json"))]


def test_what_is_erased_is_nowhere_and_stays_away_until_it_is_allowed(
    ingest, filled, folder, settings
):
    vectors = vectors_of(settings, *ERASED)
    assert len(vectors) == 5
    assert holding(filled, vectors)
    for uri in ERASED:
        erasing.erase(settings, uri)
    assert holding(filled, vectors) == set()
    assert {str(chunk["uri"]) for chunk in contents(filled).values()} == KEPT
    assert all(report.agrees for report in reconcile_index(settings))

    report = ingest()
    found(report, found=7, indexed=1, unchanged=2, skipped=4)
    assert report["rules"] == {"erased": 4}
    report = ingest()
    found(report, found=7, unchanged=3, skipped=4)
    assert report["rules"] == {"erased": 4}
    assert holding(filled, vectors) == set()

    for uri in ("person.md", "box.zip!/letter.md"):
        assert erasing.allow(settings, uri) == "docs"
    report = ingest()
    assert report["documents"]["skipped"] == 2
    assert {str(chunk["uri"]) for chunk in contents(filled).values()} == {
        *KEPT, "person.md", "box.zip!/letter.md",
    }  # fmt: skip


def test_a_container_goes_with_all_that_it_holds(ingest, filled, settings):
    receipt = erasing.erase(settings, "box.zip").as_json()
    assert receipt["documents"] == 3
    assert receipt["members"] == ["box.zip!/letter.md", "box.zip!/other.md"]
    assert not any("box.zip" in str(chunk["uri"]) for chunk in contents(filled).values())
    report = ingest()
    found(report, found=5, unchanged=3, skipped=1, quarantined=1)


def test_the_receipt_says_what_was_done_and_nothing_of_the_content(ingest, filled, settings):
    receipt = erasing.erase(settings, "person.md").as_json()
    assert receipts(filled) == [receipt]
    assert (receipt["source"], receipt["uri"]) == ("docs", "person.md")
    assert receipt["removed"]["rows"]["version"] == receipt["removed"]["texts"] == 2
    assert receipt["removed"]["embeddings"] == receipt["removed"]["vectors"] + 1 == 3
    proof = receipt["proof"]
    assert (proof["probes"], proof["probes_left_out"]) == (2, 1)
    assert (proof["vectors"], proof["text_matches"], proof["vector_matches"]) == (3, 0, 0)
    assert proof["bytes_read"] > 10_000
    assert receipt["same_words"] == ["stays.md"]
    assert receipt["same_bytes"] == []
    assert "catalog.db" in receipt["uri_still_in"]
    assert "sha256" not in receipt
    assert not any(words in json.dumps(receipt) for words in (*MARKERS, SHARED, "Lunch"))


def test_a_copy_under_another_name_is_named(ingest, filled, folder, settings):
    (folder / "copy.md").write_text(person(NEW))
    ingest()
    receipt = erasing.erase(settings, "person.md", with_hashes=True).as_json()
    assert receipt["same_bytes"] == ["copy.md"]
    assert len(receipt["sha256"]) == 2
    assert OLD.encode() not in b"".join(everything(filled).values())
    assert any(chunk["uri"] == "copy.md" for chunk in contents(filled).values())


def test_words_that_are_found_again_are_an_error_that_says_where(ingest, filled, settings):
    (filled / "notes").mkdir()
    (filled / "notes" / "log.txt").write_text(json.dumps({"said": f"…{NEW}…"}))
    with pytest.raises(NotErased, match=r"still there: notes/log\.txt\.") as raised:
        erasing.erase(settings, "person.md")
    assert NEW not in str(raised.value)
    assert not (filled / "receipts").exists()
    assert call("search", "Doe", "--state", filled).exit_code == 0
    (filled / "notes" / "log.txt").unlink()
    assert erasing.erase(settings, "person.md").as_json()["documents"] == 0
    assert len(receipts(filled)) == 1


def test_a_run_that_writes_is_waited_for(filled, settings):
    with open_catalog(settings) as catalog, source_lease(settings, catalog, "docs"):
        with pytest.raises(LeaseHeld, match="--wait"):
            erasing.erase(settings, "person.md", wait_s=0.3)
        with pytest.raises(LeaseHeld):
            erasing.allow(settings, "person.md")
    assert erasing.find(settings, "person.md", None)


def test_a_document_must_be_known_and_only_one_be_meant(ingest, filled, tmp_path, settings):
    with pytest.raises(UsageError, match="no document"):
        erasing.erase(settings, "PERSON.md")
    with pytest.raises(UsageError, match="nothing to allow"):
        erasing.allow(settings, "person.md")
    other = tmp_path / "more"
    other.mkdir()
    (other / "person.md").write_text("# Other\n\nAnother person.\n")
    ingest(other)
    with pytest.raises(UsageError, match=r"docs, more.*--source"):
        erasing.erase(settings, "person.md")
    erasing.erase(settings, "person.md", "more")
    assert any(chunk["uri"] == "person.md" for chunk in contents(filled).values())


def test_the_command_asks_first_and_prints_the_receipt(filled, state):
    command = ("erase", "person.md", "--state", state)
    asked = call(*command)
    assert (asked.exit_code, "--yes" in asked.stderr) == (2, True)
    assert not (state / "receipts").exists()
    done = call(*command, "--yes", "--json")
    assert done.exit_code == 0, done.output
    (line,) = done.stdout.splitlines()
    assert receipts(state) == [json.loads(line)]
    allowed = call(*command, "--allow", "--json")
    assert json.loads(allowed.stdout) == {"source": "docs", "uri": "person.md", "allowed": True}
