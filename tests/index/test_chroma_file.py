"""Chroma's file says what Chroma says, or is not believed."""

import math
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from index.chroma.client import ChromaFolder, ChromaServer
from index.contents import ReadBy, contents_of
from index.errors import StoreBusy, StoreUnavailable
from index.vectors import Record, Stored, VectorStore

_FILE = "chroma/chroma.sqlite3"

_WRITER = """
import sys
from pathlib import Path
from tests.index.test_chroma_file import record
from index.chroma.client import ChromaFolder
from index.vectors import Stored, VectorStore

store, number = VectorStore(ChromaFolder(Path(sys.argv[1]))), 0
while True:
    names = [f"{number}-{n}" for n in range(60)]
    store.upsert("coll", [record(name, n=number) for name in names])
    store.refresh("coll", {name: Stored(f"new {name}", {"page": 1}) for name in names[:30]})
    store.delete("coll", names[20:40])
    print(number, flush=True)
    number += 1
"""

_TORN = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 1")
connection.execute("BEGIN IMMEDIATE")
connection.execute("UPDATE embedding_metadata SET string_value = string_value || ' torn'")
print("torn", flush=True)
time.sleep(60)
"""


def record(name: str, **metadata: str | int | float | bool) -> Record:
    vector = np.random.default_rng(abs(hash(name))).standard_normal(4).astype(np.float32)
    return Record(name, vector / np.linalg.norm(vector), f"words of {name}", metadata or {"a": "b"})


@pytest.fixture
def vectors(tmp_path: Path) -> Iterator[VectorStore]:
    with closing(VectorStore(ChromaFolder(tmp_path / "chroma", wait_s=0.2))) as store:
        yield store


def by_file(vectors: VectorStore) -> dict[str, Stored]:
    with contents_of(vectors, "coll") as (contents, read_by):
        assert read_by is ReadBy.FILE
        return {k: v for page in contents.pages() for k, v in contents.load(page).items()}


def by_client(vectors: VectorStore) -> dict[str, Stored]:
    ids, offset = [], 0
    while page := vectors.page("coll", offset):
        ids += page
        offset += len(page)
    return vectors.load("coll", ids)


def assert_equal(vectors: VectorStore, n: int | None = None) -> None:
    read = by_file(vectors)
    assert n is None or len(read) == n
    asked = by_client(vectors)
    assert read == asked
    types = [{k: type(v) for k, v in stored.metadata.items()} for stored in read.values()]
    assert types == [{k: type(v) for k, v in asked[one].metadata.items()} for one in read]


def read_by(vectors: VectorStore) -> ReadBy:
    with contents_of(vectors, "coll") as (_, read_by):
        return read_by


def change(tmp_path: Path, *statements: str) -> None:
    """What another version of Chroma, or a crash, could have left."""
    with closing(sqlite3.connect(tmp_path / _FILE)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def test_every_kind_of_value_is_read_as_chroma_returns_it(vectors):
    values = {
        "text": "Grüße 日本語 🎉", "empty": "", "zero": 0, "most": 2**62, "least": -(2**62),
        "whole": 1.0, "real": -0.1, "tiny": 5e-324, "infinite": math.inf, "yes": True, "no": False,
        "no number": math.nan, "chunk_id": "x", "with \"quotes' and spaces": "y",
    }  # fmt: skip
    vectors.upsert("coll", [record("a", **values), record("b"), record("ä 'quoted'", page=3)])
    assert_equal(vectors, 3)


def test_what_was_merged_and_deleted_is_read_as_chroma_returns_it(vectors):
    vectors.upsert("coll", [record(str(n), page=n, title="one", odd=n % 2 > 0) for n in range(600)])
    vectors.upsert("coll", [record(str(n), page=str(n)) for n in range(0, 600, 3)])
    vectors.refresh("coll", {str(n): Stored(f"new {n}", {"uri": "u"}) for n in range(0, 600, 5)})
    vectors.delete("coll", [str(n) for n in range(0, 600, 7)])
    vectors.upsert("coll", [record("7", page=7)])
    assert_equal(vectors, 600 - 86 + 1)


def test_collections_are_kept_apart(vectors):
    vectors.upsert("coll", [record("a", page=1)])
    vectors.upsert("another", [record("a", page=2), record("b")])
    assert_equal(vectors, 1)
    with contents_of(vectors, "another") as (contents, _):
        assert (contents.dimension, contents.load(["a"])["a"].metadata) == (4, {"page": 2})
        assert sorted(contents.collections()) == ["another", "coll"]
    with contents_of(vectors, "none") as (contents, by):
        assert (contents.dimension, list(contents.pages()), by) == (None, [], ReadBy.FILE)


def test_a_writer_that_was_killed_leaves_a_file_that_is_read_as_chroma_returns_it(
    vectors, tmp_path
):
    command = [sys.executable, "-c", _WRITER, str(tmp_path / "chroma")]
    for n_rounds in (1, 3):
        with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
            for _ in range(n_rounds):
                assert writer.stdout.readline()
            with pytest.raises(subprocess.TimeoutExpired):
                writer.wait(0.03 * n_rounds)
            writer.send_signal(signal.SIGKILL)
        assert_equal(vectors)
        vectors.close()


def test_what_chroma_has_yet_to_enter_is_read_too(vectors, tmp_path):
    """It writes to its queue first: a process that is killed then has written nonetheless."""
    vectors.upsert("coll", [record("a"), record("b")])
    vectors.upsert("coll", [record("late", page=1)])
    vectors.close()
    change(
        tmp_path,
        "DELETE FROM embedding_metadata WHERE id = (SELECT max(id) FROM embeddings)",
        "DELETE FROM embeddings WHERE id = (SELECT max(id) FROM embeddings)",
        "UPDATE max_seq_id SET seq_id = seq_id - 1 WHERE segment_id IN "
        "(SELECT id FROM segments WHERE scope = 'METADATA')",
    )
    read = by_file(vectors)
    assert set(read) == {"a", "b", "late"}
    assert read["late"].metadata == {"page": 1}


def test_a_transaction_that_was_cut_off_is_undone_first(vectors, tmp_path):
    vectors.upsert("coll", [record(str(n), page=n) for n in range(500)])
    before = by_client(vectors)
    vectors.close()
    command = [sys.executable, "-c", _TORN, str(tmp_path / _FILE)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writer:
        assert writer.stdout.readline() == b"torn\n"
        writer.send_signal(signal.SIGKILL)
    assert (tmp_path / f"{_FILE}-journal").stat().st_size > 0
    assert by_file(vectors) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO migrations VALUES ('metadb', 7, '00007.sql', '', '')",
        "DELETE FROM migrations WHERE dir = 'sysdb'",
        "ALTER TABLE embeddings RENAME COLUMN embedding_id TO name",
        "INSERT INTO embedding_metadata_array (id, key, string_value) "
        "SELECT id, 'tags', 'x' FROM embeddings",
    ],
)
def test_a_file_of_another_format_is_not_believed(vectors, tmp_path, statement):
    vectors.upsert("coll", [record("a")])
    vectors.close()
    change(tmp_path, statement)
    assert read_by(vectors) is ReadBy.CLIENT


def test_where_there_is_no_file_chroma_is_asked(vectors):
    assert read_by(vectors) is ReadBy.CLIENT


def test_nobody_opens_it_while_it_is_read_and_it_is_not_read_while_it_is_open(vectors, tmp_path):
    vectors.upsert("coll", [record("a")])
    with closing(VectorStore(ChromaFolder(tmp_path / "chroma", wait_s=0.2))) as other:
        with contents_of(vectors, "coll"), pytest.raises(StoreBusy):
            other.page("coll", 0)
        assert other.page("coll", 0) == ["a"]
        with pytest.raises(StoreBusy), contents_of(vectors, "coll"):
            pass


def test_a_damaged_file_is_told_in_our_words(vectors, tmp_path):
    vectors.upsert("coll", [record(str(n), page=n) for n in range(500)])
    with contents_of(vectors, "coll") as (contents, _):
        with (tmp_path / _FILE).open("r+b") as file:
            n_bytes = file.seek(0, 2)
            file.seek(4096)
            file.write(b"\xff" * (n_bytes - 4096))
        with pytest.raises(StoreUnavailable, match="vectors: database disk image is malformed"):
            contents.load([str(n) for n in range(500)])


def test_a_server_is_asked_for_its_files_are_not_ours():
    with closing(VectorStore(ChromaServer("http://127.0.0.1:9"))) as vectors:
        assert read_by(vectors) is ReadBy.CLIENT
