"""PDF by PDFium; pages and files that it cannot read by pypdf.

A page that fails is a problem of that page, not of the document. Not read: text in pictures and
drawings, what only a script would show (XFA forms), and headers, footers and page numbers after
their first time.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Final

import pypdf
import pypdfium2

from parsers.contract import ParseTask
from parsers.document import BlockKind, Member, Page, ParsedDocument, TextBuilder
from parsers.errors import Corrupt, TooManyPages
from parsers.pdf.first_engine import open_document, outline, property_of, read_page
from parsers.pdf.headings import Headings, headings_of
from parsers.pdf.layout import Group, HeadingMark, arrange
from parsers.pdf.lines import Line
from parsers.pdf.notes import attached_to_document
from parsers.pdf.page import RawPage
from parsers.pdf.properties import named_apart, properties_of, title_of
from parsers.pdf.running import running_lines
from parsers.pdf.second_engine import SecondEngine
from parsers.pdf.tables import header_of, table_text
from parsers.pdf.text import Vocabulary, join_lines, vocabulary
from parsers.readability import judge_text

NAME: Final = "pdf"
VERSION: Final = f"2+pdfium-{pypdfium2.PDFIUM_INFO.build}+pypdf-{pypdf.__version__}"

_MAX_SECOND_TRIES: Final = 50
"""Pages of a document that pypdf is asked for after PDFium read nothing, or noise."""


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the engines found in a file."""

    pages: list[RawPage]
    headings: Headings
    title: str
    properties: dict[str, str]
    files: tuple[Member, ...]


def parse(task: ParseTask) -> ParsedDocument:
    document = open_document(task.data, task.passwords)
    second = SecondEngine(task.data, task.passwords)
    if document is None:
        reading = _read_second(second, task)
    else:
        try:
            reading = _read(document, second, task)
        finally:
            document.close()
    if all(page.problem for page in reading.pages):
        raise Corrupt(f"no page can be read; the first: {reading.pages[0].problem}")
    builder, pages = _written(reading)
    headings = (b.label for b in builder.blocks if b.kind is BlockKind.HEADING and b.page == 1)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(pages),
        title=reading.title or title_of(next(headings, "")),
        properties=reading.properties,
        members=reading.files,
    )


def _read(document: pypdfium2.PdfDocument, second: SecondEngine, task: ParseTask) -> _Reading:
    n_pages = len(document)
    if n_pages == 0:
        return _read_second(second, task)
    _check_page_count(n_pages, task)
    pages = _pages(document, second, n_pages)
    lines = [page.lines for page in pages]
    on_pages = (file for page in pages for file in page.attachments)
    return _Reading(
        pages,
        headings_of(lines, outline(document)),
        title_of(property_of(document, "Title")),
        properties_of(partial(property_of, document)),
        named_apart(chain(attached_to_document(document), on_pages), task.options),
    )


def _pages(document: pypdfium2.PdfDocument, second: SecondEngine, n_pages: int) -> list[RawPage]:
    pages: list[RawPage] = []
    n_tries = 0
    for index in range(n_pages):
        page = read_page(document, index)
        if n_tries < _MAX_SECOND_TRIES and _needs_another_try(page):
            n_tries += 1
            page = _better(page, second.page(index))
        pages.append(page)
    return pages


def _needs_another_try(page: RawPage) -> bool:
    return bool(page.problem) or (judge_text(page.text) is not None and not page.has_picture)


def _better(first: RawPage, other: RawPage) -> RawPage:
    if other.problem or judge_text(other.text) is not None:
        return first
    return replace(
        first, engine=other.engine, lines=other.lines, problem="", has_picture=other.has_picture
    )


def _read_second(second: SecondEngine, task: ParseTask) -> _Reading:
    n_pages = second.n_pages()
    _check_page_count(n_pages, task)
    pages = [second.page(index) for index in range(n_pages)]
    return _Reading(
        pages,
        {},
        title_of(second.property("Title")),
        properties_of(second.property),
        named_apart(second.attachments(), task.options),
    )


def _check_page_count(n_pages: int, task: ParseTask) -> None:
    if n_pages > task.options.max_pages:
        raise TooManyPages(f"{n_pages} pages, {task.options.max_pages} are allowed")


def _written(reading: _Reading) -> tuple[TextBuilder, list[Page]]:
    builder = TextBuilder()
    known = vocabulary(line.text for page in reading.pages for line in page.lines)
    kept = _without_running_lines(reading)
    pages: list[Page] = []
    for number, (page, (lines, marks)) in enumerate(zip(reading.pages, kept, strict=True), 1):
        n_blocks = len(builder.blocks)
        for group in arrange(lines, marks):
            _write(builder, group, number, known)
        for note in page.notes:
            builder.add(BlockKind.PARAGRAPH, note, page=number)
        start = builder.blocks[n_blocks].start if n_blocks < len(builder.blocks) else None
        end = builder.position
        label = page.label if page.label != str(number) else ""
        begin = end if start is None else start
        pages.append(Page(number, begin, end, page.has_picture, page.problem, label, page.engine))
    return builder, pages


def _without_running_lines(
    reading: _Reading,
) -> Iterator[tuple[list[Line], Mapping[int, HeadingMark]]]:
    """For each page its lines, and which of them are headings by their index among these."""
    all_lines: Sequence[Sequence[Line]] = [page.lines for page in reading.pages]
    labels = [page.label or str(number) for number, page in enumerate(reading.pages, 1)]
    left_out = running_lines(all_lines, labels)
    for page, lines in enumerate(all_lines):
        kept = [index for index in range(len(lines)) if (page, index) not in left_out]
        places = {index: place for place, index in enumerate(kept)}
        marks = {
            place: reading.headings[page, index]
            for index, place in places.items()
            if (page, index) in reading.headings
        }
        yield [lines[index] for index in kept], marks


def _write(builder: TextBuilder, group: Group, page: int, known: Vocabulary) -> None:
    if group.kind is BlockKind.TABLE:
        lines = group.lines
        builder.add(group.kind, table_text(lines), page=page, header=header_of(lines))
        return
    rows = (join_lines([line.text for line in row], known) for row in group.rows)
    text = " ".join(rows) if group.kind is BlockKind.HEADING else "\n".join(rows)
    builder.add(group.kind, text, level=group.level, page=page)
