"""Word and PowerPoint files from before 2007, by office_oxide. Each slide is a page.

Left out are running headers and footers. Whether a slide is hidden is not told, so all are read.
"""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import Any, Final, Literal

from office_oxide import Document, OfficeOxideError

from parsers.contract import ParseTask
from parsers.document import BlockKind, Page, ParsedDocument, TextBuilder
from parsers.errors import Corrupt, Encrypted, TooManyPages
from parsers.media_type import PPT
from parsers.office.encryption import VERSION as ENCRYPTION_VERSION
from parsers.office.encryption import decrypt
from parsers.office.properties import best_title, iso_date, without_blanks
from parsers.table_text import add_table

NAME: Final = "legacy-office"
VERSION: Final = f"1+office_oxide-{version('office-oxide')}+{ENCRYPTION_VERSION}"

_Node = Mapping[str, Any]
"""A part of the document, as office_oxide gives it: its `type`, and what depends on that."""

_MALFORMED: Final = (OfficeOxideError, ValueError, OverflowError, OSError)
_SEALED: Final = "password-protected"
_MAX_CAPTION_CHARACTERS: Final = 50
"""A slide with less text than this is asked whether it holds a picture."""
_SLIDE_TITLE_LEVEL: Final = 2
_MAX_LEVEL: Final = 6
_MAX_SPAN: Final = 63
_BULLETED: Final = ("body", "obj")
"""Placeholders of a slide whose paragraphs are a list."""
_TITLE_ROLES: Final = ("title", "ctrTitle")


def parse(task: ParseTask) -> ParsedDocument:
    is_show = task.media_type == PPT
    content = _content(decrypt(task.data, task.passwords), "ppt" if is_show else "doc")
    sections = content["sections"]
    if is_show and len(sections) > task.options.max_pages:
        raise TooManyPages(f"{len(sections)} slides, {task.options.max_pages} are allowed")
    writer = _Writer()
    if is_show:
        pages = [writer.write_slide(number, slide) for number, slide in enumerate(sections, 1)]
    else:
        pages = []
        for section in sections:
            writer.write(section["elements"])
    stated: _Node = content["metadata"]
    return ParsedDocument(
        text=writer.builder.text,
        blocks=tuple(writer.builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(pages),
        title=best_title(stated.get("title") or "", writer.builder.blocks),
        properties=_properties(stated),
    )


def _content(data: bytes, kind: Literal["doc", "ppt"]) -> _Node:
    try:
        found: _Node = Document.from_bytes(data, kind).to_ir()
    except _MALFORMED as error:
        if _SEALED in str(error):
            raise Encrypted("office_oxide: a file with a password") from error
        raise Corrupt(f"office_oxide: {type(error).__name__}") from error
    return found


class _Writer:
    """Writes paragraphs, lists, tables and text boxes as blocks."""

    def __init__(self) -> None:
        self.builder = TextBuilder()
        self._page: int | None = None

    def write_slide(self, number: int, slide: _Node) -> Page:
        self._page = number
        start = len(self.builder.blocks)
        elements = sorted(slide["elements"], key=lambda element: not _is_title(element))
        notes = slide.get("speaker_notes") or []
        has_title = any(_is_title(element) for element in elements)
        if not has_title and any(_words(element).strip() for element in (*elements, *notes)):
            self._add(BlockKind.HEADING, f"Slide {number}", _SLIDE_TITLE_LEVEL)
        self.write(elements)
        self.write(notes)
        return self._page_of(number, start, elements)

    def _page_of(self, number: int, n_before: int, elements: Iterable[_Node]) -> Page:
        blocks = self.builder.blocks[n_before:]
        start = blocks[0].start if blocks else self.builder.position
        end = self.builder.position
        has_image = any(element["type"] == "image" for element in elements)
        return Page(number, start, end, has_image and end - start <= _MAX_CAPTION_CHARACTERS)

    def write(self, elements: Iterable[_Node]) -> None:
        for element in elements:
            kind = element["type"]
            if kind == "heading":
                self._write_heading(element)
            elif kind == "paragraph":
                is_bullet = element.get("placeholder_role") in _BULLETED
                self._add(
                    BlockKind.LIST_ITEM if is_bullet else BlockKind.PARAGRAPH, _words(element)
                )
            elif kind == "list":
                self._write_list(element)
            elif kind == "table":
                rows = [list(_cells(row)) for row in element["rows"]]
                add_table(self.builder, rows, page=self._page)
            elif kind != "image":
                self.write(element.get("content") or [])

    def _write_heading(self, heading: _Node) -> None:
        words = " ".join(_words(heading).split())
        level = _SLIDE_TITLE_LEVEL if self._page else min(max(heading["level"], 1), _MAX_LEVEL)
        if self._page or any(character.isalpha() for character in words):
            self._add(BlockKind.HEADING, words, level)
        else:
            self._add(BlockKind.PARAGRAPH, words)  # The number of a formula or a page.

    def _write_list(self, listed: _Node) -> None:
        for item in listed["items"]:
            self._add(BlockKind.LIST_ITEM, "\n".join(_words(e) for e in item["content"]))
            if item.get("nested"):
                self._write_list(item["nested"])

    def _add(self, kind: BlockKind, words: str, level: int = 0) -> None:
        self.builder.add(kind, words, level=level, page=self._page)


def _is_title(element: _Node) -> bool:
    return element["type"] == "heading" and bool(_words(element).strip())


def _words(node: _Node) -> str:
    """All text below a node, in one string."""
    if node["type"] == "text":
        return str(node["text"])
    if node["type"] == "line_break":
        return "\n"
    inner = "" if node["type"] in ("paragraph", "heading") else "\n"
    return inner.join(_words(part) for part in _parts(node))


def _parts(node: _Node) -> Iterator[_Node]:
    yield from node.get("content") or ()
    for item in node.get("items") or ():
        yield from item["content"]
        if item.get("nested"):
            yield item["nested"]
    for row in node.get("rows") or ():
        for cell in row["cells"]:
            yield from cell["content"]


def _cells(row: _Node) -> Iterator[str]:
    for cell in row["cells"]:
        yield "\n".join(_words(element) for element in cell["content"])
        yield from [""] * (min(cell.get("col_span") or 1, _MAX_SPAN) - 1)


def _properties(stated: _Node) -> dict[str, str]:
    return without_blanks(
        {
            "author": stated.get("author") or "",
            "subject": stated.get("subject") or "",
            "keywords": ", ".join(stated.get("keywords") or []),
            "created": iso_date(stated.get("created") or ""),
            "modified": iso_date(stated.get("modified") or ""),
        }
    )
