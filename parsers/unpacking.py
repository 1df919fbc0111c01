"""How much a compressed file may unpack to."""

import io
import zipfile

from parsers.contract import ParseOptions
from parsers.errors import Corrupt, DecompressionBomb

_MIB = 1024 * 1024
_HARMLESS_MIB = 64


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
    ratio = unpacked // len(data)
    too_dense = unpacked > _HARMLESS_MIB * _MIB and ratio > options.max_unpacked_ratio
    if too_dense or unpacked > options.max_unpacked_mib * _MIB:
        raise DecompressionBomb(f"unpacks to {unpacked // _MIB} MiB, {ratio} times its size")
