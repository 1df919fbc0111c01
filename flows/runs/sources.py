"""Listing a source and reading its documents: a folder, a file, or any fsspec URL."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from flows.runs.fetched import (
    SETTLED_S,
    DocumentTooLarge,
    DocumentUnreadable,
    Fetched,
    SourceUnreadable,
)
from flows.runs.gate import OPEN, Gate
from flows.runs.remote import fetch_remote, list_remote
from index.plan import Listed, unlike_member


def list_source(root: str, state_dir: Path, gate: Gate = OPEN) -> list[Listed]:
    """All documents of a source, by uri.

    A folder in it that cannot be listed is one entry, unreadable, whose uri ends with `/`.

    Args:
        root: A folder, a file, or an fsspec URL.
        state_dir: Left out, should it lie in the source.
        gate: What requests to a remote source wait at.

    Raises:
        SourceUnreadable: The source itself is not there or cannot be listed.
    """
    listed = (
        list_remote(root, gate) if "://" in root else _list_path(Path(root), state_dir.resolve())
    )
    return sorted(listed, key=lambda one: one.uri)


def fetch(listed: Listed, max_bytes: int) -> Fetched:
    """Read a document.

    Raises:
        DocumentUnreadable: Its source does not give it away.
        DocumentTooLarge: It has more than `max_bytes`.
        SourceUnreadable: Its source is away as a whole.
    """
    if listed.unreadable:
        raise DocumentUnreadable(listed.unreadable)
    if listed.n_bytes > max_bytes:
        raise DocumentTooLarge(f"{listed.n_bytes} bytes")
    try:
        if "://" in listed.location:
            return fetch_remote(listed, max_bytes)
        return _fetch_path(listed, max_bytes)
    except OSError as error:
        raise DocumentUnreadable(error.strerror or type(error).__name__) from error


def _list_path(root: Path, state_dir: Path) -> Iterator[Listed]:
    try:
        if root.is_file():
            yield _listed(root.name, str(root), root.stat())
            return
        entries = list(os.scandir(root))
    except OSError as error:
        raise SourceUnreadable(f"{root}: {error.strerror}") from error
    yield from _list_entries(entries, "", state_dir)


def _list_entries(
    entries: list[os.DirEntry[str]], prefix: str, state_dir: Path
) -> Iterator[Listed]:
    for entry in entries:
        uri = prefix + _printable(entry.name)
        if entry.is_dir(follow_symlinks=False):
            if entry.name != state_dir.name or Path(entry.path).resolve() != state_dir:
                yield from _list_folder(entry.path, unlike_member(f"{uri}/"), state_dir)
        else:
            yield _list_file(entry, uri)


def _list_folder(path: str, prefix: str, state_dir: Path) -> Iterator[Listed]:
    try:
        entries = list(os.scandir(path))
    except OSError as error:
        said = f"the folder cannot be listed: {error.strerror}"
        yield Listed(prefix, path, 0, None, "", unreadable=said)
        return
    yield from _list_entries(entries, prefix, state_dir)


def _list_file(entry: os.DirEntry[str], uri: str) -> Listed:
    try:
        status = entry.stat()
    except OSError as error:
        return Listed(uri, entry.path, 0, None, "", unreadable=error.strerror or "gone")
    if stat.S_ISDIR(status.st_mode):
        return Listed(uri, entry.path, 0, None, "", skip_rule="link to a folder")
    if not stat.S_ISREG(status.st_mode):
        return Listed(uri, entry.path, 0, None, "", skip_rule="not a regular file")
    return _listed(uri, entry.path, status)


def _listed(uri: str, location: str, status: os.stat_result) -> Listed:
    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
    return Listed(uri, location, status.st_size, modified_at, _token(status))


def _token(status: os.stat_result) -> str:
    """With the time of the last change of the inode, which no copy or `touch -d` can set."""
    return f"{status.st_size}-{status.st_mtime_ns}-{status.st_ctime_ns}-{status.st_ino}"


def _printable(name: str) -> str:
    """A file name as text: bytes of it that are not UTF-8 are escaped."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _fetch_path(listed: Listed, max_bytes: int) -> Fetched:
    # Asked first, so that a change from here on makes for another token, or one not trusted.
    with open(listed.location, "rb") as file:  # noqa: PTH123 - a path object takes half as long.
        status = os.fstat(file.fileno())
        is_settled = time.time() - max(status.st_mtime, status.st_ctime) > SETTLED_S
        # Memory for `max_bytes` costs more than reading a small file.
        data = file.read(min(status.st_size, max_bytes) + 1)
        if len(data) > status.st_size:
            data += file.read(max_bytes + 1 - len(data))
    if len(data) > max_bytes:
        raise DocumentTooLarge(f"more than {max_bytes} bytes")
    return Fetched(
        data,
        hashlib.sha256(data).hexdigest(),
        _token(status),
        is_settled,
        datetime.fromtimestamp(status.st_mtime, UTC),
    )
