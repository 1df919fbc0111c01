"""Regions of a sheet that empty rows and columns set apart: tables, titles, notes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from parsers.sheets.grid import Area, Row, Sheet, Spans
from parsers.sheets.table_header import MAX_HEADER_ROWS, is_value, n_header_rows, names_values

_MAX_CUTS: Final = 8
"""How often a part is taken apart again, along rows and columns in turn."""
_HEAD_ROWS: Final = 40
"""So many rows are looked at to find a header."""
_MIN_ROWS_OF_LONG_TABLE: Final = 10
"""Below one, words alone are no header: it may be printed with a gap for each page."""
_MIN_NOTE_WORDS: Final = 5


@dataclass(frozen=True, slots=True)
class Region:
    """Cells that belong together."""

    rows: list[Row]
    columns: Sequence[int]
    """Those that hold more than copies, in order."""

    @property
    def area(self) -> Area:
        return Area(self.rows[0].number, self.columns[0], self.rows[-1].number, self.columns[-1])

    def line(self, row: Row) -> list[str]:
        """The words of a row, one for each column."""
        return [row.cells.get(column, "") for column in self.columns]

    def head(self) -> list[list[str]]:
        """The words of its first rows."""
        return [self.line(row) for row in self.rows[:_HEAD_ROWS] if row.n_own]

    def n_header_rows(self) -> int:
        is_merged = [row.is_spread for row in self.rows[:_HEAD_ROWS] if row.n_own]
        return n_header_rows(self.head(), is_merged)


def regions(rows: Sequence[Row], sheet: Sheet) -> list[Region]:
    """What empty rows and columns set apart, from top to bottom and then from left to right."""
    found: list[Region] = []
    for region in _parts(rows, sheet, _MAX_CUTS):
        if found and _continues(found[-1], region, sheet.hidden_rows):
            above = found.pop()
            above.rows.extend(region.rows)  # A copy for each part would cost their number squared.
            found.append(Region(above.rows, sorted({*above.columns, *region.columns})))
        else:
            found.append(region)
    return found


def _parts(rows: Sequence[Row], sheet: Sheet, n_cuts: int) -> Iterator[Region]:
    for band in _bands(rows, sheet.hidden_rows):
        n_above, n_below = _n_titles(band), _n_notes(band)
        end = len(band) - n_below
        yield from (_region([row]) for row in band[:n_above])
        sides = _sides(band[n_above:end], sheet.hidden_columns) if n_cuts else []
        if len(sides) > 1:
            for side in sides:
                yield from _parts(side, sheet, n_cuts - 1)
        else:
            yield _region(band[n_above:end])
        yield from (_region([row]) for row in band[end:])


def _region(rows: Sequence[Row]) -> Region:
    columns = set().union(*(row.cells.keys() - row.copies for row in rows))
    columns = columns or set().union(*(row.cells for row in rows))
    return Region(list(rows), sorted(columns))


def _bands(rows: Sequence[Row], hidden: Spans) -> Iterator[list[Row]]:
    """Rows without an empty one among them, and not wholly beside the ones before."""
    band: list[Row] = []
    first = last = 0
    for row in rows:
        left, right = min(row.cells), max(row.cells)
        if band and (
            hidden.n_others_between(band[-1].number, row.number)
            or (len(band) > 1 and len(row.cells) > 1 and (left > last or right < first))
        ):
            yield band
            band = []
        first, last = (min(first, left), max(last, right)) if band else (left, right)
        band.append(row)
    if band:
        yield band


def _n_titles(band: Sequence[Row]) -> int:
    """How many rows at the top are one cell each, above a table that is wider."""
    n = next((n for n, row in enumerate(band) if row.n_own > 1), 0)
    first_column = min(band[n].cells)
    return n if all(_reads_as_title(row, first_column) for row in band[:n]) else 0


def _reads_as_title(row: Row, first_column: int) -> bool:
    column, text = next(iter(row.cells.items()))
    return not is_value(text) and (column <= first_column or row.is_spread)


def _n_notes(band: Sequence[Row]) -> int:
    """How many rows at the bottom are a sentence each, below a table that is wider."""
    n = 0
    first_column = min(band[0].cells)
    for row in reversed(band[2:]):
        text = row.cells.get(first_column, "")
        if row.n_own != 1 or len(text.split()) < _MIN_NOTE_WORDS:
            break
        n += 1
    return n if len(band) > n + 1 and band[len(band) - n - 1].n_own > 1 else 0


def _sides(rows: Sequence[Row], hidden: Spans) -> list[list[Row]]:
    """The rows cut along empty columns, where what is left and right could stand alone."""
    occupied = sorted(set().union(*(row.cells for row in rows)))
    groups = [occupied[:1]]
    for before, column in pairwise(occupied):
        if hidden.n_others_between(before, column):
            groups.append([])
        groups[-1].append(column)
    if len(groups) < 2:
        return [list(rows)]
    sides = [(group, _narrowed(rows, group)) for group in groups]
    joined = [sides[0]]
    for columns, side in sides[1:]:
        if _belong_together(joined[-1], (columns, side)):
            columns = [*joined[-1][0], *columns]
            joined[-1] = (columns, _narrowed(rows, columns))
        else:
            joined.append((columns, side))
    return [side for _, side in joined]


def _narrowed(rows: Sequence[Row], columns: Sequence[int]) -> list[Row]:
    wanted = frozenset(columns)
    narrowed = []
    for row in rows:
        cells = {column: text for column, text in row.cells.items() if column in wanted}
        if cells:
            copies = row.copies & wanted
            narrowed.append(Row(row.number, cells, copies, bool(copies) and row.is_spread))
    return narrowed


def _belong_together(
    left: tuple[Sequence[int], Sequence[Row]], right: tuple[Sequence[int], Sequence[Row]]
) -> bool:
    """Whether the empty column between is for looks: one side has no names for its rows."""
    if len(left[0]) == 1 or len(right[0]) == 1:
        return True
    first_column = [row.cells[right[0][0]] for row in right[1][1:] if right[0][0] in row.cells]
    n_values = sum(map(is_value, first_column[:_HEAD_ROWS]))
    ends = [(side[0].number, side[-1].number) for _, side in (left, right)]
    return ends[0] == ends[1] and 2 * n_values > min(len(first_column), _HEAD_ROWS)


def _continues(above: Region, below: Region, hidden: Spans) -> bool:
    """Whether it is the same table, in spite of an empty row."""
    if hidden.n_others_between(above.rows[-1].number, below.rows[0].number) != 1:
        return False
    if not below.n_header_rows() and any(map(is_value, below.rows[0].cells.values())):
        return _is_more(above, below) or _is_header_of(above, below)
    return (
        len(above.rows) >= _MIN_ROWS_OF_LONG_TABLE
        and _is_more(above, below)
        and not names_values(below.head())
    )


def _is_more(above: Region, below: Region) -> bool:
    """A total, another group of rows."""
    return (
        min(len(above.rows), len(above.columns), below.rows[0].n_own) > 1
        and above.columns[0] <= below.columns[0]
        and below.columns[-1] <= above.columns[-1]
    )


def _is_header_of(above: Region, below: Region) -> bool:
    """Nothing but names, above columns of values."""
    words = [text for row in above.rows for text in row.cells.values()]
    return (
        len(above.rows) <= MAX_HEADER_ROWS
        and min(above.rows[-1].n_own, len(below.rows)) > 1
        and below.columns[0] <= above.columns[0]
        and above.columns[-1] <= below.columns[-1]
        and not any(map(is_value, words))
    )
