"""The rows and cells of a Word table."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.office.word_paragraphs import ParagraphReader, Reading
from parsers.zipped_xml import attribute, child, local_name

_MAX_SPAN: Final = 63
"""Columns that a Word table may have."""
_WRAPPERS: Final = frozenset({"sdt", "sdtContent", "customXml", "ins", "moveTo"})


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell; one that a merged cell covers has no words of its own."""

    content: etree._Element
    is_covered: bool = False

    def words(self, reader: ParagraphReader, into: Reading) -> str:
        """Its words, with those of its text boxes and of tables in it.

        Args:
            reader: Reads them.
            into: Gets the notes and drawings that the cell refers to.
        """
        if self.is_covered:
            return ""
        reading = Reading()
        reader.read(self.content, reading)
        while reading.boxes:
            reader.read(reading.boxes.pop(0), reading)
        into.notes.extend(reading.notes)
        into.drawings.extend(reading.drawings)
        return reading.text


def table_rows(table: etree._Element) -> Iterator[list[Cell]]:
    """Rows with as many cells as there are columns; rows that a tracked change deletes are out."""
    for row in _wrapped(table, "tr"):
        settings = child(row, "trPr")
        if child(settings, "del") is not None:
            continue
        cells = [Cell(row, is_covered=True)] * _number(child(settings, "gridBefore"), 0)
        for element in _wrapped(row, "tc"):
            properties = child(element, "tcPr")
            merged = child(properties, "vMerge")
            below = merged is not None and attribute(merged, "val") != "restart"
            cells.append(Cell(element, below and _is_blank(element)))
            n_covered = _number(child(properties, "gridSpan"), 1) - 1
            cells.extend([Cell(element, is_covered=True)] * n_covered)
        if cells:
            yield cells


def _wrapped(container: etree._Element, name: str) -> Iterator[etree._Element]:
    """Children of that name, also inside controls and tracked insertions."""
    for element in container:
        found = local_name(element)
        if found == name:
            yield element
        elif found in _WRAPPERS:
            yield from _wrapped(element, name)


def _is_blank(cell: etree._Element) -> bool:
    return next(cell.iter("{*}t"), None) is None


def _number(element: etree._Element | None, default: int) -> int:
    stated = attribute(element, "val")
    return min(int(stated), _MAX_SPAN) if stated.isdecimal() else default
