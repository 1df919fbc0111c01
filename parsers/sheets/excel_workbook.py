"""Excel workbooks of XML parts (XLSX, XLSM), read cell by cell.

Neither library for them would do. calamine lays out a sheet as a full rectangle, so that two cells
far apart end the process, and tells neither number formats nor hidden rows; openpyxl takes
ten times as long, and stops at styles that Excel takes.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from lxml import etree

from parsers.document import Member
from parsers.errors import Corrupt
from parsers.office.packaging import (
    Relationship,
    core_properties,
    embedded,
    main_part,
    related,
    relationships,
)
from parsers.sheets.excel_remarks import remarks
from parsers.sheets.grid import Area, Sheet, Spans, Workbook
from parsers.sheets.number_formats import (
    GENERAL,
    NumberFormat,
    built_in_format,
    read_format,
    show,
    show_moment,
)
from parsers.sheets.tables import one_line
from parsers.xml_stream import elements
from parsers.zipped_xml import Archive, attribute, child, local_name

_TRUE: Final = ("1", "true", "on")
_ESCAPED: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_DIGITS: Final = "0123456789"
_MAX_COLUMN: Final = 16_383
_MAX_ROW: Final = 1_048_575


def read_workbook(archive: Archive, *, include_hidden: bool) -> Workbook:
    """The sheets of a workbook.

    Raises:
        Corrupt: A part that is needed is not there or is no XML.
        Encrypted: A part of the archive has a password.
    """
    part = main_part(archive, "xl/workbook.xml")
    root = archive.xml(part)
    found = relationships(archive, part)
    listed = _listed_sheets(root, found)
    visible = [entry for entry in listed if include_hidden or not entry.is_hidden]
    reader = _Reader(archive, found, root, include_hidden=include_hidden)
    parts = [relationships(archive, entry.part) for entry in visible]
    title, properties = core_properties(archive)
    return Workbook(
        sheets=(reader.sheet(entry) for entry in visible),
        n_hidden=len(listed) - len(visible),
        title=title,
        properties=properties,
        members=_distinct([m for each in parts for m in embedded(archive, each.values())]),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """A sheet in the list of the workbook."""

    name: str
    part: str
    is_hidden: bool
    has_cells: bool
    """It is not a chart that fills a sheet, nor a form or macros of long ago."""


@dataclass(frozen=True, slots=True)
class _Found:
    """What was read of a sheet so far."""

    rows: dict[int, dict[int, str]] = field(default_factory=dict)
    merged: list[Area] = field(default_factory=list)
    hidden_rows: list[tuple[int, int]] = field(default_factory=list)
    hidden_columns: list[tuple[int, int]] = field(default_factory=list)


def _listed_sheets(root: etree._Element | None, found: dict[str, Relationship]) -> list[_Entry]:
    listed = child(root, "sheets")
    entries = []
    for element in listed if listed is not None else ():
        relationship = found.get(attribute(element, "id"))
        if relationship is None:
            raise Corrupt("a sheet that it names is not in it")
        entries.append(
            _Entry(
                name=attribute(element, "name"),
                part=relationship.target,
                is_hidden=attribute(element, "state", "visible") != "visible",
                has_cells=relationship.kind == "worksheet",
            )
        )
    if not entries:
        raise Corrupt("a workbook without a sheet")
    return entries


def _distinct(members: Sequence[Member]) -> tuple[Member, ...]:
    return tuple({member.name: member for member in members}.values())


class _Reader:
    """Reads sheets with what they share: strings, number formats, the epoch."""

    def __init__(
        self,
        archive: Archive,
        found: dict[str, Relationship],
        workbook: etree._Element | None,
        *,
        include_hidden: bool,
    ) -> None:
        self._archive = archive
        self._include_hidden = include_hidden
        self._since_1904 = attribute(child(workbook, "workbookPr"), "date1904") in _TRUE
        self._strings = _shared_strings(archive, related(found, "sharedStrings"))
        self._formats = _formats(archive, related(found, "styles"))

    def sheet(self, entry: _Entry) -> Sheet:
        """Read a sheet.

        Raises:
            Corrupt: It is no XML, or has a cell in no place.
        """
        found = _Found()
        if entry.has_cells:
            try:
                self._read_into(found, self._archive.read(entry.part))
            except ValueError as error:
                raise Corrupt("a cell in no place") from error
        return Sheet(
            name=entry.name,
            rows=found.rows,
            merged=found.merged,
            hidden_rows=Spans(() if self._include_hidden else found.hidden_rows),
            hidden_columns=Spans(() if self._include_hidden else found.hidden_columns),
            remarks=remarks(self._archive, entry.part),
        )

    def _read_into(self, found: _Found, data: bytes) -> None:
        number = -1
        for _, element in elements(data, ("row", "col", "mergeCell")):
            name, is_hidden = local_name(element), element.get("hidden") in _TRUE
            if name == "mergeCell":
                found.merged.append(_area(element.get("ref", "")))
            elif name == "row":
                number = _row_number(element, number)
                if cells := self._cells(element):
                    found.rows.setdefault(number, {}).update(cells)
                if is_hidden:
                    found.hidden_rows.append((number, number))
            elif is_hidden:
                columns = int(element.get("min", "")) - 1, int(element.get("max", "")) - 1
                found.hidden_columns.append(columns)

    def _cells(self, row: etree._Element) -> dict[int, str]:
        cells = {}
        column = -1
        for cell in row:
            if local_name(cell) != "c":
                continue
            place = cell.get("r")
            column = _column_number(place.rstrip(_DIGITS)) if place else column + 1
            text = self._words(cell)
            if text:
                cells[column] = text
        return cells

    def _words(self, cell: etree._Element) -> str:
        parts = {local_name(part): part for part in cell}
        stated = parts["v"].text if "v" in parts else None
        kind = cell.get("t", "n")
        if kind == "inlineStr" and "is" in parts:
            return _rich_text(parts["is"])
        if stated is None:
            return _formula(parts.get("f"))
        if kind == "s":
            return self._shared_string(stated)
        if kind == "n":
            return self._number(stated, cell.get("s", "0"))
        return _other(kind, stated)

    def _shared_string(self, index: str) -> str:
        if not index.isdecimal() or int(index) >= len(self._strings):
            raise Corrupt("a cell with words that are not in it")
        return self._strings[int(index)]

    def _number(self, stated: str, style: str) -> str:
        try:
            value = float(stated)
        except ValueError:
            return one_line(stated)
        is_known = style.isdecimal() and int(style) < len(self._formats)
        form = self._formats[int(style)] if is_known else GENERAL
        return one_line(show(value, form, since_1904=self._since_1904))


def _other(kind: str, stated: str) -> str:
    """A truth value, a date, an error or the result of a formula."""
    if kind == "b":
        return "TRUE" if stated in _TRUE else "FALSE"
    if kind == "d":
        try:
            return show_moment(datetime.fromisoformat(stated))
        except ValueError:
            pass
    return one_line(_unescaped(stated))


def _formula(element: etree._Element | None) -> str:
    """The formula of a cell without a result, as a program writes it that does not calculate."""
    return f"={one_line(element.text)}" if element is not None and element.text else ""


def _row_number(row: etree._Element, before: int) -> int:
    stated = row.get("r")
    number = int(stated) - 1 if stated else before + 1
    if not 0 <= number <= _MAX_ROW:
        raise ValueError(number)
    return number


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters.upper():
        number = number * 26 + ord(letter) - ord("A") + 1
        if not ("A" <= letter.upper() <= "Z") or number > _MAX_COLUMN + 1:
            raise ValueError(number)
    if not number:
        raise ValueError(number)
    return number - 1


def _area(reference: str) -> Area:
    first, _, last = reference.replace("$", "").partition(":")
    last = last or first
    corners = [(_row_of(place), _column_number(place.rstrip(_DIGITS))) for place in (first, last)]
    rows, columns = sorted(row for row, _ in corners), sorted(column for _, column in corners)
    return Area(rows[0], columns[0], rows[1], columns[1])


def _row_of(place: str) -> int:
    return int(place[len(place.rstrip(_DIGITS)) :]) - 1


def _shared_strings(archive: Archive, parts: Sequence[str]) -> list[str]:
    if not parts or parts[0] not in archive:
        return []
    return [_rich_text(element) for _, element in elements(archive.read(parts[0]), ("si",))]


def _rich_text(element: etree._Element) -> str:
    """The words of a string, without how they are pronounced."""
    texts = [
        text.text or "" for text in element.iter("{*}t") if local_name(text.getparent()) != "rPh"
    ]
    return one_line(_unescaped("".join(texts)))


def _unescaped(text: str) -> str:
    if "_x" not in text:
        return text
    return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), text)


def _formats(archive: Archive, parts: Sequence[str]) -> list[NumberFormat]:
    """The number formats of the cell styles, by their number."""
    root = archive.xml(parts[0]) if parts else None
    spelled = child(root, "numFmts")
    codes = {
        attribute(form, "numFmtId"): attribute(form, "formatCode")
        for form in (spelled if spelled is not None else ())
    }
    formats = {number: read_format(code) for number, code in codes.items()}
    styles = child(root, "cellXfs")
    numbers = [attribute(s, "numFmtId", "0") for s in (styles if styles is not None else ())]
    return [formats.get(n) or built_in_format(int(n) if n.isdecimal() else 0) for n in numbers]
