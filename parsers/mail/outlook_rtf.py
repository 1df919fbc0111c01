"""The compressed RTF in which Outlook keeps a body ([MS-OXRTFCP]), unpacked by compressed_rtf."""

import struct
import zlib
from typing import Final

import compressed_rtf

from parsers.errors import Corrupt

_HEAD: Final = struct.Struct("<II4sI")
_COMPRESSED: Final = b"LZFu"
_PLAIN: Final = b"MELA"


def unpacked(data: bytes) -> bytes:
    """The RTF. It is at most nine times as long, so that it needs no limit of its own.

    Raises:
        Corrupt: `data` is damaged. The library would say so by a bare `Exception`.
    """
    if len(data) < _HEAD.size:
        raise Corrupt("the RTF body has no header")
    n_packed, _, kind, checksum = _HEAD.unpack_from(data)
    packed = data[_HEAD.size : n_packed + 4]
    expected = zlib.crc32(packed, 0xFFFFFFFF) ^ 0xFFFFFFFF if kind == _COMPRESSED else 0
    if kind not in (_COMPRESSED, _PLAIN) or checksum != expected or n_packed < _HEAD.size - 4:
        raise Corrupt("the RTF body is damaged")
    try:
        return bytes(compressed_rtf.decompress(data))
    except (IndexError, struct.error) as error:
        raise Corrupt(f"compressed_rtf: {type(error).__name__}") from error
