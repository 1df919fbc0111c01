"""pypdf, for what PDFium cannot read: it is slower, and more patient with broken files.

What it may cost is counted in drawing operators, not in seconds, so that the same bytes give the
same document on any machine.
"""

import io
import logging
import struct
import zlib
from collections.abc import Sequence
from typing import Any, Final

import pypdf
from pypdf.errors import DependencyError, DeprecationError, PyPdfError

from parsers.document import Member
from parsers.errors import Corrupt, Encrypted
from parsers.pdf.page import PYPDF, RawPage, lines_without_places

_MALFORMED: Final = (
    PyPdfError,
    DependencyError,
    DeprecationError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    struct.error,
    zlib.error,
)
"""How pypdf fails on files that break the specification, besides its own errors."""
_MAX_OPERATORS: Final = 200_000
"""Of all pages that it is asked for: some ten seconds."""
_MAX_CONTENT_BYTES: Final = 4 * 1024 * 1024
"""Of one page, unpacked."""

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


class _TooMuch(Exception):
    """The page needs more than is left."""


class SecondEngine:
    """A file as pypdf reads it; opened when its first page is asked for."""

    def __init__(self, data: bytes, passwords: Sequence[str]) -> None:
        """`passwords` are tried in turn, after none at all."""
        self._data = data
        self._passwords = passwords
        self._reader: pypdf.PdfReader | None = None
        self._n_operators = 0

    def n_pages(self) -> int:
        """How many it finds.

        Raises:
            Corrupt: None, or it does not open.
            Encrypted: No password opens it.
        """
        try:
            n_pages = len(self._opened().pages)
        except _MALFORMED as error:
            raise Corrupt(f"pypdf: {type(error).__name__}") from error
        if n_pages == 0:
            raise Corrupt("pypdf: no pages")
        return n_pages

    def page(self, index: int) -> RawPage:
        """The page at a 0-based index; what fails is its problem."""
        try:
            page = self._opened().pages[index]
            contents = page.get_contents()
            if contents is None:
                return RawPage(PYPDF)
            if len(contents.get_data()) > _MAX_CONTENT_BYTES:
                raise _TooMuch
            text = page.extract_text(visitor_operand_before=self._count)
        except _TooMuch:
            return RawPage(PYPDF, problem="pypdf: more drawing operators than are read")
        except (*_MALFORMED, Encrypted, Corrupt) as error:
            return RawPage(PYPDF, problem=f"pypdf: {type(error).__name__}")
        return RawPage(PYPDF, lines_without_places(text), has_picture=_has_picture(page))

    def property(self, name: str) -> str:
        """A value of the document's information, by its name there; empty if there is none."""
        try:
            stated: Any = self._opened().metadata or {}
            return str(stated.get(f"/{name}", ""))
        except _MALFORMED:
            return ""

    def attachments(self) -> tuple[Member, ...]:
        try:
            found = self._opened().attachments
            return tuple(
                Member(str(name), bytes(data)) for name, many in found.items() for data in many
            )
        except _MALFORMED:
            return ()

    def _opened(self) -> pypdf.PdfReader:
        if self._reader is None:
            reader = pypdf.PdfReader(io.BytesIO(self._data))
            if reader.is_encrypted and not any(map(reader.decrypt, ("", *self._passwords))):
                raise Encrypted("a PDF with a user password")
            self._reader = reader
        return self._reader

    def _count(self, *_: object) -> None:
        self._n_operators += 1
        if self._n_operators > _MAX_OPERATORS:
            raise _TooMuch


def _has_picture(page: pypdf.PageObject) -> bool:
    try:
        resources = page.get("/Resources")
        objects = resources and resources.get_object().get("/XObject")
        kinds = {item.get_object().get("/Subtype") for item in (objects or {}).values()}
    except _MALFORMED:
        return False
    return "/Image" in kinds
