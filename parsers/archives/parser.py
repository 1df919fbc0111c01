"""Archives (zip, tar) and single compressed files: what is in them, each as a document of its own.

Sizes are counted while unpacking; what headers say about them is not believed.
"""

import bz2
import gzip
import io
import lzma
import re
import zlib
from pathlib import PurePosixPath
from typing import Final

from parsers.archives import tape as tape_archive
from parsers.archives import zip as zip_archive
from parsers.archives.member_names import file_name
from parsers.contract import ParseTask
from parsers.document import Member, ParsedDocument, clean_text
from parsers.errors import Corrupt, UnsupportedType
from parsers.media_type import BZIP2, GZIP, TAR, XZ, ZIP
from parsers.slack.archive import gather_conversations
from parsers.unpacking import Allowance, read_within

NAME: Final = "archive"
VERSION: Final = f"1+{zip_archive.VERSION}"

_DAMAGED: Final = (OSError, EOFError, zlib.error, lzma.LZMAError, ValueError)
_UNNAMED: Final = "content"
_GZIP_NAME: Final = re.compile(
    rb"\x1f\x8b\x08([\x08-\x0b\x18-\x1b]).{6}([^\x00]{1,1024})\x00", re.S
)
"""A header that names the file and has no extra field (RFC 1952, 2.3)."""


def parse(task: ParseTask) -> ParsedDocument:
    if not task.options.open_archives:
        raise UnsupportedType("archives are not opened: set open_archives")
    return ParsedDocument(
        text="",
        blocks=(),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        members=tuple(
            gather_conversations(_members(task), include_private=task.options.include_private)
        ),
    )


def _members(task: ParseTask) -> tuple[Member, ...]:
    allowance = Allowance(len(task.data), task.options)
    if task.media_type == ZIP:
        return tuple(zip_archive.members(task, allowance))
    if task.media_type == TAR:
        return tuple(tape_archive.members(task.data, task.options, allowance))
    unpacked, is_whole = _unpacked(task, allowance)
    if tape_archive.is_tar(unpacked):
        # The stream was counted; a file with holes can still be larger than that.
        allowance = Allowance(len(task.data), task.options)
        return tuple(tape_archive.members(unpacked, task.options, allowance, is_whole=is_whole))
    if not is_whole:
        raise Corrupt(f"it breaks off after {len(unpacked)} unpacked bytes")
    return (Member(_name(task), unpacked),)


def _unpacked(task: ParseTask, allowance: Allowance) -> tuple[bytes, bool]:
    """What could be unpacked, and whether that is all of it."""
    out = bytearray()
    try:
        with _opened(task) as stream:
            for piece in read_within(stream, allowance):
                out += piece
    except _DAMAGED as error:
        if not out:
            raise Corrupt(f"{task.media_type}: {type(error).__name__}") from error
        return bytes(out), False
    return bytes(out), True


def _opened(task: ParseTask) -> io.BufferedIOBase:
    packed = io.BytesIO(task.data)
    if task.media_type == GZIP:
        return gzip.GzipFile(fileobj=packed)
    if task.media_type == BZIP2:
        return bz2.BZ2File(packed)
    if task.media_type == XZ:
        return lzma.LZMAFile(packed)
    raise UnsupportedType(f"no unpacker for {task.media_type}")


def _name(task: ParseTask) -> str:
    """As a gzip header may have it; else that of the compressed file without its last suffix."""
    header = _GZIP_NAME.match(task.data)
    if header is None:
        return PurePosixPath(task.name).stem or _UNNAMED
    name = clean_text(header[2].decode("latin-1"))
    return file_name(PurePosixPath(name.replace("\\", "/")).name)
