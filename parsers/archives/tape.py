"""The members of a tar archive."""

import io
import tarfile
from collections.abc import Iterator
from typing import Final, cast

from parsers.archives.member_names import DistinctNames, is_litter, safe_path
from parsers.contract import ParseOptions
from parsers.document import Member
from parsers.errors import Corrupt
from parsers.reasons import Reason
from parsers.unpacking import Allowance, check_count, read_within

_BLOCK: Final = 512
_DAMAGED: Final = (tarfile.TarError, OSError, EOFError, ValueError, OverflowError)
_REST: Final = "(unreadable rest)"


def is_tar(data: bytes) -> bool:
    """Whether `data` begins with the header of a member."""
    if data[257:262] == b"ustar":
        return True
    try:
        tarfile.TarInfo.frombuf(data[:_BLOCK], "utf-8", "surrogateescape")
    except (tarfile.HeaderError, ValueError):
        return False
    return True


def members(
    data: bytes, options: ParseOptions, allowance: Allowance, *, is_whole: bool = True
) -> Iterator[Member]:
    """Its files, and one member more that stands for what could not be read.

    Args:
        data: The archive, unpacked.
        options: How many members there may be.
        allowance: How many bytes they may have.
        is_whole: False if more of it was lost with what it was packed in.

    Raises:
        Corrupt: Not even the first header can be read.
        DecompressionBomb: It has too many members, or they are too large.
    """
    names = DistinctNames()
    try:
        archive = tarfile.open(fileobj=io.BytesIO(data), mode="r:")  # noqa: SIM115
    except _DAMAGED as error:
        raise Corrupt(f"tar: {type(error).__name__}") from error
    with archive:
        n_seen = 0
        while (entry := _next(archive)) is not None:
            n_seen += 1
            check_count(n_seen, options)
            if entry.isreg() and not is_litter(entry.name):
                yield _member(archive, entry, names.name(safe_path(entry.name)), allowance)
        if not is_whole or _breaks_off(data, archive.offset):
            detail = f"the archive breaks off after {n_seen} entries"
            yield Member(names.name(_REST), b"", Reason.CORRUPT, detail)


def _next(archive: tarfile.TarFile) -> tarfile.TarInfo | None:
    try:
        return archive.next()
    except _DAMAGED:
        return None  # What is left is found by where it stopped.


def _member(
    archive: tarfile.TarFile, entry: tarfile.TarInfo, name: str, allowance: Allowance
) -> Member:
    try:
        stream = cast(io.BufferedIOBase, archive.extractfile(entry))
        data = b"".join(read_within(stream, allowance))
    except _DAMAGED as error:
        return Member(name, b"", Reason.CORRUPT, f"tar: {type(error).__name__}")
    if len(data) < entry.size:
        detail = f"{len(data)} of {entry.size} bytes are there"
        return Member(name, b"", Reason.CORRUPT, detail)
    return Member(name, data)


def _breaks_off(data: bytes, offset: int) -> bool:
    """Whether something other than the zeros of an archive's end stands where reading stopped."""
    return any(data[offset : offset + _BLOCK])
