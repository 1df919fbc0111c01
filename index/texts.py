"""The parsed form of every version, compressed, under the fingerprint of how it was made.

From it a version can be chunked and embedded again without being parsed again.
"""

import errno
import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

import zstandard
from pydantic import ValidationError

from index.errors import DiskFull, StoreUnavailable
from parsers.document import ParsedDocument, from_json, to_json

SUFFIX: Final = ".json.zst"
UNFINISHED: Final = ".part"
_LEVEL: Final = 3
_REMEDY: Final = "See that the state directory can be read and written; the next run tries again."


class TextHome(Protocol):
    """Where texts are kept, as bytes by name: `ab/abcd….json.zst`.

    Whatever cannot be done raises `StoreUnavailable`.
    """

    @property
    def url(self) -> str | None:
        """Where it is; None if that is a folder of this machine."""
        ...

    def write(self, name: str, data: bytes) -> None:
        """Have it there as a whole or not at all, in place of what there was."""
        ...

    def read(self, name: str) -> bytes | None:
        """What was written; None if nothing was."""
        ...

    def names(self) -> Iterable[str]:
        """Of all that is there, also of what killed writers have left, which ends in `.part`."""
        ...

    def delete(self, name: str) -> None:
        """If there is nothing, that is no error."""
        ...


class TextStore:
    """The stored texts. Writing the same text twice, or from two processes, does no harm."""

    def __init__(self, home: TextHome) -> None:
        self._home = home

    def put(self, key: str, document: ParsedDocument) -> None:
        """Store a document under its parse fingerprint.

        Raises:
            StoreUnavailable: It cannot be written.
        """
        packed = zstandard.ZstdCompressor(_LEVEL, write_checksum=True).compress(to_json(document))
        self._home.write(_name(key), packed)

    def get(self, key: str) -> ParsedDocument | None:
        """What was stored; None if nothing was, or if it is damaged.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        packed = self._home.read(_name(key))
        try:
            return None if packed is None else from_json(unpacked(packed))
        except (zstandard.ZstdError, ValidationError):
            return None

    def stored(self) -> Iterator[str]:
        """The keys of all that is stored.

        Raises:
            StoreUnavailable: It cannot be listed.
        """
        for name in self._home.names():
            key = name.rpartition("/")[2].removesuffix(SUFFIX)
            if name == _name(key):
                yield key

    def remove(self, key: str) -> None:
        """Delete a text; if there is none, that is no error.

        Raises:
            StoreUnavailable: It cannot be deleted.
        """
        self._home.delete(_name(key))

    def remove_unfinished(self) -> None:
        """Delete what killed writers have left; nothing may be writing meanwhile.

        Raises:
            StoreUnavailable: It cannot be listed or deleted.
        """
        for name in list(self._home.names()):
            if name.endswith(UNFINISHED):
                self._home.delete(name)

    def outside(self) -> Iterator[tuple[str, bytes]]:
        """Name and packed content of all that is kept elsewhere than in a folder of this machine.

        Raises:
            StoreUnavailable: It cannot be listed or read.
        """
        for name in self._home.names() if self._home.url else ():
            data = self._home.read(name)
            if data is not None:
                yield f"{self._home.url}/{name}", data

    def mark(self, name: str) -> None:
        """Leave something by which another process finds out whether it sees this store.

        Raises:
            StoreUnavailable: It cannot be written.
        """
        self._home.write(f".{name}", name.encode())

    def is_marked(self, name: str) -> bool:
        """Whether that is there.

        Raises:
            StoreUnavailable: It cannot be read.
        """
        return self._home.read(f".{name}") is not None

    def unmark(self, name: str) -> None:
        """Take it away.

        Raises:
            StoreUnavailable: It cannot be deleted.
        """
        self._home.delete(f".{name}")


class TextFolder:
    """A folder that texts are kept in."""

    url: Final = None

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, data)
        except OSError as error:
            raise unavailable(error, str(error.strerror)) from error

    def read(self, name: str) -> bytes | None:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise unavailable(error, str(error.strerror)) from error

    def names(self) -> Iterator[str]:
        for file in self._folder.glob("*/*"):
            yield f"{file.parent.name}/{file.name}"

    def delete(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise unavailable(error, str(error.strerror)) from error


def unpacked(packed: bytes) -> bytes:
    """What a file of the store holds, uncompressed.

    Raises:
        zstandard.ZstdError: It is damaged.
    """
    return zstandard.ZstdDecompressor().decompress(packed)


def unavailable(error: BaseException, words: str, remedy: str = _REMEDY) -> StoreUnavailable:
    """What to raise for an error of a file system that is told in these words."""
    if getattr(error, "errno", None) == errno.ENOSPC:
        return DiskFull("texts: the disk is full", "Make room, then run again.")
    return StoreUnavailable(f"texts: {words}", remedy)


def _name(key: str) -> str:
    return f"{key[:2]}/{key}{SUFFIX}"


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=UNFINISHED)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
