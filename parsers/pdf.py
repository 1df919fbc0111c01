"""PDF by pypdf, page by page: a page that fails is a problem of that page, not of the document."""

import io
import logging
import re
import zlib
from typing import Any, Final

import pypdf
import pypdfium2
from pypdf.errors import PyPdfError

from parsers.contract import ParseTask
from parsers.document import Block, BlockKind, Page, ParsedDocument, clean_text
from parsers.errors import Corrupt, Encrypted, TooManyPages
from parsers.plain_text import paragraphs

NAME: Final = "pdf"
VERSION: Final = f"1+pypdf-{pypdf.__version__}"

_MALFORMED: Final = (
    PyPdfError,
    KeyError,
    ValueError,
    TypeError,
    IndexError,
    AttributeError,
    AssertionError,
    NotImplementedError,
    RecursionError,
    OverflowError,
    zlib.error,
)
"""How pypdf fails on files that break the specification, besides its own errors."""
_MAX_CAPTION_CHARACTERS: Final = 50
"""A page with less text than this is asked whether it holds a picture."""
_INLINE_PICTURE: Final = re.compile(rb"(?:^|\s)BI\s.*?\sID\s", re.S)
_PRODUCER_TITLE: Final = re.compile(r"^(?:microsoft \w+ - |untitled|.*\.\w{2,4}$)", re.I)
"""Titles that a program wrote for want of one: `Microsoft Word - memo.doc`."""
_PROPERTIES: Final = {"/Author": "author", "/Subject": "subject", "/Keywords": "keywords"}

logging.getLogger("pypdf").setLevel(logging.CRITICAL)


def parse(task: ParseTask) -> ParsedDocument:
    reader = _open(task.data)
    n_pages = _count_pages(reader)
    if n_pages > task.options.max_pages:
        raise TooManyPages(f"{n_pages} pages, {task.options.max_pages} are allowed")
    text, pages, blocks = _read_pages(reader, n_pages)
    properties = _properties(reader)
    return ParsedDocument(
        text=text,
        blocks=tuple(blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(pages),
        title=_usable_title(properties.pop("title", "")),
        properties=properties,
    )


def _open(data: bytes) -> pypdf.PdfReader:
    try:
        reader = pypdf.PdfReader(io.BytesIO(data))
        sealed = reader.is_encrypted and not _opens_without_password(reader, data)
    except _MALFORMED as error:
        raise Corrupt(_said(error)) from error
    if sealed:
        raise Encrypted("a PDF with a user password")
    return reader


def _opens_without_password(reader: pypdf.PdfReader, data: bytes) -> bool:
    """Whether the user password is empty.

    pypdf also opens files by an empty owner password. Up to revision 4 that implies an empty user
    password; from 5 on it doesn't, and PDFium, which knows the user password only, decides.
    """
    opened = reader.decrypt("")
    if opened is not pypdf.PasswordType.OWNER_PASSWORD:
        return opened is pypdf.PasswordType.USER_PASSWORD
    try:
        pypdfium2.PdfDocument(data).close()
    except pypdfium2.PdfiumError:
        return False
    return True


def _count_pages(reader: pypdf.PdfReader) -> int:
    try:
        n_pages = len(reader.pages)
    except _MALFORMED as error:
        raise Corrupt(_said(error)) from error
    if n_pages == 0:
        raise Corrupt("pypdf: no pages")
    return n_pages


def _read_pages(reader: pypdf.PdfReader, n_pages: int) -> tuple[str, list[Page], list[Block]]:
    parts: list[str] = []
    pages: list[Page] = []
    blocks: list[Block] = []
    position = 0
    for index in range(n_pages):
        words, has_picture, problem = _read_page(reader, index)
        if words and position:
            parts.append("\n\n")
            position += 2
        parts.append(words)
        start, position = position, position + len(words)
        pages.append(Page(index + 1, start, position, has_picture, problem))
        blocks.extend(
            Block(BlockKind.PARAGRAPH, start + first, start + last, 0, index + 1)
            for first, last in paragraphs(words)
        )
    if all(page.problem for page in pages):
        raise Corrupt(f"no page can be read; the first: {pages[0].problem}")
    return "".join(parts), pages, blocks


def _read_page(reader: pypdf.PdfReader, index: int) -> tuple[str, bool, str]:
    """The words on a page, whether it has hardly any and a picture, and what failed."""
    try:
        page = reader.pages[index]
        words = clean_text(page.extract_text()).strip()
        return words, len(words) <= _MAX_CAPTION_CHARACTERS and _has_picture(page), ""
    except _MALFORMED as error:
        return "", False, _said(error)


def _has_picture(page: pypdf.PageObject) -> bool:
    resources = page.get("/Resources")
    objects = resources and resources.get_object().get("/XObject")
    kinds = {item.get_object().get("/Subtype") for item in (objects or {}).values()}
    contents = page.get_contents()
    return "/Image" in kinds or (
        contents is not None and _INLINE_PICTURE.search(contents.get_data()) is not None
    )


def _properties(reader: pypdf.PdfReader) -> dict[str, str]:
    try:
        stated: Any = reader.metadata or {}
        found = {"title": stated.get("/Title")}
        found |= {name: stated.get(key) for key, name in _PROPERTIES.items()}
        return {name: clean_text(str(value)).strip() for name, value in found.items() if value}
    except _MALFORMED:
        return {}


def _usable_title(title: str) -> str:
    return "" if _PRODUCER_TITLE.match(title) else " ".join(title.split())


def _said(error: BaseException) -> str:
    """What pypdf said, without what it may have quoted from the document."""
    return f"pypdf: {type(error).__name__}"
