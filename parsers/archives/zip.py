"""The members of a zip archive. Those under AES are read by pyzipper: zipfile cannot."""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from itertools import pairwise
from lzma import LZMAError
from typing import Final, cast

import pyzipper

from parsers.archives.member_names import DistinctNames, is_litter, safe_path
from parsers.contract import ParseOptions, ParseTask
from parsers.document import Member
from parsers.errors import Corrupt, DecompressionBomb
from parsers.reasons import Reason
from parsers.unpacking import Allowance, check_count, read_within

VERSION: Final = f"pyzipper-{version('pyzipper')}"

_DAMAGED: Final = (
    zipfile.BadZipFile,
    pyzipper.BadZipFile,
    zlib.error,
    LZMAError,
    EOFError,
    OSError,
    ValueError,
    struct.error,
    IndexError,
)
_END: Final = b"PK\x05\x06"
_ENCRYPTED: Final = 0x1
_NAME_IS_UTF8: Final = 0x800
_AES: Final = 99
_LOCAL_HEADER_BYTES: Final = 30


def members(task: ParseTask, allowance: Allowance) -> Iterator[Member]:
    """Its files; those that cannot be taken out say why.

    Raises:
        Corrupt: It has no readable directory.
        DecompressionBomb: It has too many members, they are too large, or they share their bytes.
    """
    _check_claimed_count(task.data, task.options)
    with _opened(task.data) as archive:
        entries = [entry for entry in archive.infolist() if _is_file(entry)]
        check_count(len(entries), task.options)
        _check_overlaps(entries)
        names = DistinctNames()
        for entry in entries:
            name = names.name(safe_path(_name(entry)))
            yield _member(archive, entry, name, task.passwords, allowance)


def _opened(data: bytes) -> zipfile.ZipFile:
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        if any(entry.compress_type == _AES for entry in archive.infolist()):
            return cast(zipfile.ZipFile, pyzipper.AESZipFile(io.BytesIO(data)))
    except (*_DAMAGED, NotImplementedError) as error:
        raise Corrupt(f"zip: {type(error).__name__}") from error
    return archive


def _check_claimed_count(data: bytes, options: ParseOptions) -> None:
    """The directory is read as a whole, so a long one is refused before that."""
    end = data.rfind(_END)
    if 0 <= end <= len(data) - 12:
        (n_entries,) = struct.unpack_from("<H", data, end + 10)
        check_count(n_entries // 2, options)  # Up to half may be folders and litter.


def _is_file(entry: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    return not entry.is_dir() and kind in (0, stat.S_IFREG) and not is_litter(entry.filename)


def _check_overlaps(entries: Sequence[zipfile.ZipInfo]) -> None:
    """Members that share bytes unpack to far more than an archive of its size can hold."""
    spans = sorted((entry.header_offset, entry.compress_size) for entry in entries)
    for (start, size), (following, _) in pairwise(spans):
        if start + _LOCAL_HEADER_BYTES + size > following:
            raise DecompressionBomb(f"some of its {len(entries)} members lie over each other")


def _name(entry: zipfile.ZipInfo) -> str:
    """Without the UTF-8 flag it should be in code page 437, and mostly is in UTF-8 all the same."""
    if entry.flag_bits & _NAME_IS_UTF8:
        return entry.filename
    try:
        return entry.filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return entry.filename


def _member(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    name: str,
    passwords: Sequence[str],
    allowance: Allowance,
) -> Member:
    try:
        if not entry.flag_bits & _ENCRYPTED:
            return Member(name, _read(archive, entry, None, allowance))
        data = _decrypted(archive, entry, passwords, allowance)
    except _DAMAGED as error:
        return Member(name, b"", Reason.CORRUPT, f"zip: {type(error).__name__}")
    except NotImplementedError:
        detail = f"zip: compression method {entry.compress_type}"
        return Member(name, b"", Reason.UNSUPPORTED_TYPE, detail)
    if data is None:
        return Member(name, b"", Reason.ENCRYPTED, "no known password opens this member")
    return Member(name, data)


def _decrypted(
    archive: zipfile.ZipFile,
    entry: zipfile.ZipInfo,
    passwords: Sequence[str],
    allowance: Allowance,
) -> bytes | None:
    for password in passwords:
        try:
            return _read(archive, entry, password.encode(), allowance)
        except (RuntimeError, *_DAMAGED):
            continue  # A wrong password may pass the check of one byte and yield noise.
    return None


def _read(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, password: bytes | None, allowance: Allowance
) -> bytes:
    with archive.open(entry, pwd=password) as stream:
        return b"".join(read_within(cast(io.BufferedIOBase, stream), allowance))
