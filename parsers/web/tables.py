"""HTML tables: which of them hold data, and their rows as lines of text."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.web.inline import closing_words, folded, formula, opening_words
from parsers.web.tree import Element, breaks_line

_MAX_LAYOUT_CELL: Final = 1_500
"""Characters; a cell with more of them is a column of the page."""
_BLOCKS: Final = ("h1", "h2", "h3", "h4", "h5", "h6", "pre", "form", "article", "section")
_SECTIONS: Final = ("thead", "tbody", "tfoot")
_CELLS: Final = ("td", "th")
_PARTS: Final = frozenset((*_SECTIONS, *_CELLS, "tr", "colgroup", "col"))
_SPARE_CELLS: Final = 10_000
_SPARE_CHARACTERS: Final = 100_000
_NUMERIC: Final = re.compile(r"[\s\d.,:;/%$€£()+−–-]*")


@dataclass(frozen=True, slots=True)
class Table:
    """The text of a data table."""

    above: tuple[str, ...]
    """Its caption, and words that are in none of its cells; some are empty."""
    rows: tuple[str, ...]
    """Cells are divided by ` | `; a cell that spans several columns or rows is in each."""
    header: str
    """The words above the columns; empty where the table has none."""


@dataclass(slots=True)
class _Cell:
    text: str
    is_header: bool
    is_repeated: bool = False
    """It is the same as its neighbour to the left, which spans this column too."""


_Row = list[_Cell]


def read_table(table: Element) -> Table | None:
    """The rows of a data table; None where `table` only arranges parts of the page."""
    rows = list(_rows(table))
    if not rows or _is_layout(table, [cells for _, cells in rows]):
        return None
    grid = _without_spare_columns(_filled([cells for _, cells in rows]))
    header = grid[: _n_header_rows(grid, [in_head for in_head, _ in rows])]
    lines = tuple(_line(row) for row in grid if any(cell.text for cell in row))
    return Table(tuple(_outside_cells(table)), lines, _merged(header))


def _rows(table: Element) -> Iterator[tuple[bool, list[Element]]]:
    """The cells of each row, and whether it is in the table's head."""
    for part in (table, *(child for child in table if child.tag in _SECTIONS)):
        loose = [child for child in part if child.tag in _CELLS]
        if loose:
            yield False, loose  # Their row was never opened.
        for row in part:
            if row.tag == "tr":
                yield part.tag == "thead", [cell for cell in row if cell.tag in _CELLS]


def _outside_cells(table: Element) -> Iterator[str]:
    """The caption, and words between the cells, which browsers show above the table."""
    sections = [child for child in table if child.tag in _SECTIONS]
    rows = [row for part in (table, *sections) for row in part if row.tag == "tr"]
    for part in (table, *sections, *rows):
        yield folded(part.text).strip()
        for child in part:
            yield "" if child.tag in _PARTS else _words(child)
            yield folded(child.tail).strip()


def _is_layout(table: Element, rows: Sequence[Sequence[Element]]) -> bool:
    if table.get("role") in ("presentation", "none"):
        return True
    cells = [cell for row in rows for cell in row]
    is_labelled = any(cell.tag == "th" for cell in cells) or table.find("caption") is not None
    if not is_labelled and next(table.iterdescendants("table"), None) is not None:
        return True
    if is_labelled:
        return max(len(row) for row in rows) < 2 or any(map(_has_lines_of_code, cells))
    if any(next(cell.iter(*_BLOCKS), None) is not None for cell in cells):
        return True
    n_wide = sum(sum(_has_words(cell) for cell in row) > 1 for row in rows)
    return n_wide < 2 or any(_is_long(cell) for cell in cells)


def _has_lines_of_code(cell: Element) -> bool:
    return any("\n" in "".join(code.itertext()).strip() for code in cell.iter("pre"))


def _has_words(cell: Element) -> bool:
    return any(text.strip() for text in cell.itertext())


def _is_long(cell: Element) -> bool:
    return sum(len(text) for text in cell.itertext()) > _MAX_LAYOUT_CELL


def _words(cell: Element) -> str:
    """The text of a cell in one line."""
    if len(cell) == 0:
        return " ".join((cell.text or "").split())
    words: list[str] = []
    walk = etree.iterwalk(cell, events=("start", "end"))
    for event, element in walk:
        if element is not cell and breaks_line(element):
            words.append("; " if element.tag in ("tr", "li") and event == "end" else " ")
        if event == "end":
            words += (closing_words(element), folded(element.tail) if element is not cell else "")
        elif element.tag == "math":
            words.append(formula(element))
            walk.skip_subtree()
        else:
            words += (opening_words(element, words[-1] if words else ""), folded(element.text))
    return " ".join("".join(words).split()).strip("; ")


def _filled(rows: Sequence[Sequence[Element]]) -> list[_Row]:
    """The grid of the table. What spans would repeat without end is not repeated."""
    spare_cells = _SPARE_CELLS + 4 * sum(len(row) for row in rows)
    spare_characters = _SPARE_CHARACTERS
    grid: list[_Row] = []
    below: dict[int, tuple[int, _Cell]] = {}  # Column to how many rows more, and what is in them.
    for number, elements in enumerate(rows):
        row: _Row = []
        below_next: dict[int, tuple[int, _Cell]] = {}
        for element in elements:
            _take_from_above(row, below, below_next)
            cell = _Cell(_words(element), element.tag == "th")
            columns = _span(element, "colspan")
            n_below = min(_span(element, "rowspan"), len(rows) - number) - 1
            spare_cells -= (columns - 1) + n_below * columns
            spare_characters -= len(cell.text) * (columns * (n_below + 1) - 1)
            if spare_cells < 0 or spare_characters < 0:
                columns, n_below = 1, 0
            for column in range(columns):
                part = _Cell(cell.text, cell.is_header, is_repeated=column > 0)
                if n_below:
                    below_next[len(row)] = (n_below, part)
                row.append(part)
        _take_from_above(row, below, below_next)
        grid.append(row)
        below = below_next
    return grid


def _take_from_above(
    row: _Row, below: dict[int, tuple[int, _Cell]], below_next: dict[int, tuple[int, _Cell]]
) -> None:
    """Put the cells that reach down into the columns that come next."""
    while (reaching := below.get(len(row))) is not None:
        n_rows, cell = reaching
        if n_rows > 1:
            below_next[len(row)] = (n_rows - 1, cell)
        row.append(cell)


def _span(element: Element, name: str) -> int:
    value = (element.get(name) or "1").strip()
    if not value.isascii() or not value.isdigit():
        return 1
    return max(1, min(int(value[:6]), 1_000 if name == "colspan" else 65_534))


def _without_spare_columns(grid: list[_Row]) -> list[_Row]:
    """Columns that are empty or repeat their neighbour throughout only make room in the page."""
    n_columns = max(len(row) for row in grid)
    says_something = [False] * n_columns
    for row in grid:
        for column, cell in enumerate(row):
            says_something[column] |= bool(cell.text) and not cell.is_repeated
    return [[cell for cell, keep in zip(row, says_something, strict=False) if keep] for row in grid]


def _line(row: _Row) -> str:
    if len(row) > 1 and all(cell.is_repeated for cell in row[1:]):
        return row[0].text
    return " | ".join(cell.text for cell in row)


def _n_header_rows(grid: list[_Row], in_head: Sequence[bool]) -> int:
    n_rows = 0
    while n_rows < len(grid) - 1 and (in_head[n_rows] or _is_header(grid[n_rows])):
        n_rows += 1
    return n_rows or int(_looks_like_header(grid))


def _is_header(row: _Row) -> bool:
    n_header_cells = sum(cell.is_header for cell in row)
    return 2 * n_header_cells >= len(row) > 1 and all(cell.is_header for cell in row if cell.text)


def _looks_like_header(grid: list[_Row]) -> bool:
    """Without header cells the first row is one if it names every column, and not with numbers."""
    if len(grid) < 3 or any(cell.is_header for row in grid for cell in row):
        return False
    words = [cell.text for cell in grid[0]]
    return len(set(words)) == len(words) > 1 and not any(map(_NUMERIC.fullmatch, words))


def _merged(header: list[_Row]) -> str:
    """Several header rows as one: what stands above a column, from top to bottom."""
    if not header:
        return ""
    columns: list[list[str]] = [[] for _ in range(max(len(row) for row in header))]
    for row in header:
        for column, cell in enumerate(row):
            if cell.text not in columns[column]:
                columns[column].append(cell.text)
    labels = [" ".join(words).strip() for words in columns]
    return " | ".join(labels if len(set(labels)) > 1 else labels[:1])
