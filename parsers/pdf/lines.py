"""The lines of a PDF's page with their places, put together from PDFium's characters.

PDFium ends a line wherever the type changes and at each raised figure; here a line is what stands
beside each other. Pages whose text runs sideways are turned until it runs upright.
"""

import math
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, Final

from parsers.pdf.glyphs import Glyphs
from parsers.pdf.text import HYPHEN, normalise

_SPAN: Final = re.compile(rf"[^\r\n{HYPHEN}]*{HYPHEN}|[^\r\n{HYPHEN}]+")
_WORD: Final = re.compile("[^ \u00a0\t]+")

# In multiples of the type's size.
_MIN_SPACE: Final = 0.08
"""By which a gap exceeds the letters' own distance, if PDFium's guess of a space is right."""
_MIN_JOINT: Final = 0.12
"""A narrower gap between two stretches of a line is within a word."""
_MIN_CELL_GAP: Final = 1.2
_MAX_RISE: Final = 0.45
_MAX_OVERLAP: Final = 0.5
_MAX_LINE_CHARACTERS: Final = 2_000
"""A line that is longer by then does not grow any more: no page is that wide."""


@dataclass(frozen=True, slots=True)
class Cell:
    """Words of a line that no wide gap divides."""

    text: str
    left: float
    right: float


@dataclass(frozen=True, slots=True)
class Line:
    """What stands beside each other; places in points, from a lower left corner, turned upright."""

    cells: tuple[Cell, ...]
    bottom: float
    top: float
    baseline: float
    size: float
    """Of its type, in points."""
    is_upright: bool = True

    @property
    def text(self) -> str:
        return " ".join(cell.text for cell in self.cells)

    @property
    def left(self) -> float:
        return min(cell.left for cell in self.cells)

    @property
    def right(self) -> float:
        return max(cell.right for cell in self.cells)


def read_lines(text_page: Any) -> list[Line]:
    """The lines of a page in the order in which the file draws them.

    Args:
        text_page: PDFium's handle.
    """
    glyphs = Glyphs(text_page)
    spans = list(_spans(glyphs.text))
    glyphs.turn(spans)
    lines: list[Line] = []
    for start, end in spans:
        line = _line(glyphs, start, end)
        if line is None:
            continue
        if lines and _goes_on(lines[-1], line):
            lines[-1] = _merged(lines[-1], line)
        else:
            lines.append(line)
    # PDFium sorts text that runs sideways, from left to right, whichever way it runs.
    return lines[::-1] if glyphs.is_turned and _rises(lines) else lines


def _rises(lines: Sequence[Line]) -> bool:
    """Whether most lines stand above the one before."""
    n_above = sum(after.baseline > line.baseline for line, after in pairwise(lines))
    return 2 * n_above >= len(lines)


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Stretches between line ends; a hyphen that PDFium found at a line's end ends one too."""
    return (match.span() for match in _SPAN.finditer(text))


@dataclass(frozen=True, slots=True)
class _Word:
    """Glyphs `start` to `end`, one past the last."""

    start: int
    end: int
    left: float
    right: float


def _line(glyphs: Glyphs, start: int, end: int) -> Line | None:
    words = list(_words(glyphs, start, end))
    if not words:
        return None
    first = words[0].start
    size = glyphs.size(first) or 1.0
    cells = tuple(_cells(glyphs, words, size))
    if not cells:
        return None
    boxes = (glyphs.box(first), glyphs.box(words[-1].end - 1))
    return Line(
        cells,
        bottom=min(box[1] for box in boxes),
        top=max(box[3] for box in boxes),
        baseline=glyphs.origin(first)[1],
        size=size,
        is_upright=glyphs.is_upright(first),
    )


def _words(glyphs: Glyphs, start: int, end: int) -> Iterator[_Word]:
    for match in _WORD.finditer(glyphs.text, start, end):
        first, last = glyphs.box(match.start()), glyphs.box(match.end() - 1)
        yield _Word(*match.span(), min(first[0], last[0]), max(first[2], last[2]))


def _cells(glyphs: Glyphs, words: Sequence[_Word], size: float) -> Iterator[Cell]:
    text, left, right = "", math.inf, -math.inf
    previous: _Word | None = None
    has_cells = not _runs_both_ways(glyphs, words)
    for word in words:
        letters = _logical(glyphs, word)
        gap = _gap(previous, word) if previous else 0.0
        if previous and has_cells and gap > _MIN_CELL_GAP * size:
            yield from _cell(text, left, right)
            text, left, right = "", math.inf, -math.inf
        elif previous and not _is_within_word(glyphs, previous, word, gap, size):
            text += " "
        text += letters
        left, right, previous = min(left, word.left), max(right, word.right), word
    yield from _cell(text, left, right)


def _cell(text: str, left: float, right: float) -> Iterator[Cell]:
    if words := normalise(text):
        yield Cell(words, left, right)


def _gap(first: _Word | Cell, second: _Word | Cell) -> float:
    """Between two neighbours, whichever of them stands on the left; below 0 if they overlap."""
    return max(second.left - first.right, first.left - second.right)


def _is_within_word(glyphs: Glyphs, first: _Word, second: _Word, gap: float, size: float) -> bool:
    """Whether the space between them is PDFium's guess, and no wider than between letters."""
    if second.start - first.end != 1 or not glyphs.is_generated(first.end):
        return False
    if first.end - first.start > 1:
        letters = first.end - 2, first.end - 1
    elif second.end - second.start > 1:
        letters = second.start, second.start + 1
    else:
        return False
    before, after = map(glyphs.box, letters)
    return gap - max(0.0, after[0] - before[2]) < _MIN_SPACE * size


def _logical(glyphs: Glyphs, word: _Word) -> str:
    """The letters of a word in the order in which they are read.

    Where one glyph stands for several Arabic or Hebrew letters, PDFium gives them from left to
    right, all in the same place.
    """
    letters = glyphs.text[word.start : word.end]
    if not glyphs.is_right_to_left or not any(map(is_right_to_left, letters)):
        return letters
    parts: list[str] = []
    places: list[tuple[float, float]] = []
    for position, letter in enumerate(letters):
        place = glyphs.origin(word.start + position)
        if places and places[-1] == place and is_right_to_left(letter):
            parts[-1] = letter + parts[-1]
        else:
            parts.append(letter)
            places.append(place)
    return "".join(parts)


def is_right_to_left(character: str) -> bool:
    return character >= "\u0590" and unicodedata.bidirectional(character) in ("R", "AL", "NSM")


def _runs_both_ways(glyphs: Glyphs, words: Sequence[_Word]) -> bool:
    """Whether neighbours in reading need not be neighbours on the line."""
    if not glyphs.is_right_to_left:
        return False
    characters = glyphs.text[words[0].start : words[-1].end]
    kinds = {unicodedata.bidirectional(character) for character in characters}
    return "L" in kinds and bool(kinds & {"R", "AL"})


def _goes_on(line: Line, after: Line) -> bool:
    """Whether `after` stands beside `line`, in the direction of reading."""
    if not (line.is_upright and after.is_upright) or line.text.endswith(HYPHEN):
        return False
    if len(line.text) > _MAX_LINE_CHARACTERS:
        return False
    size = max(line.size, after.size)
    if abs(line.baseline - after.baseline) > _MAX_RISE * size:
        return False
    if is_right_to_left(line.text[-1]):
        return after.right <= line.left + _MAX_OVERLAP * size
    return after.left >= line.right - _MAX_OVERLAP * size


def _merged(line: Line, after: Line) -> Line:
    size = max(line.size, after.size)
    last, first = line.cells[-1], after.cells[0]
    gap = _gap(last, first)
    cells = (*line.cells, *after.cells)
    if gap <= _MIN_CELL_GAP * size:
        text = last.text + (" " if gap > _MIN_JOINT * size else "") + first.text
        left, right = min(last.left, first.left), max(last.right, first.right)
        cells = (*line.cells[:-1], Cell(text, left, right), *after.cells[1:])
    main = max(line, after, key=lambda part: len(part.text))
    return replace(
        main, cells=cells, bottom=min(line.bottom, after.bottom), top=max(line.top, after.top)
    )
