"""The parsed form of every version, compressed, under the fingerprint of how it was made.

From it a version can be chunked and embedded again without being parsed again.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import zstandard
from pydantic import ValidationError

from index.errors import DiskFull, StoreUnavailable
from parsers.document import ParsedDocument, from_json, to_json

SUFFIX: Final = ".json.zst"
_UNFINISHED: Final = ".part"
_LEVEL: Final = 3
_ENOSPC: Final = 28


class TextStore:
    """A folder of texts. Writing the same text twice, or from two processes, does no harm."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, key: str, document: ParsedDocument) -> None:
        """Store a document under its parse fingerprint.

        Raises:
            StoreUnavailable: It cannot be written.
        """
        path = self._path(key)
        packed = zstandard.ZstdCompressor(_LEVEL, write_checksum=True).compress(to_json(document))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, packed)
        except OSError as error:
            if error.errno == _ENOSPC:
                raise DiskFull("texts: the disk is full", "Make room, then run again.") from error
            raise StoreUnavailable(f"texts: {error.strerror}") from error

    def get(self, key: str) -> ParsedDocument | None:
        """What was stored; None if nothing was, or if it is damaged."""
        try:
            return from_json(unpacked(self._path(key).read_bytes()))
        except (FileNotFoundError, zstandard.ZstdError, ValidationError):
            return None

    def stored(self) -> Iterator[str]:
        """The keys of all that is stored."""
        for file in self._folder.glob(f"*/*{SUFFIX}"):
            yield file.name.removesuffix(SUFFIX)

    def remove(self, key: str) -> None:
        """Delete a text; if there is none, that is no error.

        Raises:
            StoreUnavailable: It cannot be deleted.
        """
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"texts: {error.strerror}") from error

    def remove_unfinished(self) -> None:
        """Delete what killed writers have left; nothing may be writing meanwhile."""
        for file in self._folder.glob(f"*/*{_UNFINISHED}"):
            file.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}{SUFFIX}"


def unpacked(packed: bytes) -> bytes:
    """What a file of the store holds, uncompressed.

    Raises:
        zstandard.ZstdError: It is damaged.
    """
    return zstandard.ZstdDecompressor().decompress(packed)


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=_UNFINISHED)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
