"""A Chroma folder that a server has open: others use the server, and no wrong one."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from index.chroma.client import ChromaFolder, lock_or_address
from index.chroma.service import announce, mark, serves
from index.errors import StoreBusy
from index.vectors import Record, VectorStore
from tests.receivers import free_port

COLLECTION = "headwater-test"
VECTOR = np.array([0.6, 0.8], dtype=np.float32)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "chroma"
    made.mkdir()
    return made


@pytest.fixture
def server(folder: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A server that holds the lock itself, as that of `headwater up` does."""
    lock = lock_or_address(folder, 0)
    assert not isinstance(lock, str)
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.up.vectors", folder, str(port)],
        pass_fds=[lock.fileno()], stdout=subprocess.DEVNULL,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    announce(lock, url)
    lock.close()
    deadline = time.monotonic() + 60
    while not mark(url, folder) and time.monotonic() < deadline:
        time.sleep(0.1)
    yield process
    process.kill()
    process.wait()


def store(folder: Path) -> VectorStore:
    return VectorStore(ChromaFolder(folder, wait_s=0))


def test_what_one_process_writes_through_the_server_another_finds_at_once(folder, server):
    with closing(store(folder)) as reader, closing(store(folder)) as writer:
        assert reader.missing(COLLECTION, ["a"]) == {"a"}
        writer.upsert(COLLECTION, [Record("a", VECTOR, "words", {"uri": "a.md"})])
        assert reader.missing(COLLECTION, ["a"]) == set()
    server.kill()
    server.wait()
    with closing(store(folder)) as alone:
        assert alone.missing(COLLECTION, ["a", "b"]) == {"b"}


def test_the_folder_stays_locked_while_the_server_lives(folder, server):
    assert isinstance(lock_or_address(folder, 0), str)
    server.kill()
    server.wait()
    lock = lock_or_address(folder, 0)
    assert not isinstance(lock, str)
    lock.close()


def test_a_server_of_another_folder_is_not_taken_for_ours(folder, tmp_path):
    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(404)
            self.end_headers()

        def log_message(self, *words: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        Thread(target=stranger.serve_forever, args=(0.02,), daemon=True).start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        assert not serves(url, folder)
        lock = lock_or_address(folder, 0)
        assert not isinstance(lock, str)
        announce(lock, url)
        with pytest.raises(StoreBusy), closing(store(folder)) as other:
            other.missing(COLLECTION, ["a"])
        lock.close()
        stranger.shutdown()
