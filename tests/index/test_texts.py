"""Stored texts, in a folder, at a URL of files and in an object store: the same promises."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.local import LocalFileSystem
from s3fs import S3FileSystem

from index.errors import DiskFull, StoreUnavailable
from index.text_objects import TextObjects
from index.texts import TextFolder, TextHome, TextStore
from parsers.document import ParsedDocument
from tests.conftest import ROOT
from tests.stores import BUCKET, KEY, ObjectStore, object_store, objects, s3_client

pytestmark = [
    # Clients of remote stores leave their connections to the garbage collector.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
]
URL = f"s3://{BUCKET}/kept/texts"
ONE, OTHER = "a1" * 32, "b2" * 32
NAME = f"a1/{ONE}.json.zst"


def document(words: str) -> ParsedDocument:
    return ParsedDocument(words, (), "text/plain", "p", "1")


@pytest.fixture(scope="module")
def bucket() -> Iterator[ObjectStore]:
    with object_store() as server:
        yield server


@pytest.fixture
def s3(bucket: ObjectStore) -> Iterator[ObjectStore]:
    yield bucket
    bucket.refusals.clear()
    for key in objects():
        s3_client().delete_object(Bucket=BUCKET, Key=key)


@pytest.fixture(params=["folder", "file", "s3"])
def home(request: pytest.FixtureRequest, tmp_path: Path) -> TextHome:
    if request.param == "folder":
        return TextFolder(tmp_path / "texts")
    if request.param == "file":
        return TextObjects(f"file://{tmp_path}/texts/")
    request.getfixturevalue("s3")
    return TextObjects(URL, timeout_s=20)


@pytest.fixture
def store(home: TextHome) -> TextStore:
    return TextStore(home)


def test_a_text_comes_back_as_it_was_stored(store):
    store.put(ONE, document("Grüße 日本語"))
    assert store.get(ONE) == document("Grüße 日本語")
    store.put(ONE, document("other words"))
    assert store.get(ONE) == document("other words")


def test_a_text_that_is_missing_or_damaged_is_none(store, home):
    assert store.get(ONE) is None
    store.put(ONE, document("text"))
    packed = home.read(NAME)
    for damaged in (packed[:-5], b"", packed[:-9] + bytes(9)):
        home.write(NAME, damaged)
        assert store.get(ONE) is None


def test_what_is_stored_is_listed_and_what_is_removed_is_not(store, home):
    assert list(store.stored()) == []
    for key in (ONE, OTHER):
        store.put(key, document("text"))
    store.mark("run-1")
    assert sorted(store.stored()) == [ONE, OTHER]
    for _ in range(2):
        store.remove(ONE)
    assert list(store.stored()) == [OTHER]
    assert store.get(ONE) is None
    store.put(ONE, document("text"))
    assert store.get(ONE) == document("text")


def test_what_killed_writers_left_is_no_text_and_can_be_deleted(store, home):
    store.put(ONE, document("text"))
    home.write(f"{NAME}.xyz.part", b"half a te")
    home.write(f"copy/{OTHER}.json.zst", b"put there by somebody")
    assert list(store.stored()) == [ONE]
    store.remove_unfinished()
    assert sorted(home.names()) == [NAME, f"copy/{OTHER}.json.zst"]


def test_a_mark_is_seen_until_it_is_taken_away(store):
    assert not store.is_marked("run-1")
    store.mark("run-1")
    assert store.is_marked("run-1")
    for _ in range(2):
        store.unmark("run-1")
    assert not store.is_marked("run-1")


def test_all_that_lies_outside_can_be_read_back(store, home):
    store.put(ONE, document("text"))
    store.mark("run-1")
    packed = home.read(NAME)
    found = dict(store.outside())
    if home.url is None:
        assert found == {}
    else:
        assert found == {f"{home.url}/{NAME}": packed, f"{home.url}/.run-1": b"run-1"}


def test_a_folder_copied_to_a_bucket_is_read_there(tmp_path, s3):
    TextStore(TextFolder(tmp_path)).put(ONE, document("text"))
    for file in tmp_path.rglob("*.zst"):
        key = f"kept/texts/{file.relative_to(tmp_path)}"
        s3_client().put_object(Bucket=BUCKET, Key=key, Body=file.read_bytes())
    assert TextStore(TextObjects(URL)).get(ONE) == document("text")


def test_a_text_costs_one_request(s3):
    store = TextStore(TextObjects(URL))
    s3.n_requests.clear()
    store.put(ONE, document("text"))
    assert s3.n_requests == {"PUT": 1}
    store.get(ONE)
    assert s3.n_requests == {"PUT": 1, "GET": 1}


def test_a_source_beside_it_remembers_its_listing(s3):
    store = TextStore(TextObjects(URL))
    s3_client().put_object(Bucket=BUCKET, Key="docs/a.md", Body=b"words")
    source = S3FileSystem()
    source.find(f"{BUCKET}/docs")
    store.put(ONE, document("text"))
    s3.n_requests.clear()
    assert source.info(f"{BUCKET}/docs/a.md")["size"] == 5
    assert s3.n_requests == {}


def test_what_another_machine_has_written_since_a_listing_is_seen(s3):
    mine, theirs = TextStore(TextObjects(URL)), TextStore(TextObjects(URL))
    mine.put(ONE, document("text"))
    assert list(mine.stored()) == [ONE]
    theirs.put(OTHER, document("theirs"))
    theirs.remove(ONE)
    assert mine.get(OTHER) == document("theirs")
    assert mine.get(ONE) is None
    assert list(mine.stored()) == [OTHER]


def test_a_store_that_is_away_loses_nothing_and_names_no_key(s3):
    store = TextStore(TextObjects(URL, timeout_s=20))
    store.put(ONE, document("text"))
    s3.stop()
    try:
        for ask in (
            lambda: store.put(OTHER, document("text")),
            lambda: store.get(ONE),
            lambda: list(store.stored()),
            lambda: store.remove(ONE),
        ):
            with pytest.raises(StoreUnavailable, match=f"texts: {URL} is away") as raised:
                ask()
            assert KEY not in str(raised.value)
    finally:
        s3.start()
    assert list(store.stored()) == [ONE]


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_refusal_is_not_taken_for_a_text_that_is_lost(s3, status):
    store = TextStore(TextObjects(URL, timeout_s=20))
    store.put(ONE, document("text"))
    s3.refusals[NAME] = status
    for ask in (lambda: store.get(ONE), lambda: store.put(ONE, document("other"))):
        with pytest.raises(StoreUnavailable, match="texts: "):
            ask()
    s3.refusals.clear()
    assert store.get(ONE) == document("text")


def test_a_bucket_that_is_not_there_has_not_lost_all_texts(s3):
    store = TextStore(TextObjects("s3://nothing/texts"))
    for ask in (
        lambda: store.get(ONE),
        lambda: list(store.stored()),
        lambda: store.put(ONE, document("text")),
    ):
        with pytest.raises(StoreUnavailable, match="nothing at s3://nothing/texts"):
            ask()


def test_a_store_that_does_not_answer_is_given_up_in_time(s3, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        S3FileSystem.clear_instance_cache()
        store = TextStore(TextObjects(URL, timeout_s=1))
        began = time.monotonic()
        with pytest.raises(StoreUnavailable, match=f"no answer from {URL} within 1 s"):
            store.get(ONE)
        assert time.monotonic() - began < 10
    S3FileSystem.clear_instance_cache()


def test_a_url_of_files_shows_no_half_of_a_text(tmp_path, monkeypatch):
    home = TextObjects(f"file://{tmp_path}")
    store = TextStore(home)
    store.put(ONE, document("text"))

    def half(self: LocalFileSystem, path: str, data: bytes) -> None:
        Path(path).write_bytes(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(LocalFileSystem, "pipe_file", half)
        with pytest.raises(DiskFull):
            store.put(ONE, document("other words"))
    assert store.get(ONE) == document("text")
    assert list(home.names()) == [NAME]


def test_a_client_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(StoreUnavailable, match="gcsfs"):
        TextStore(TextObjects("gs://bucket/texts")).get(ONE)


def test_a_folder_needs_no_client():
    code = "import sys, index.texts; sys.exit('fsspec' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
