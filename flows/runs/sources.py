"""Listing a source and reading its documents: a folder, a file, or any fsspec URL."""

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import fsspec

from index.plan import MEMBER, Listed
from parsers.reasons import Reason

_SETTLED_S: Final = 2.0
"""A file written less than this before it was read may have changed again without a new time:
some file systems count in steps of two seconds."""
_VERSION_KEYS: Final = ("etag", "ETag", "md5Hash", "content_md5", "version_id", "generation")
_TIME_KEYS: Final = ("LastModified", "last_modified", "mtime", "updated", "created")


class SourceUnreadable(Exception):
    """A source cannot be listed. Worth trying again."""

    code = Reason.SOURCE_UNREADABLE


class DocumentUnreadable(Exception):
    """A document that was listed cannot be read; the message says what the source said."""


class DocumentTooLarge(Exception):
    """A document has more bytes than may be read."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A document's bytes, and what its source said of it when they were read."""

    data: bytes
    sha256: str
    stat_token: str
    stat_trusted: bool
    modified_at: datetime | None
    sidecars: tuple[tuple[str, bytes], ...] = ()
    """Uri and bytes of the files beside it that say something of it."""


def list_source(root: str, state_dir: Path) -> list[Listed]:
    """All documents of a source, by uri.

    A folder in it that cannot be listed is one entry, unreadable, whose uri ends with `/`.

    Args:
        root: A folder, a file, or an fsspec URL.
        state_dir: Left out, should it lie in the source.

    Raises:
        SourceUnreadable: The source itself is not there or cannot be listed.
    """
    listed = _list_url(root) if "://" in root else _list_path(Path(root), state_dir.resolve())
    return sorted(listed, key=lambda one: one.uri)


def fetch(listed: Listed, max_bytes: int) -> Fetched:
    """Read a document.

    Raises:
        DocumentUnreadable: Its source does not give it away.
        DocumentTooLarge: It has more than `max_bytes`.
    """
    if listed.unreadable:
        raise DocumentUnreadable(listed.unreadable)
    if listed.n_bytes > max_bytes:
        raise DocumentTooLarge(f"{listed.n_bytes} bytes")
    try:
        if "://" in listed.location:
            return _fetch_url(listed, max_bytes)
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
                yield from _list_folder(entry.path, _unlike_member(f"{uri}/"), state_dir)
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


def _unlike_member(uri: str) -> str:
    """A uri that cannot be taken for one of a document within another."""
    return uri.replace(MEMBER, "%21/")


def _fetch_path(listed: Listed, max_bytes: int) -> Fetched:
    with Path(listed.location).open("rb") as file:
        data = file.read(max_bytes + 1)
        status = os.fstat(file.fileno())
    if len(data) > max_bytes:
        raise DocumentTooLarge(f"more than {max_bytes} bytes")
    return Fetched(
        data,
        hashlib.sha256(data).hexdigest(),
        _token(status),
        time.time() - max(status.st_mtime, status.st_ctime) > _SETTLED_S,
        datetime.fromtimestamp(status.st_mtime, UTC),
    )


def _list_url(root: str) -> Iterator[Listed]:
    try:
        filesystem, path = fsspec.url_to_fs(root)
        found: dict[str, dict[str, Any]] = filesystem.find(path, detail=True)
        if not found and not filesystem.exists(path):
            raise SourceUnreadable(f"{root}: there is nothing")
    except (OSError, ValueError, ImportError) as error:
        raise SourceUnreadable(f"{root}: {error}") from error
    protocol = root.split("://")[0]
    for name, details in found.items():
        uri = name.removeprefix(path).lstrip("/") or name.rsplit("/", 1)[-1]
        location = name if "://" in name else f"{protocol}://{name}"
        uri = _unlike_member(uri)
        n_bytes, modified_at = int(details.get("size") or 0), _time(details)
        versions = [str(details[key]) for key in _VERSION_KEYS if details.get(key)]
        token = "-".join([str(n_bytes), *versions, str(modified_at)])
        yield Listed(uri, location, n_bytes, modified_at, token)


def _time(details: dict[str, Any]) -> datetime | None:
    for key in _TIME_KEYS:
        value = details.get(key)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    return None


def _fetch_url(listed: Listed, max_bytes: int) -> Fetched:
    with fsspec.open(listed.location, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DocumentTooLarge(f"more than {max_bytes} bytes")
    modified_at = listed.modified_at
    settled = modified_at is None or time.time() - modified_at.timestamp() > _SETTLED_S
    digest = hashlib.sha256(data).hexdigest()
    return Fetched(data, digest, listed.stat_token, settled, modified_at)
