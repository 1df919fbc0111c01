"""From the cells of a sheet to blocks: tables with their headers, and the words around them."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from parsers.document import BlockKind, TextBuilder
from parsers.sheets.grid import Area, Row, Sheet, Spans, visible_rows
from parsers.sheets.table_header import combined
from parsers.sheets.table_regions import Region, regions

CELL_DIVIDER: Final = " | "
_MAX_TITLE_CHARACTERS: Final = 120
_MAX_TITLE_GAP: Final = 2
"""So many empty rows may be between a title and its table."""
_MAX_LIST_ITEM_CHARACTERS: Final = 60
_MIN_LIST_ITEMS: Final = 3
_MAX_EMPTY_CELLS: Final = 1_000_000
_MIN_DENSITY: Final = 0.02
"""Of a large table: empty cells of a thinner one are left away, so that it costs what it holds."""
_CELLS: Final = re.compile(r"(?:^| )\(?[A-Z]{1,3}\d{1,7}:[A-Z]{1,3}\d{1,7}\)?$")
_SENTENCE_END: Final = (".", "!", "?", ";", ",")


@dataclass(frozen=True, slots=True)
class _Table:
    region: Region
    title: str = ""


def write_sheet(builder: TextBuilder, sheet: Sheet) -> Area | None:
    """Write the name of a sheet, the tables and words of its visible cells, then its remarks.

    Returns:
        The cells that were written; None if there are none.
    """
    rows = visible_rows(sheet)
    if rows or sheet.remarks:
        builder.add(BlockKind.HEADING, sheet.name, level=1)
    level = 2 if sheet.name else 1
    items = _titled(list(_items(regions(rows, sheet))), sheet.hidden_rows)
    n_tables = sum(isinstance(item, _Table) for item in items)
    for item in items:
        if isinstance(item, _Table):
            heading = _heading(item, among_others=n_tables > 1)
            builder.add(BlockKind.HEADING, heading, level=level)
            _write_table(builder, item.region)
        else:
            builder.add(BlockKind.PARAGRAPH, _words(item))
    for remark in sheet.remarks:
        builder.add(BlockKind.PARAGRAPH, remark)
    return _extent(rows)


def without_cells(heading: str) -> str:
    """The title in the heading of a table; empty where it only names the cells."""
    return _CELLS.sub("", heading)


def n_hidden(sheet: Sheet) -> tuple[int, int]:
    """How many rows and columns with words are hidden."""
    columns = {column for cells in sheet.rows.values() for column in cells}
    n_rows = sum(row in sheet.hidden_rows for row in sheet.rows)
    return n_rows, sum(column in sheet.hidden_columns for column in columns)


def one_line(text: str) -> str:
    """The words of a cell, without line breaks and without spaces at its ends."""
    return " ".join(text.split())


def _items(found: Iterable[Region]) -> Iterator[_Table | Region]:
    """Tables, and regions of one row, which are a line of words."""
    for region in found:
        if len(region.rows) > 1 and (len(region.columns) > 1 or _is_list(region)):
            yield _Table(region)
        else:
            yield from (Region([row], region.columns) for row in region.rows)


def _is_list(region: Region) -> bool:
    cells = list(chain.from_iterable(row.cells.values() for row in region.rows))
    n_characters = sum(map(len, cells))
    return len(region.rows) >= _MIN_LIST_ITEMS and n_characters <= _MAX_LIST_ITEM_CHARACTERS * len(
        cells
    )


def _titled(items: Sequence[_Table | Region], hidden: Spans) -> list[_Table | Region]:
    """The lines that are titles given to the tables below them."""
    titled: list[_Table | Region] = []
    for item in items:
        line = titled[-1] if titled else None
        before = titled[-2] if len(titled) > 1 else None
        if (
            isinstance(item, _Table)
            and isinstance(line, Region)
            and _is_title(line, item.region, before, hidden)
        ):
            titled[-1] = _Table(item.region, _words(line))
        else:
            titled.append(item)
    return titled


def _is_title(line: Region, table: Region, before: _Table | Region | None, hidden: Spans) -> bool:
    text = _words(line)
    gap = hidden.n_others_between(line.rows[0].number, table.rows[0].number)
    has_letters = any(map(str.isalpha, text))
    if line.rows[0].n_own > 1 or not has_letters or text.endswith(_SENTENCE_END):
        return False
    if isinstance(before, _Table):
        gap_above = hidden.n_others_between(before.region.rows[-1].number, line.rows[0].number)
        if 0 <= gap_above < gap:
            return False  # It is nearer to the table above: a note on that one.
    return len(text) <= _MAX_TITLE_CHARACTERS and 0 <= gap <= _MAX_TITLE_GAP


def _heading(table: _Table, *, among_others: bool) -> str:
    """The title of a table; where there are several, with its cells."""
    if not among_others:
        return table.title
    return f"{table.title} ({table.region.area})" if table.title else str(table.region.area)


def _write_table(builder: TextBuilder, region: Region) -> None:
    rows = [row for row in region.rows if row.n_own]
    n_header = region.n_header_rows()
    header = ""
    if n_header:
        header = _joined(combined([region.line(row) for row in rows[:n_header]]))
    is_thin = _is_thin(region)
    lines = (_body_line(region, row, is_thin=is_thin) for row in rows[n_header:])
    builder.add(BlockKind.TABLE, "\n".join(filter(None, chain([header], lines))), header=header)


def _is_thin(region: Region) -> bool:
    n_places = len(region.rows) * len(region.columns)
    if n_places <= _MAX_EMPTY_CELLS:
        return False
    return sum(len(row.cells) for row in region.rows) < _MIN_DENSITY * n_places


def _body_line(region: Region, row: Row, *, is_thin: bool) -> str:
    if row.n_own == 1 and row.is_spread:
        return CELL_DIVIDER.join(
            _own(row)
        )  # One cell across the table: the name of a group of rows.
    return _joined(row.cells.values() if is_thin else region.line(row))


def _joined(cells: Iterable[str]) -> str:
    line = list(cells)
    while line and not line[-1]:
        line.pop()
    return CELL_DIVIDER.join(line)


def _words(line: Region) -> str:
    return CELL_DIVIDER.join(_own(line.rows[0]))


def _own(row: Row) -> list[str]:
    return [text for column, text in row.cells.items() if column not in row.copies]


def _extent(rows: Sequence[Row]) -> Area | None:
    if not rows:
        return None
    columns = set().union(*(row.cells.keys() - row.copies for row in rows))
    return Area(rows[0].number, min(columns), rows[-1].number, max(columns))
