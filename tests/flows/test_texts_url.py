"""Texts in an object store: what runs, repairs, explanations and erasures make of them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import zstandard
from typer.testing import CliRunner

from flows import erasing
from flows.cli import app
from flows.doctor import Finding, examine
from flows.errors import NotErased
from flows.settings import Settings, load_settings
from flows.upkeep import clean_state, reconcile_index
from flows.wiring import open_stores
from index.catalog import tables
from index.texts import TextStore
from tests.flows.conftest import Ingest
from tests.memory import recall
from tests.stores import BUCKET, KEY, ObjectStore, object_store, objects, s3_client

pytestmark = [
    pytest.mark.proof,
    # Clients of remote stores leave their connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
URL = f"s3://{BUCKET}/texts"
OLD = "Quokka Doe was away for all of November"
NEW = "Wombat Doe earns eighty thousand and wants more"
SHARED = "The cafeteria opens at eight and closes at six"


@pytest.fixture(scope="module")
def bucket() -> Iterator[ObjectStore]:
    with object_store() as server:
        yield server


@pytest.fixture
def s3(bucket: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStore]:
    monkeypatch.setenv("HEADWATER_TEXTS_URL", URL)
    for task in ("runs.indexing.index_batch", "ingest.scan", "runs.indexing.remove"):
        monkeypatch.setattr(f"flows.{task}.retry_delay_seconds", [0.2, 0.2, 0.2])
    monkeypatch.setattr("flows.runs.outages.RETRY_DELAYS_S", [0.2, 0.2, 0.2])
    yield bucket
    for key in objects():
        s3_client().delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture
def settings(s3: ObjectStore, state: Path) -> Settings:
    return load_settings(state_dir=state)


def person(words: str) -> str:
    return f"# Doe\n\n{words}.\n\n# Lunch\n\n{SHARED}.\n"


def write_pages(folder: Path, words: str) -> None:
    for n in range(4):
        (folder / f"{n}.md").write_text(f"# Page {n}\n\n{words} of page {n}.\n")


def in_bucket() -> bytes:
    unpack = zstandard.ZstdDecompressor().decompress
    return b"\n".join(unpack(one) for key, one in objects().items() if key.endswith(".zst"))


def told(state: Path, *words: str) -> dict[str, Any]:
    """What a command prints with `--json`."""
    found = CliRunner().invoke(app, [*words, "--state", str(state), "--json"])
    assert found.exit_code == 0, found.output
    said: dict[str, Any] = json.loads(found.stdout)
    return said


def current_texts(settings: Settings) -> list[str]:
    """Of what is recorded as searchable; each must be there."""
    with open_stores(settings) as index, index.catalog.reading() as connection:
        keys = connection.scalars(
            sa.select(tables.version.c.text_key).where(tables.version.c.retired_at.is_(None))
        )
        found = [index.texts.get(key) for key in keys]
    assert None not in found
    return [one.text for one in found if one is not None]


def test_texts_in_an_object_store_are_read_repaired_explained_and_erased(
    ingest: Ingest, settings, folder, state, monkeypatch
):
    (folder / "person.md").write_text(person(OLD))
    (folder / "stays.md").write_text(f"# Lunch\n\n{SHARED}.\n")
    assert ingest()["documents"]["indexed"] == 2
    (folder / "person.md").write_text(person(f"{NEW} each year"))
    assert ingest()["documents"]["indexed"] == 1
    assert len(objects()) == 3
    assert not (state / "texts").exists()

    with open_stores(settings) as index:
        chunks = recall(index).chunks
        index.vectors.delete(index.generation.collection, list(chunks))
    assert reconcile_index(settings, repair=True)[0].n_repaired == len(chunks)
    with open_stores(settings) as index:
        assert recall(index).chunks == chunks
    (mine,) = [chunk_id for chunk_id, (text, _, _) in chunks.items() if NEW in text]
    assert NEW in told(state, "explain", mine)["text"]
    monkeypatch.setenv("HEADWATER_INDEX__CHUNK_TOKENS", "64")
    assert told(state, "generation", "build")["chunks"] == len(chunks)

    receipt = erasing.erase(settings, "person.md").as_json()
    left = in_bucket()
    assert SHARED.encode() in left
    assert b"Doe" not in left
    assert receipt["removed"]["texts"] == 2
    assert (receipt["proof"]["objects_read"], len(objects())) == (1, 1)
    assert any(URL in gap and "older versions" in gap for gap in receipt["not_proven"])
    assert all(report.agrees for report in reconcile_index(settings))
    report = ingest()
    assert (report["documents"]["unchanged"], report["documents"]["skipped"]) == (1, 1)


def test_words_that_are_still_in_the_object_store_are_an_error_that_says_where(
    ingest: Ingest, settings, folder, state
):
    (folder / "person.md").write_text(person(OLD))
    ingest()
    ((key, packed),) = objects().items()
    s3_client().put_object(Bucket=BUCKET, Key="texts/backup/copy.json.zst", Body=packed)
    s3_client().put_object(Bucket=BUCKET, Key="other/copy.json.zst", Body=packed)
    with pytest.raises(NotErased, match=f"still there: {URL}/backup/copy.json.zst") as raised:
        erasing.erase(settings, "person.md")
    assert OLD not in str(raised.value)
    assert key not in objects()


def test_texts_of_the_past_are_cleaned_from_the_object_store(
    ingest: Ingest, settings, folder, monkeypatch
):
    (folder / "person.md").write_text(person(OLD))
    ingest()
    (folder / "person.md").write_text(person(NEW))
    ingest()
    assert clean_state(settings).texts == 0
    monkeypatch.setenv("HEADWATER_RETENTION__HISTORY", "0s")
    assert clean_state(load_settings(state_dir=settings.state_dir)).texts == 1
    assert OLD.encode() not in in_bucket()
    assert NEW.encode() in in_bucket()


def test_an_object_store_that_goes_away_is_waited_for_and_then_fails_the_run(
    ingest: Ingest, settings, s3, folder, monkeypatch
):
    write_pages(folder, "Words")
    ingest()
    write_pages(folder, "Other words")
    real, n_calls = TextStore.put, []

    def cut_off(self: TextStore, *arguments: Any) -> None:
        n_calls.append(1)
        if len(n_calls) == 3:
            s3.stop()
        real(self, *arguments)

    with monkeypatch.context() as faulty:
        faulty.setattr(TextStore, "put", cut_off)
        try:
            report = ingest()
        finally:
            s3.start()
    assert len(n_calls) > 4
    assert (report["state"], report["code"]) == ("failed", "store_unavailable")
    assert f"texts: {URL} is away" in report["error"]
    assert KEY not in json.dumps(report)
    assert not report["balanced"]
    assert not any("Other" in text for text in current_texts(settings))
    again = ingest()
    assert (again["state"], again["documents"]["indexed"]) == ("completed", 4)
    assert all("Other" in text for text in current_texts(settings))


def test_an_object_store_that_comes_back_costs_nothing(
    ingest: Ingest, settings, s3, folder, monkeypatch
):
    write_pages(folder, "Words")
    real, n_calls = TextStore.put, []

    def away_once(self: TextStore, *arguments: Any) -> None:
        n_calls.append(1)
        if len(n_calls) != 3:
            return real(self, *arguments)
        s3.stop()
        try:
            return real(self, *arguments)
        finally:
            s3.start()

    monkeypatch.setattr(TextStore, "put", away_once)
    report = ingest()
    assert (report["state"], report["documents"]["indexed"]) == ("completed", 4)
    assert len(n_calls) > 4
    assert len(current_texts(settings)) == 4


def test_a_repair_while_the_object_store_is_away_withdraws_nothing(
    ingest: Ingest, settings, s3, folder, state
):
    write_pages(folder, "Words")
    ingest()
    s3.stop()
    try:
        done = CliRunner().invoke(app, ["reconcile", "--repair", "--state", str(state)])
    finally:
        s3.start()
    assert done.exit_code == 1
    assert "texts: " in done.output
    assert len(current_texts(settings)) == 4
    assert all(report.agrees for report in reconcile_index(settings))


def test_doctor_tells_whether_texts_can_be_written(settings, s3):
    assert _of_texts(settings).ok
    assert objects() == {}
    s3.refusals[""] = 403
    found = _of_texts(settings)
    s3.refusals.clear()
    assert not found.ok
    assert URL in found.detail


def _of_texts(settings: Settings) -> Finding:
    return next(one for one in examine(settings) if one.check == "texts")
