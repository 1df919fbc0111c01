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
            packed = self._path(key).read_bytes()
            return from_json(zstandard.ZstdDecompressor().decompress(packed))
        except (FileNotFoundError, zstandard.ZstdError, ValidationError):
            return None

    def stored(self) -> Iterator[str]:
        """The keys of all that is stored."""
        for file in self._folder.glob("*/*.json.zst"):
            yield file.name.removesuffix(".json.zst")

    def remove(self, key: str) -> None:
        """Delete a text; if there is none, that is no error.

        Raises:
            StoreUnavailable: It cannot be deleted.
        """
        try:
            self._path(key).unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(f"texts: {error.strerror}") from error

    def _path(self, key: str) -> Path:
        return self._folder / key[:2] / f"{key}.json.zst"


def _write_whole(path: Path, data: bytes) -> None:
    """Write a file that is either there as a whole or not at all."""
    descriptor, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
