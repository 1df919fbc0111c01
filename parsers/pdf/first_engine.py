"""PDFium, which reads nearly every PDF, and several times as fast as pypdf."""

from collections.abc import Sequence
from typing import Any, Final

import pypdfium2
import pypdfium2.raw as pdfium

from parsers.errors import Encrypted
from parsers.pdf.headings import OutlineEntry
from parsers.pdf.lines import read_lines
from parsers.pdf.notes import attached_to_page, notes
from parsers.pdf.page import PDFIUM, RawPage
from parsers.pdf.strings import text_of

_MAX_CAPTION_CHARACTERS: Final = 50
"""A page with less text than this is asked whether it holds a picture."""
_MIN_DRAWN_SEGMENTS: Final = 200
"""Lines and curves on a page without a letter, from which on it counts as a picture."""
_MAX_OUTLINE_ENTRIES: Final = 5_000
_MAX_OUTLINE_DEPTH: Final = 10


def open_document(data: bytes, passwords: Sequence[str]) -> pypdfium2.PdfDocument | None:
    """The document, for the caller to close; None where PDFium cannot open it.

    Raises:
        Encrypted: Neither no password nor any of `passwords` opens it.
    """
    code = None
    for password in (None, *passwords):
        try:
            document = pypdfium2.PdfDocument(data, password)
        except pypdfium2.PdfiumError as error:
            code = error.err_code
            if code != pdfium.FPDF_ERR_PASSWORD:
                break
        else:
            return _with_forms(document)
    if code == pdfium.FPDF_ERR_PASSWORD:
        tried = f"; {len(passwords)} given do not open it" if passwords else ""
        raise Encrypted(f"a PDF with a user password{tried}")
    if code == pdfium.FPDF_ERR_SECURITY:
        raise Encrypted("a PDF that is sealed in another way than with a password")
    return None


def _with_forms(document: pypdfium2.PdfDocument) -> pypdfium2.PdfDocument:
    try:
        document.init_forms()
    except pypdfium2.PdfiumError:
        return document  # Its fields stay unread; its pages do not need them.
    return document


def read_page(document: pypdfium2.PdfDocument, index: int) -> RawPage:
    """The page at a 0-based index."""
    try:
        page = document[index]
    except pypdfium2.PdfiumError:
        return RawPage(PDFIUM, problem="pdfium: the page does not load")
    try:
        text_page = page.get_textpage()
        lines = tuple(read_lines(text_page.raw))
        text_page.close()
        n_letters = sum(len(line.text) for line in lines)
        return RawPage(
            PDFIUM,
            lines,
            notes=notes(document, page),
            has_picture=n_letters <= _MAX_CAPTION_CHARACTERS and _has_picture(page, n_letters),
            label=text_of(pdfium.FPDF_GetPageLabel, document, index),
            attachments=attached_to_page(page),
        )
    except pypdfium2.PdfiumError:
        return RawPage(PDFIUM, problem="pdfium: the page has no text layer")
    finally:
        page.close()


def _has_picture(page: pypdfium2.PdfPage, n_letters: int) -> bool:
    """Whether there is an image, or, without any letter, a drawing, which text may be part of."""
    n_segments = 0
    for drawn in page.get_objects():
        if drawn.type == pdfium.FPDF_PAGEOBJ_IMAGE:
            return True
        if drawn.type == pdfium.FPDF_PAGEOBJ_PATH:
            n_segments += pdfium.FPDFPath_CountSegments(drawn)
    return n_letters == 0 and n_segments >= _MIN_DRAWN_SEGMENTS


def property_of(document: pypdfium2.PdfDocument, name: str) -> str:
    """A value of the document's information, by its name there; empty if there is none."""
    return text_of(pdfium.FPDF_GetMetaText, document, name.encode())


def outline(document: pypdfium2.PdfDocument) -> list[OutlineEntry]:
    entries: list[OutlineEntry] = []
    for bookmark in document.get_toc(max_depth=_MAX_OUTLINE_DEPTH):
        if len(entries) >= _MAX_OUTLINE_ENTRIES:
            break
        target = bookmark.get_dest() or _action_target(bookmark)
        page = target.get_index() if target else None
        if page is not None:
            title = text_of(pdfium.FPDFBookmark_GetTitle, bookmark)
            entries.append(OutlineEntry(title, bookmark.level + 1, page))
    return entries


def _action_target(bookmark: pypdfium2.PdfBookmark) -> pypdfium2.PdfDest | None:
    action = pdfium.FPDFBookmark_GetAction(bookmark)
    found: Any = action and pdfium.FPDFAction_GetDest(bookmark.pdf, action)
    return pypdfium2.PdfDest(found, pdf=bookmark.pdf) if found else None
