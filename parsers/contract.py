"""The promise that every parser keeps, and what it may be told."""

from dataclasses import dataclass, field
from typing import Protocol

from parsers.document import ParsedDocument


@dataclass(frozen=True, slots=True)
class ParseOptions:
    """What a parser may be told. Part of the parse fingerprint: equal options, equal result."""

    max_pages: int = 5_000
    max_unpacked_mib: int = 512
    """What a compressed file may unpack to, in all."""
    max_unpacked_ratio: int = 100
    """Unpacked to packed bytes. Asked only of files that unpack to more than 64 MiB."""
    open_archives: bool = True
    max_members: int = 10_000
    """Documents in an archive, attachments of a mail, and so on."""
    include_hidden: bool = False
    """Read hidden sheets, rows, columns and slides too."""
    include_bots: bool = False
    """Read what bots wrote into a conversation too."""
    include_private: bool = False
    """Read private channels and direct messages too."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What reading one document may cost."""

    timeout_s: float = 60.0
    """By the clock, from the moment that its parser is loaded."""
    cpu_s: float = 60.0
    memory_mib: int = 2048
    """Resident, of the worker and what it started. Its address space may grow by as much."""
    max_file_mib: int = 200
    """A larger file is not read at all."""
    max_documents_per_worker: int = 500
    """After these a worker is replaced, so that what libraries leak stays bounded."""


@dataclass(frozen=True, slots=True)
class ParseTask:
    """One document to be read."""

    data: bytes = field(repr=False)
    """The whole file; not empty."""
    media_type: str
    options: ParseOptions
    passwords: tuple[str, ...] = field(default=(), repr=False)
    """To be tried on an encrypted file, besides the empty one."""
    name: str = ""
    """Its uri, for what is named after it."""


class Parse(Protocol):
    """A parser: a function without state, safe to call again in the same process.

    It opens no connection, reads no other file, and writes none. It tells the truth: what it
    cannot read is a `ParseError` or a `Page.problem`, never an empty success. Whether the text is
    any good is not its business: the quality gate judges that.
    """

    def __call__(self, task: ParseTask) -> ParsedDocument:
        """Read a document.

        Raises:
            ParseError: The document is at fault; the class says how.
        """
