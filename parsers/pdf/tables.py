"""Rows of words with wide gaps between them, as the text of a table."""

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from parsers.pdf.lines import Cell, Line, is_right_to_left

_DIVIDER: Final = " | "
_MIN_ROWS: Final = 3
_MIN_COLUMNS: Final = 3
"""Of a table with a header: two columns are rather names and their values."""


def table_text(lines: Sequence[Line]) -> str:
    """One line a row; cells that stand below each other are in the same place of their rows."""
    columns = _columns(lines)
    rows = [_placed(line.cells, columns) if columns else _words(line.cells) for line in lines]
    if columns and _is_right_to_left(lines):
        rows = [row[::-1] for row in rows]
    return "\n".join(_DIVIDER.join(row).rstrip(" |").lstrip() for row in rows)


def header_of(lines: Sequence[Line]) -> str:
    """The words of the first row, if it has no figures while another row has."""
    first, *others = (line.text for line in lines)
    if len(lines) < _MIN_ROWS or len(lines[0].cells) < _MIN_COLUMNS:
        return ""
    if any(map(str.isdigit, first)):
        return ""
    has_figures = any(character.isdigit() for words in others for character in words)
    return table_text(lines[:1]) if has_figures else ""


def _words(cells: Sequence[Cell]) -> list[str]:
    return [cell.text for cell in cells]


def _is_right_to_left(lines: Sequence[Line]) -> bool:
    letters = [letter for line in lines for letter in line.text if letter.isalpha()]
    return 2 * sum(map(is_right_to_left, letters)) > len(letters)


def _columns(lines: Sequence[Line]) -> list[tuple[float, float]] | None:
    """Left and right edges; None where the cells of a row would share a column."""
    edges: list[tuple[float, float]] = []
    for left, right in sorted((cell.left, cell.right) for line in lines for cell in line.cells):
        if edges and left < edges[-1][1]:
            edges[-1] = edges[-1][0], max(edges[-1][1], right)
        else:
            edges.append((left, right))
    widest = max(len(line.cells) for line in lines)
    return edges if len(edges) >= widest and _has_room(lines, edges) else None


def _has_room(lines: Sequence[Line], edges: Sequence[tuple[float, float]]) -> bool:
    return all(
        len({_column(cell, edges) for cell in line.cells}) == len(line.cells) for line in lines
    )


def _column(cell: Cell, edges: Sequence[tuple[float, float]]) -> int:
    return bisect_right(edges, (cell.left, math.inf)) - 1


def _placed(cells: Sequence[Cell], edges: Sequence[tuple[float, float]]) -> list[str]:
    words = [""] * len(edges)
    for cell in cells:
        words[_column(cell, edges)] = cell.text
    return words
