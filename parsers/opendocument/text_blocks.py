"""The content of an OpenDocument text, a slide or a text box as blocks."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from parsers.document import BlockKind, TextBuilder
from parsers.opendocument.styles import Styles, outline_level
from parsers.table_text import add_table
from parsers.zipped_xml import attribute, child, local_name

_DRAWING: Final = "{urn:oasis:names:tc:opendocument:xmlns:drawing:1.0}"
_WHITE_SPACE: Final = re.compile(r"[ \t\r\n]+")
_MAX_SPACES: Final = 100
_MAX_REPEATED: Final = 100
"""Copies of a row or a cell that a table is believed to have."""
_CHARACTERS: Final = {"tab": "\t", "line-break": "\n", "soft-page-break": ""}
_LEFT_OUT: Final = frozenset(
    {
        *("tracked-changes", "annotation", "annotation-end", "note-citation", "ruby-text"),
        *("hidden-text", "hidden-paragraph", "forms", "sequence-decls", "variable-decls"),
        *("notes", "event-listeners", "title", "desc", "glue-point", "binary-data"),
    }
)
"""Deleted text, comments, numbers of notes, readings above characters, declarations."""


@dataclass(slots=True)
class Reading:
    """What was found so far in a paragraph, or in a cell."""

    parts: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    """Text boxes and shapes that are anchored in it."""
    notes: list[etree._Element] = field(default_factory=list)
    """Bodies of footnotes and endnotes."""

    @property
    def text(self) -> str:
        return "".join(self.parts)


class ContentWriter:
    """Writes everything below an element once, in the order of the file."""

    def __init__(self, builder: TextBuilder, styles: Styles, *, include_hidden: bool) -> None:
        self.builder = builder
        self.page: int | None = None
        """Of the slide, 1-based."""
        self._styles = styles
        self._include_hidden = include_hidden
        self._blocks: dict[str, Callable[[etree._Element], None]] = {
            "p": self._write_paragraph,
            "h": self._write_heading,
            "list": self._write_list,
            "table": self._write_table,
        }

    def write(self, container: etree._Element) -> None:
        for element in container:
            name = local_name(element)
            if name in self._blocks:
                self._blocks[name](element)
            elif name and name not in _LEFT_OUT and not self._is_hidden_section(element):
                self.write(element)

    def words(self, container: etree._Element) -> str:
        """Everything below an element on one line."""
        return " ".join(self._cell_words(container, Reading()).split())

    def _is_hidden_section(self, element: etree._Element) -> bool:
        return attribute(element, "display") == "none" and not self._include_hidden

    def _write_paragraph(self, paragraph: etree._Element) -> None:
        level = self._styles.of("paragraph", attribute(paragraph, "style-name")).level
        self._write_words(paragraph, BlockKind.HEADING if level else BlockKind.PARAGRAPH, level)

    def _write_heading(self, heading: etree._Element) -> None:
        level = outline_level(heading, "outline-level") or 1
        self._write_words(heading, BlockKind.HEADING, level)

    def _write_words(self, paragraph: etree._Element, kind: BlockKind, level: int = 0) -> None:
        reading = self._read_whole(paragraph)
        words = " ".join(reading.text.split()) if level else reading.text
        self.builder.add(kind, words, level=level, page=self.page)
        self._write_anchored(reading)

    def _write_list(self, listed: etree._Element) -> None:
        for item in listed:
            for element in item if local_name(item) in ("list-item", "list-header") else ():
                if local_name(element) == "p":
                    self._write_words(element, BlockKind.LIST_ITEM)
                else:
                    self.write([element])

    def _write_table(self, table: etree._Element) -> None:
        rows = list(_rows(table))
        if all(len(row) == 1 for row in rows):
            for row in rows:
                self.write(row[0])
            return
        reading = Reading()
        add_table(
            self.builder,
            [[self._cell_words(cell, reading) for cell in row] for row in rows],
            page=self.page,
        )
        self._write_anchored(reading)

    def _cell_words(self, cell: etree._Element, into: Reading) -> str:
        reading = Reading()
        self._read(cell, reading)
        while reading.boxes:
            self._read(reading.boxes.pop(0), reading)
        into.notes.extend(reading.notes)
        return reading.text

    def _write_anchored(self, reading: Reading) -> None:
        for element in (*reading.boxes, *reading.notes):
            self.write(element)

    def _read_whole(self, paragraph: etree._Element) -> Reading:
        reading = Reading()
        style = self._styles.of("paragraph", attribute(paragraph, "style-name"))
        if self._include_hidden or not style.is_hidden:
            self._read(paragraph, reading)
        return reading

    def _read(self, element: etree._Element, into: Reading) -> None:
        into.parts.append(_collapsed(element.text))
        for inner in element:
            self._read_inner(local_name(inner), inner, into)
            into.parts.append(_collapsed(inner.tail))

    def _read_inner(self, name: str, inner: etree._Element, into: Reading) -> None:
        if name == "s":
            stated = attribute(inner, "c", "1")
            into.parts.append(" " * min(int(stated) if stated.isdecimal() else 1, _MAX_SPACES))
        elif name in _CHARACTERS:
            into.parts.append(_CHARACTERS[name])
        elif name == "note":
            body = child(inner, "note-body")
            into.notes.extend([body] if body is not None else [])
        elif name and name != "a" and inner.tag.startswith(_DRAWING):
            into.boxes.append(inner)
        elif name and name not in _LEFT_OUT and not self._is_hidden_span(name, inner):
            self._read(inner, into)
            into.parts.append("\n" if name in ("p", "h") else "")

    def _is_hidden_span(self, name: str, element: etree._Element) -> bool:
        if name != "span" or self._include_hidden:
            return False
        return self._styles.of("text", attribute(element, "style-name")).is_hidden


def _collapsed(words: str | None) -> str:
    """Text between tags; its line breaks and rows of spaces are those of the file alone."""
    return _WHITE_SPACE.sub(" ", words or "")


def _rows(table: etree._Element) -> Iterator[list[etree._Element]]:
    for element in table:
        name = local_name(element)
        if name in ("table-header-rows", "table-rows", "table-row-group"):
            yield from _rows(element)
        elif name == "table-row":
            cells = list(_cells(element))
            n_copies = _repeated(element, "number-rows-repeated") if _has_text(element) else 1
            yield from [cells] * n_copies


def _cells(row: etree._Element) -> Iterator[etree._Element]:
    for element in row:
        if local_name(element) in ("table-cell", "covered-table-cell"):
            yield from [element] * _repeated(element, "number-columns-repeated")


def _repeated(element: etree._Element, name: str) -> int:
    stated = attribute(element, name)
    return max(1, min(int(stated), _MAX_REPEATED)) if stated.isdecimal() else 1


def _has_text(element: etree._Element) -> bool:
    return next(element.iter("{*}p", "{*}h"), None) is not None
