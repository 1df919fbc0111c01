"""A sheet's cells: sparse, without what is hidden, merged cells filled in."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from parsers.document import Member

_MIN_COPIES: Final = 10_000
_MAX_COPIES_PER_CELL: Final = 4
"""Merged cells are filled in with so many copies, all in all; wider ones keep their one cell."""


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle of cells; rows and columns are 0-based, the last ones are part of it."""

    first_row: int
    first_column: int
    last_row: int
    last_column: int

    def __str__(self) -> str:
        """As spreadsheets write it: `B3:F20`."""
        first = f"{column_name(self.first_column)}{self.first_row + 1}"
        last = f"{column_name(self.last_column)}{self.last_row + 1}"
        return first if first == last else f"{first}:{last}"


def column_name(column: int) -> str:
    """`A` for 0, `AA` for 26."""
    name = ""
    column += 1
    while column:
        column, letter = divmod(column - 1, 26)
        name = chr(ord("A") + letter) + name
    return name


class Spans:
    """Stretches of row or column numbers, 0-based and both ends included: what is hidden."""

    def __init__(self, spans: Iterable[tuple[int, int]] = ()) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        for first, last in sorted(spans):
            if self._lasts and first <= self._lasts[-1] + 1:
                self._lasts[-1] = max(self._lasts[-1], last)
            else:
                self._firsts.append(first)
                self._lasts.append(last)

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    def n_others_between(self, before: int, after: int) -> int:
        """How many numbers between these two are in none of the stretches."""
        low, high = bisect_right(self._lasts, before), bisect_left(self._firsts, after)
        inside = zip(self._firsts[low:high], self._lasts[low:high], strict=True)
        n_inside = sum(min(last, after - 1) - max(first, before + 1) + 1 for first, last in inside)
        return after - before - 1 - n_inside


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it was read: only cells with words, so that it costs what it holds."""

    name: str
    rows: Mapping[int, Mapping[int, str]]
    """Row, column (0-based) and words, which are one line without spaces at its ends."""
    merged: Sequence[Area] = ()
    hidden_rows: Spans = field(default_factory=Spans)
    hidden_columns: Spans = field(default_factory=Spans)
    remarks: Sequence[str] = ()
    """Comments on cells, text boxes."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a region."""

    number: int
    """0-based."""
    cells: Mapping[int, str]
    """Column and words, copies from merged cells included."""
    copies: frozenset[int] = frozenset()
    """Columns of copies of a cell to the left, with which they are merged, or above."""
    is_spread: bool = False
    """Some of the copies are of a cell to the left."""

    @property
    def n_own(self) -> int:
        return len(self.cells) - len(self.copies)


def visible_rows(sheet: Sheet) -> list[Row]:
    """Rows with words, without what is hidden, merged cells filled in."""
    copies = _copies(sheet)
    rows = []
    for number in sorted({*sheet.rows, *copies}):
        if number not in sheet.hidden_rows:
            row = _row(number, sheet, copies.get(number, {}))
            if row.cells:
                rows.append(row)
    return rows


def _row(number: int, sheet: Sheet, copies: Mapping[int, tuple[str, bool]]) -> Row:
    cells = sheet.rows.get(number, {})
    if copies:
        words = {column: text for column, (text, _) in copies.items() if column not in cells}
        cells = dict(sorted({**cells, **words}.items()))
    if sheet.hidden_columns:
        cells = {c: text for c, text in cells.items() if c not in sheet.hidden_columns}
    own = sheet.rows.get(number, {})
    copied = frozenset(column for column in copies if column in cells and column not in own)
    return Row(number, cells, copied, any(copies[column][1] for column in copied))


def _copies(sheet: Sheet) -> dict[int, dict[int, tuple[str, bool]]]:
    """By row and column the words that merged cells repeat, and whether from the left."""
    last_row = max(sheet.rows, default=0)
    last_column = max((column for cells in sheet.rows.values() for column in cells), default=0)
    n_cells = sum(map(len, sheet.rows.values()))
    n_left = max(_MIN_COPIES, _MAX_COPIES_PER_CELL * n_cells)
    copies: dict[int, dict[int, tuple[str, bool]]] = {}
    for area in sheet.merged:
        text = sheet.rows.get(area.first_row, {}).get(area.first_column)
        rows = range(area.first_row, min(area.last_row, last_row) + 1)
        columns = range(area.first_column, min(area.last_column, last_column) + 1)
        if not text or len(rows) * len(columns) > n_left:
            continue
        n_left -= len(rows) * len(columns)
        for row in rows:
            for column in columns:
                copies.setdefault(row, {})[column] = (text, column > area.first_column)
    return copies


@dataclass(frozen=True, slots=True)
class Workbook:
    """What a spreadsheet file holds."""

    sheets: Iterable[Sheet]
    """Those to be read, in their order. May read the file while it is gone through, once."""
    n_hidden: int = 0
    """Hidden sheets, which are not among them."""
    title: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    members: Sequence[Member] = ()
    """Documents embedded in it."""
