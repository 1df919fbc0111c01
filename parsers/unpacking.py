"""How much a compressed file may unpack to."""

import io
import zipfile
from collections.abc import Iterator
from io import BufferedIOBase
from typing import Final

from parsers.contract import ParseOptions
from parsers.errors import Corrupt, DecompressionBomb

_MIB: Final = 1024 * 1024
_HARMLESS_MIB: Final = 64
"""Less than this may be packed as densely as can be."""
_PIECE_BYTES: Final = 256 * 1024


class Allowance:
    """The bytes that may still be unpacked, by all readers of one archive together."""

    def __init__(self, n_packed: int, options: ParseOptions) -> None:
        dense = max(n_packed * options.max_unpacked_ratio, _HARMLESS_MIB * _MIB)
        self._limit = min(dense, options.max_unpacked_mib * _MIB)
        self._spent = 0

    def spend(self, n_bytes: int) -> None:
        """Count bytes that were unpacked.

        Raises:
            DecompressionBomb: They are more than the options allow.
        """
        self._spent += n_bytes
        if self._spent > self._limit:
            raise DecompressionBomb(f"unpacks to more than {self._limit // _MIB} MiB")


def read_within(stream: BufferedIOBase, allowance: Allowance) -> Iterator[bytes]:
    """All of `stream`, piece by piece.

    Raises:
        DecompressionBomb: It holds more than the allowance.
    """
    # `read` would lose what was unpacked before the stream breaks off.
    while piece := stream.read1(_PIECE_BYTES):
        allowance.spend(len(piece))
        yield piece


def check_count(n_members: int, options: ParseOptions) -> None:
    """Refuse a document that holds too many others.

    Raises:
        DecompressionBomb: They are more than `options.max_members`.
    """
    if n_members > options.max_members:
        raise DecompressionBomb(f"more than {options.max_members} members")


def check_unpacked_size(data: bytes, options: ParseOptions) -> None:
    """Add up the sizes that a zip archive declares for its members.

    A member that lies about its size is stopped by the worker's memory limit.

    Raises:
        DecompressionBomb: Together they are more than `options` allow.
        Corrupt: `data` is not a zip archive, or its directory is gone.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Corrupt(f"zip: {error}") from error
    Allowance(len(data), options).spend(unpacked)
