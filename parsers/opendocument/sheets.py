"""OpenDocument spreadsheets (ODS), read cell by cell.

calamine, which reads them too, tells neither what is merged or hidden nor what is a percentage.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from lxml import etree

from parsers.errors import DecompressionBomb
from parsers.opendocument.package import check_open, stated_properties
from parsers.sheets.grid import Area, Sheet, Spans, Workbook, column_name
from parsers.sheets.number_formats import plain, read_format, show, show_duration, show_moment
from parsers.sheets.tables import one_line
from parsers.xml_stream import elements
from parsers.zipped_xml import Archive, attribute, child, local_name

_MAX_REPEATED_CELLS: Final = 2_000_000
"""Of one file: a cell is written once with the number of its repetitions."""
_NAMES: Final = ("style", "table", "table-column", "table-row", "shapes")
_SPACES: Final = ("s", "tab", "line-break")
_HIDDEN: Final = ("collapse", "filter")
_PERCENTAGE: Final = read_format("0%")
_TIME: Final = re.compile(r"(-?)PT(\d{1,9})H(\d{1,9})M(\d{1,9})(?:[.,]\d*)?S")


def read_opendocument(archive: Archive, *, include_hidden: bool) -> Workbook:
    """The sheets of a spreadsheet.

    Raises:
        Corrupt: Its content is not there or is no XML.
        Encrypted: It has a password.
        DecompressionBomb: A cell repeats itself too often.
    """
    check_open(archive)
    tables = list(_Reader(include_hidden=include_hidden).tables(archive.read("content.xml")))
    sheets = [table.sheet() for table in tables if not table.is_hidden]
    title, properties = stated_properties(archive)
    return Workbook(sheets, len(tables) - len(sheets), title, properties)


@dataclass(slots=True)
class _Table:
    """A sheet that is being read."""

    name: str
    is_hidden: bool
    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    n_rows: int = 0
    n_columns: int = 0

    def sheet(self) -> Sheet:
        return Sheet(
            self.name,
            self.rows,
            self.merged,
            Spans(self.hidden_rows),
            Spans(self.hidden_columns),
            self.remarks,
        )


class _Reader:
    """Goes through the content once."""

    def __init__(self, *, include_hidden: bool) -> None:
        self._include_hidden = include_hidden
        self._hidden_styles: set[str] = set()
        self._n_repeated = 0

    def tables(self, content: bytes) -> Iterator[_Table]:
        """The sheets, one after the other.

        Raises:
            Corrupt: It is no XML.
        """
        table: _Table | None = None
        for event, element in elements(content, _NAMES, events=("start", "end")):
            name = local_name(element)
            if name == "style":
                self._note_style(element)
            elif name == "table" and event == "start" and table is None:
                is_hidden = attribute(element, "style-name") in self._hidden_styles
                table = _Table(attribute(element, "name"), is_hidden and not self._include_hidden)
            elif name == "table" and event == "end" and table is not None:
                yield table
                table = None
            elif event == "end" and table is not None:
                self._read_into(table, name, element)

    def _note_style(self, style: etree._Element) -> None:
        if attribute(child(style, "table-properties"), "display") == "false":
            self._hidden_styles.add(attribute(style, "name"))

    def _read_into(self, table: _Table, name: str, element: etree._Element) -> None:
        if name == "table-row":
            self._read_row(table, element)
        elif name == "table-column":
            n_columns = _count(element, "number-columns-repeated")
            if self._is_hidden(element):
                table.hidden_columns.append((table.n_columns, table.n_columns + n_columns - 1))
            table.n_columns += n_columns
        else:
            table.remarks.extend(filter(None, map(_words, element.iter("{*}p"))))

    def _read_row(self, table: _Table, row: etree._Element) -> None:
        first, n_rows = table.n_rows, _count(row, "number-rows-repeated")
        table.n_rows += n_rows
        if self._is_hidden(row):
            table.hidden_rows.append((first, table.n_rows - 1))
        cells = self._cells(table, row, first)
        if cells:
            self._count_repeated(len(cells) * (n_rows - 1))
            for number in range(first, first + n_rows):
                table.rows[number] = cells

    def _cells(self, table: _Table, row: etree._Element, number: int) -> dict[int, str]:
        cells: dict[int, str] = {}
        column = 0
        for cell in row:
            if local_name(cell) not in ("table-cell", "covered-table-cell"):
                continue
            n_columns = _count(cell, "number-columns-repeated")
            text = _cell_words(cell)
            if text:
                self._count_repeated(n_columns - 1)
                cells.update(dict.fromkeys(range(column, column + n_columns), text))
                _note_merged(table, cell, number, column)
            for note in cell.iterchildren("{*}annotation"):
                words = " ".join(filter(None, map(_words, note.iter("{*}p"))))
                place = f"{column_name(column)}{number + 1}"
                table.remarks.append(f"Comment on {place}: {words}")
            column += n_columns
        return cells

    def _is_hidden(self, element: etree._Element) -> bool:
        return not self._include_hidden and attribute(element, "visibility") in _HIDDEN

    def _count_repeated(self, n_cells: int) -> None:
        self._n_repeated += n_cells
        if self._n_repeated > _MAX_REPEATED_CELLS:
            raise DecompressionBomb(f"repeats cells more than {_MAX_REPEATED_CELLS} times")


def _note_merged(table: _Table, cell: etree._Element, row: int, column: int) -> None:
    n_rows, n_columns = _count(cell, "number-rows-spanned"), _count(cell, "number-columns-spanned")
    if n_rows * n_columns > 1:
        table.merged.append(Area(row, column, row + n_rows - 1, column + n_columns - 1))


def _cell_words(cell: etree._Element) -> str:
    kind, shown = attribute(cell, "value-type"), _shown(cell)
    if kind in ("float", "percentage", "currency"):
        return _number(kind, attribute(cell, "value"), attribute(cell, "currency")) or shown
    if kind == "date":
        try:
            return show_moment(datetime.fromisoformat(attribute(cell, "date-value")))
        except ValueError:
            return shown
    if kind == "time":
        return _duration(attribute(cell, "time-value")) or shown
    if kind == "boolean":
        return attribute(cell, "boolean-value").upper()
    return shown


def _number(kind: str, stated: str, currency: str) -> str:
    try:
        value = float(stated)
    except ValueError:
        return ""
    if kind == "percentage":
        return show(value, _PERCENTAGE)
    return f"{plain(value)} {currency}".strip()


def _duration(stated: str) -> str:
    match = _TIME.fullmatch(stated)
    if match is None:
        return ""
    hours, minutes, seconds = (int(part) for part in match.groups()[1:])
    duration = timedelta(seconds=3600 * hours + 60 * minutes + seconds)
    return show_duration(-duration if match[1] else duration)


def _shown(cell: etree._Element) -> str:
    return " ".join(filter(None, map(_words, cell.iterchildren("{*}p"))))


def _words(paragraph: etree._Element) -> str:
    parts = [paragraph.text or ""]
    for element in paragraph.iterdescendants():
        name = local_name(element)
        parts.append(" " if name in _SPACES else element.text or "")
        parts.append(element.tail or "")
    return one_line("".join(parts))


def _count(element: etree._Element, name: str) -> int:
    stated = attribute(element, name, "1")
    return max(1, int(stated)) if stated.isdecimal() and len(stated) < 10 else 1
