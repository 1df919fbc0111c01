"""What the sandbox and its workers say to each other: frames of bytes over two pipes.

A worker says `STARTED` when it is ready. A request is two frames, a `Request` as JSON and the bytes
of the document. The worker answers with `ROUTED` and the media type when it knows that, `LOADED`
and the parser's name when that is imported, and then a reply: `PARSED` and the document as JSON, or
`FAILED` and a `Failure` as JSON. Before `PARSED` come the members of the document, two frames each:
`MEMBER` and a `MemberHead` as JSON, and its bytes. JSON, not pickle: a worker that a document has
taken over must not be able to run code in the process that trusts it.
"""

import struct
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from pydantic import TypeAdapter

from parsers.contract import ParseOptions
from parsers.reasons import Reason

STARTED: Final = b"S"
ROUTED: Final = b"R"
LOADED: Final = b"L"
MEMBER: Final = b"M"
PARSED: Final = b"P"
FAILED: Final = b"F"

FOLDER_PREFIX: Final = "headwater-worker-"
"""Of the name of the folder that a worker is started in, and deletes when it ends."""
_LENGTH: Final = struct.Struct(">Q")


@dataclass(frozen=True, slots=True)
class Request:
    """What a worker is told about a document, besides its bytes."""

    name: str
    options: ParseOptions
    cpu_s: float
    memory_mib: int
    passwords: tuple[str, ...] = field(default=(), repr=False)
    read_as: str = ""
    """The media type that it is taken for; empty if its bytes and its name are to say."""


@dataclass(frozen=True, slots=True)
class MemberHead:
    """A member without its bytes."""

    name: str
    code: Reason | None
    detail: str
    skip_rule: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a document could not be read."""

    code: Reason
    detail: str
    """One line, without any text of the document."""
    media_type: str = ""
    """Empty if it failed before that was known."""
    parser: str = ""
    """Name and version; empty if it failed before one was chosen."""
    traceback: str = ""
    """Frames only: the message of an exception may quote the document."""


REQUEST: Final = TypeAdapter(Request)
MEMBER_HEAD: Final = TypeAdapter(MemberHead)
FAILURE: Final = TypeAdapter(Failure)


def write_frame(stream: BinaryIO, *parts: bytes) -> None:
    """Send `parts` as one frame.

    Raises:
        OSError: The other side is gone.
    """
    stream.write(_LENGTH.pack(sum(len(part) for part in parts)))
    for part in parts:
        stream.write(part)
    stream.flush()


def read_frame(stream: BinaryIO) -> bytes:
    """Receive one frame.

    Raises:
        EOFError: The other side is gone.
    """
    (length,) = _LENGTH.unpack(_read_exactly(stream, _LENGTH.size))
    return _read_exactly(stream, length)


def _read_exactly(stream: BinaryIO, n_bytes: int) -> bytes:
    data = stream.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError
    return data
