"""Sources that are not folders of this machine: any fsspec URL.

A version that the store gives to a content (an ETag, a generation), or else the time of its last
change, is its stat token: what is unchanged is listed, and not read. Credentials come from the
environment or from fsspec's own configuration.
"""

import hashlib
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote

import fsspec

from flows.runs.fetched import (
    SETTLED_S,
    DocumentTooLarge,
    DocumentUnreadable,
    Fetched,
    SourceUnreadable,
)
from flows.runs.gate import Gate
from index.clients import OBJECT_STORES, in_words, is_away, raised_by_clients
from index.plan import Listed, unlike_member

_WEB: Final = ("http", "https")
"""Protocols whose listings are pages with links: what is behind them has to be asked for."""
_VERSION_KEYS: Final = (
    "etag", "ETag", "md5Hash", "content_md5", "Content-MD5", "version_id", "VersionId", "generation"
)  # fmt: skip
_TIME_KEYS: Final = (
    "LastModified", "last_modified", "Last-Modified", "mtime", "updated", "created"
)  # fmt: skip
_READS: Final = 3
"""Of one document, before it is given up."""

Details = Mapping[str, Any]


def list_remote(root: str, gate: Gate) -> Iterator[Listed]:
    """All documents below a URL.

    A folder in it that cannot be listed is one entry, unreadable, whose uri ends with `/`.

    Args:
        root: Any fsspec URL.
        gate: What requests wait at, where each document needs one.

    Raises:
        SourceUnreadable: It is not there, or cannot be listed.
    """
    protocol = root.split("://")[0]
    try:
        filesystem, path = fsspec.url_to_fs(root)
        filesystem.invalidate_cache()
        if protocol in OBJECT_STORES:
            found = dict(filesystem.find(path, detail=True))
        else:
            found = dict(_walk(filesystem, path))
        if protocol in _WEB:
            found = _asked(filesystem, path, found, gate)
        if not found and not filesystem.exists(path):
            raise SourceUnreadable(f"{root}: there is nothing")
    except raised_by_clients() as error:
        raise SourceUnreadable(f"{root}: {in_words(error)}") from error
    for name, details in found.items():
        if not _is_folder(name, details) or "unreadable" in details:
            yield _listed(protocol, path, name, details)


def fetch_remote(listed: Listed, max_bytes: int) -> Fetched:
    """Read a document, more than once if need be.

    Raises:
        DocumentUnreadable: The store does not give it away.
        DocumentTooLarge: It has more than `max_bytes`.
        SourceUnreadable: The store is away.
    """
    for n_reads in range(1, _READS + 1):
        try:
            data = _read(listed.location, max_bytes + 1)
            break
        except raised_by_clients() as error:
            if is_away(error):
                raise SourceUnreadable(f"the source is away: {in_words(error)}") from error
            if n_reads == _READS or isinstance(error, FileNotFoundError | PermissionError):
                raise DocumentUnreadable(in_words(error)) from error
            # It may have been replaced since it was listed.
            fsspec.url_to_fs(listed.location)[0].invalidate_cache()
    if len(data) > max_bytes:
        raise DocumentTooLarge(f"more than {max_bytes} bytes")
    digest = hashlib.sha256(data).hexdigest()
    return Fetched(data, digest, listed.stat_token, _is_trusted(listed), listed.modified_at)


def _read(location: str, n_bytes: int) -> bytes:
    with fsspec.open(location, "rb") as file:
        data: bytes = file.read(n_bytes)
    return data


def _walk(filesystem: Any, path: str) -> Iterator[tuple[str, Details]]:
    """As `filesystem.find`, which passes over folders that cannot be listed without a word."""
    folders = [path]
    while folders:
        folder = folders.pop()
        try:
            entries = filesystem.ls(folder, detail=True)
        except raised_by_clients() as error:
            if folder == path or is_away(error):
                raise
            said = f"the folder cannot be listed: {in_words(error)}"
            yield f"{folder.rstrip('/')}/", {"unreadable": said}
            continue
        for details in entries:
            name = details["name"]
            if details["type"] == "directory" and name.rstrip("/") != folder.rstrip("/"):
                folders.append(name)
            else:
                yield name, details


def _asked(
    filesystem: Any, path: str, found: Mapping[str, Details], gate: Gate
) -> dict[str, Details]:
    """What a web server says of the documents that its pages name, and of nothing above them."""
    if not found and not path.endswith("/"):
        details = filesystem.info(path)
        return {} if details.get("mimetype") == "text/html" else {path: details}
    # With a query are the links by which listings are sorted.
    names = [name for name in found if "?" not in name and "#" not in name and "/../" not in name]

    def ask(name: str) -> Details:
        if "unreadable" in found[name]:
            return found[name]
        try:
            with gate.turn():
                return dict(filesystem.info(name))
        except raised_by_clients() as error:
            if is_away(error):
                raise
            return {"unreadable": in_words(error)}

    with ThreadPoolExecutor(gate.at_once) as pool:
        return dict(zip(names, pool.map(ask, names), strict=True))


def _is_folder(name: str, details: Details) -> bool:
    """Object stores have empty objects in place of folders."""
    return details.get("type") == "directory" or name.endswith("/")


def _listed(protocol: str, path: str, name: str, details: Details) -> Listed:
    uri = name.removeprefix(path).lstrip("/") or name.rsplit("/", 1)[-1]
    uri = unlike_member(unquote(uri) if protocol in _WEB else uri)
    location = name if "://" in name else f"{protocol}://{name}"
    if unreadable := details.get("unreadable"):
        return Listed(uri, location, 0, None, "", unreadable=unreadable)
    n_bytes, modified_at = int(details.get("size") or 0), _time(details)
    versions = [str(details[key]) for key in _VERSION_KEYS if details.get(key)]
    token = "-".join([str(n_bytes), *versions, str(modified_at)])
    listed = Listed(uri, location, n_bytes, modified_at, token)
    if versions and (modified_at is None or protocol not in _WEB):
        return replace(listed, has_version=True)
    return listed


def _is_trusted(listed: Listed) -> bool:
    """Whether the next change will show in the stat token.

    A store's version does show it. Web servers make theirs of the time, so they tell no more.
    """
    if listed.has_version or listed.modified_at is None:
        return listed.has_version
    return time.time() - listed.modified_at.timestamp() > SETTLED_S


def _time(details: Details) -> datetime | None:
    for key in _TIME_KEYS:
        value = details.get(key)
        if isinstance(value, str):
            value = _parsed(value)
        if isinstance(value, datetime):
            return value if value.tzinfo else value.replace(tzinfo=UTC)
        if isinstance(value, int | float):
            return datetime.fromtimestamp(value, UTC)
    return None


def _parsed(value: str) -> datetime | None:
    """A moment as web servers write it, or by ISO 8601."""
    try:
        return parsedate_to_datetime(value)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(value)
    except ValueError:
        return None
