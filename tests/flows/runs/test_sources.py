"""Listing and reading sources."""

import os
import time
from pathlib import Path

import pytest

from flows.runs.fetched import DocumentTooLarge, DocumentUnreadable, SourceUnreadable
from flows.runs.sources import fetch, list_source

STATE = Path("/nowhere/state")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "b").mkdir()
    (tmp_path / "a.txt").write_text("a")
    (tmp_path / "b" / "c.txt").write_text("cc")
    return tmp_path


def uris(root: Path) -> list[str]:
    return [one.uri for one in list_source(str(root), STATE)]


def settle(file: Path) -> None:
    """Make a file look as if it had been there for a while, but for its inode's own time."""
    past = time.time() - 3600
    os.utime(file, (past, past))


def test_documents_are_listed_by_their_path_below_the_root(root):
    listed = list_source(str(root), STATE)
    assert [(one.uri, one.n_bytes) for one in listed] == [("a.txt", 1), ("b/c.txt", 2)]


def test_an_empty_folder_lists_nothing(tmp_path):
    assert list_source(str(tmp_path), STATE) == []


def test_a_single_file_is_a_source(root):
    assert uris(root / "a.txt") == ["a.txt"]


def test_a_source_that_is_not_there_is_unreadable(tmp_path):
    with pytest.raises(SourceUnreadable, match="No such file"):
        list_source(str(tmp_path / "missing"), STATE)


def test_the_state_directory_is_not_a_document(root):
    (root / ".headwater" / "chroma").mkdir(parents=True)
    (root / ".headwater" / "catalog.db").write_text("x")
    listed = list_source(str(root), root / ".headwater")
    assert [one.uri for one in listed] == ["a.txt", "b/c.txt"]


def test_what_is_no_file_is_listed_with_the_reason(root):
    os.mkfifo(root / "pipe")
    (root / "loop").symlink_to(root)
    (root / "gone").symlink_to(root / "nothing")
    listed = {one.uri: one for one in list_source(str(root), STATE)}
    assert listed["pipe"].skip_rule == "not a regular file"
    assert listed["loop"].skip_rule == "link to a folder"
    assert listed["gone"].unreadable == "No such file or directory"


def test_a_link_to_a_file_is_read(root):
    (root / "link.txt").symlink_to(root / "a.txt")
    listed = {one.uri: one for one in list_source(str(root), STATE)}
    assert fetch(listed["link.txt"], 100).data == b"a"


def test_a_name_that_is_no_utf8_is_listed_and_read(root):
    (root / b"caf\xe9.txt".decode("utf-8", "surrogateescape")).write_text("x")
    listed = {one.uri: one for one in list_source(str(root), STATE)}
    assert fetch(listed[r"caf\xe9.txt"], 100).data == b"x"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_listed_is_one_unreadable_entry(root):
    (root / "b").chmod(0)
    try:
        listed = {one.uri: one for one in list_source(str(root), STATE)}
    finally:
        (root / "b").chmod(0o755)
    assert "Permission denied" in listed["b/"].unreadable


def test_a_folder_that_cannot_be_listed_is_one_unreadable_entry(root, monkeypatch):
    real = os.scandir

    def scandir(path):
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    listed = {one.uri: one for one in list_source(str(root), STATE)}
    assert "Permission denied" in listed["b/"].unreadable
    with pytest.raises(DocumentUnreadable):
        fetch(listed["b/"], 100)


def test_reading_gives_bytes_hash_and_time(root):
    settle(root / "a.txt")
    (listed, _) = list_source(str(root), STATE)
    fetched = fetch(listed, 100)
    assert fetched.data == b"a"
    assert fetched.sha256.startswith("ca978112ca1bbdca")
    assert fetched.stat_token == listed.stat_token
    assert fetched.modified_at == listed.modified_at


def test_a_file_written_just_now_is_not_trusted_to_show_its_next_change(root):
    (listed, _) = list_source(str(root), STATE)
    assert not fetch(listed, 100).stat_trusted


def test_a_change_that_keeps_size_and_time_shows(root):
    file = root / "a.txt"
    settle(file)
    times = file.stat()
    (before, _) = list_source(str(root), STATE)
    file.write_text("b")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
    (after, _) = list_source(str(root), STATE)
    assert before.stat_token != after.stat_token


def test_a_file_that_is_too_large_is_not_read(root):
    (_, listed) = list_source(str(root), STATE)
    with pytest.raises(DocumentTooLarge):
        fetch(listed, 1)


def test_a_file_that_grew_after_it_was_listed_is_not_read_whole(root):
    (listed, _) = list_source(str(root), STATE)
    (root / "a.txt").write_text("x" * 1000)
    with pytest.raises(DocumentTooLarge):
        fetch(listed, 10)


def test_a_file_that_grows_while_it_is_read_is_read_whole_and_read_again(root, monkeypatch):
    (listed, _) = list_source(str(root), STATE)
    status_of = os.fstat

    def grow(descriptor):
        status = status_of(descriptor)
        (root / "a.txt").write_text("abc")
        return status

    monkeypatch.setattr(os, "fstat", grow)
    fetched = fetch(listed, 100)
    assert fetched.data == b"abc"
    (later, _) = list_source(str(root), STATE)
    assert fetched.stat_token == listed.stat_token != later.stat_token


def test_a_file_that_vanished_is_unreadable(root):
    (listed, _) = list_source(str(root), STATE)
    (root / "a.txt").unlink()
    with pytest.raises(DocumentUnreadable, match="No such file"):
        fetch(listed, 10)


def test_a_url_is_listed_and_read():
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/docs/a.txt": b"a", "/docs/b/c.txt": b"cc"})
    try:
        listed = list_source("memory://docs", STATE)
        assert [one.uri for one in listed] == ["a.txt", "b/c.txt"]
        assert fetch(listed[1], 100).data == b"cc"
        with pytest.raises(SourceUnreadable):
            list_source("memory://missing", STATE)
        with pytest.raises(SourceUnreadable):
            list_source("no-such-protocol://x", STATE)
    finally:
        memory.rm("/docs", recursive=True)
