"""From the lines of a page to its headings, paragraphs, list items and tables."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from statistics import median
from typing import Final

from parsers.document import BlockKind
from parsers.pdf.lines import Cell, Line, is_right_to_left
from parsers.pdf.order import reading_order
from parsers.pdf.text import HYPHEN, LEADER

_MARK: Final = "[•▪▫◦‣⁃●○■□◆◇➢➤✓✔\uf000-\uf8ff]"
_BULLET: Final = re.compile(rf"{_MARK}|[–—*o-]\s+(?=\S)")
_LABEL: Final = re.compile(rf"(?:{_MARK}|[–—*o-]|\(?\w{{1,3}}(?:\.\d{{1,3}})*[.)]?)$")
_NUMBERED: Final = re.compile(r"\(?(?:\d{1,2}(?:\.\d{1,2}){0,3}|[a-zA-Z]|[ivx]{1,5})[.)]\s+\S")
_FIELD: Final = re.compile(r"[^\W\d][^:.,;]{0,30}:\s+\S")
"""`Name: value`."""
_SENTENCE_END: Final = re.compile(r"[.!?:;。！？؟][\"'”’)\]]*$")

# In multiples of the type's size.
_MAX_LEADING: Final = 3.0
_MIN_LEADING: Final = 0.5
_USUAL_LEADING: Final = 1.2
_MIN_INDENT: Final = 0.8
_MIN_ROOM: Final = 0.6
"""Left over at a line's end beside the next word: its end was meant."""
_SAME_EDGE: Final = 0.25

_MAX_SIZE_RATIO: Final = 1.12
_MAX_LEADING_RATIO: Final = 1.3
_MAX_LEADING_WITHIN_WORD: Final = 1.8
_N_NEIGHBOURS: Final = 3
"""Lines before and after, whose ends tell how far a line could have reached."""
_MIN_CERTAIN_GAP: Final = 2.5
"""In multiples of the type's size. No space in justified text is so wide on most lines."""
_MAX_CELL_WORDS: Final = 4
_MIN_COLUMN_LINES: Final = 4
_MIN_COLUMN_WORDS: Final = 4


@dataclass(frozen=True, slots=True)
class Group:
    """Lines that make one block."""

    kind: BlockKind
    rows: tuple[tuple[Line, ...], ...]
    """Lines of one row run on; each row starts on a line of its own."""
    level: int = 0
    """Of a heading."""

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for row in self.rows for line in row)


@dataclass(frozen=True, slots=True)
class HeadingMark:
    """Says that a line is a heading, or a part of one."""

    ordinal: int
    """Which heading of the document: lines of one stand together."""
    level: int
    """1 to 6."""


def arrange(lines: Sequence[Line], headings: Mapping[int, HeadingMark]) -> list[Group]:
    """The groups of a page in the order of reading.

    Args:
        lines: In the order of the file.
        headings: By the 0-based index of their lines.
    """
    lines = [_with_its_label(line) for line in lines]
    leading = _typical_leading(lines)
    groups: list[Group] = []
    for mark, run in _by_mark(lines, headings):
        if mark:
            groups.append(Group(BlockKind.HEADING, (tuple(run),), mark.level))
        else:
            groups.extend(_groups(run, leading))
    return [groups[index] for index in reading_order([group.lines for group in groups])]


def _with_its_label(line: Line) -> Line:
    """A bullet or a number belongs to the words that it stands before, however far away."""
    if len(line.cells) != 2 or not _LABEL.match(line.cells[0].text):
        return line
    label, words = line.cells
    left, right = min(label.left, words.left), max(label.right, words.right)
    return replace(line, cells=(Cell(f"{label.text} {words.text}", left, right),))


def _typical_leading(lines: Sequence[Line]) -> float:
    """From one line to the next, in multiples of the type's size."""
    drops = [_drop(above, line) / line.size for above, line in pairwise(lines)]
    usual = [drop for drop in drops if _MIN_LEADING <= drop <= _MAX_LEADING]
    return median(usual) if usual else _USUAL_LEADING


def _by_mark(
    lines: Sequence[Line], headings: Mapping[int, HeadingMark]
) -> Iterator[tuple[HeadingMark | None, Sequence[Line]]]:
    start = 0
    for index in range(1, len(lines) + 1):
        if index == len(lines) or headings.get(index) != headings.get(start):
            yield headings.get(start), lines[start:index]
            start = index


def _groups(lines: Sequence[Line], leading: float) -> Iterator[Group]:
    for are_rows, run in _by_cells(lines):
        if not are_rows or _is_prose(run):
            yield from _paragraphs(run, leading)
        elif _are_columns(run):
            for column in (0, 1):
                cut = [replace(line, cells=(line.cells[column],)) for line in run]
                yield from _paragraphs(cut, leading)
        else:
            yield Group(BlockKind.TABLE, tuple((line,) for line in run))


def _by_cells(lines: Sequence[Line]) -> Iterator[tuple[bool, Sequence[Line]]]:
    """Runs of lines; whether they are rows beside columns: two or more with wide gaps in each."""
    start = done = 0
    for index in range(1, len(lines) + 1):
        above, below = lines[index - 1], lines[index] if index < len(lines) else None
        if below and _is_row(above) and _is_row(below) and _is_near(above, below):
            continue
        if index - start > 1:
            if done < start:
                yield False, lines[done:start]
            yield True, lines[start:index]
            done = index
        start = index
    if done < len(lines):
        yield False, lines[done:]


def _is_row(line: Line) -> bool:
    return len(line.cells) > 1


def _is_near(above: Line, below: Line) -> bool:
    return 0 < _drop(above, below) <= _MAX_LEADING * max(above.size, below.size)


def _drop(above: Line, below: Line) -> float:
    return above.baseline - below.baseline


def _are_columns(lines: Sequence[Line]) -> bool:
    """Whether the two halves of each line are prose that runs on below, not beside."""
    if len(lines) < _MIN_COLUMN_LINES or any(len(line.cells) != 2 for line in lines):
        return False
    if max(line.cells[0].right for line in lines) >= min(line.cells[1].left for line in lines):
        return False
    return all(
        median(len(line.cells[column].text.split()) for line in lines) >= _MIN_COLUMN_WORDS
        for column in (0, 1)
    )


def _is_prose(lines: Sequence[Line]) -> bool:
    """Whether the gaps are but those of justified text."""
    n_words = sum(len(cell.text.split()) for line in lines for cell in line.cells)
    gaps = [after.left - before.right for line in lines for before, after in pairwise(line.cells)]
    is_wide = median(gaps) > _MIN_CERTAIN_GAP * lines[0].size
    return not is_wide and n_words > _MAX_CELL_WORDS * sum(len(line.cells) for line in lines)


def _paragraphs(lines: Sequence[Line], leading: float) -> Iterator[Group]:
    stretch: list[Line] = []
    for line in lines:
        if stretch and not _adjoins(stretch, line, leading):
            yield from _split(stretch)
            stretch = []
        stretch.append(line)
    if stretch:
        yield from _split(stretch)


def _adjoins(stretch: Sequence[Line], line: Line, leading: float) -> bool:
    """Whether `line` goes on below a stretch of evenly spaced lines of one size."""
    last = stretch[-1]
    if not (last.is_upright and line.is_upright):
        return False
    if max(last.size, line.size) > _MAX_SIZE_RATIO * min(last.size, line.size):
        return False
    if min(last.right, line.right) <= max(last.left, line.left):
        return False
    usual = _drop(stretch[-2], last) if len(stretch) > 1 else leading * last.size
    is_cut = last.text.endswith((HYPHEN, "-"))
    most = (_MAX_LEADING_WITHIN_WORD if is_cut else _MAX_LEADING_RATIO) * usual
    return _MIN_LEADING * last.size <= _drop(last, line) <= most


def _split(stretch: Sequence[Line]) -> Iterator[Group]:
    """Paragraphs and list items of an evenly spaced stretch."""
    rows: list[list[Line]] = []
    for index, line in enumerate(stretch):
        ended = index > 0 and _ends_early(stretch, index - 1)
        if rows and _begins(rows, line, ended=ended):
            yield _paragraph(rows)
            rows = []
        if ended or not rows:
            rows.append([line])
        else:
            rows[-1].append(line)
    yield _paragraph(rows)


def _paragraph(rows: Sequence[Sequence[Line]]) -> Group:
    is_item = _BULLET.match(rows[0][0].text)
    kind = BlockKind.LIST_ITEM if is_item else BlockKind.PARAGRAPH
    return Group(kind, tuple(map(tuple, rows)))


def _ends_early(stretch: Sequence[Line], index: int) -> bool:
    """Whether the first word of the next line would have fitted on the line at `index`."""
    line, after = stretch[index], stretch[index + 1]
    if line.text.endswith(HYPHEN):
        return False
    if LEADER in line.text or (_FIELD.match(line.text) and _FIELD.match(after.text)):
        return True
    near = stretch[max(0, index - _N_NEIGHBOURS) : index + _N_NEIGHBOURS + 1]
    if is_right_to_left(line.text[-1]):
        room = line.left - min(neighbour.left for neighbour in near)
    else:
        room = max(neighbour.right for neighbour in near) - line.right
    share = len(after.text.split(maxsplit=1)[0]) / len(after.text)
    return room > share * (after.right - after.left) + _MIN_ROOM * line.size


def _begins(rows: Sequence[Sequence[Line]], line: Line, *, ended: bool) -> bool:
    """Whether `line` begins another paragraph than that of `rows`."""
    last = rows[-1][-1].text
    if _BULLET.match(line.text):
        return True
    is_numbered = _NUMBERED.match(line.text) is not None
    if is_numbered and _NUMBERED.match(rows[0][0].text) and _SENTENCE_END.search(last):
        return True
    if ended and (is_numbered or _SENTENCE_END.search(last)):
        return True
    return _is_indented_anew(rows, line)


def _is_indented_anew(rows: Sequence[Sequence[Line]], line: Line) -> bool:
    """Whether `line` starts where the first of three or more did, and the last did not."""
    first, last = rows[0][0], rows[-1][-1]
    if first is last or is_right_to_left(line.text[0]):
        return False
    moved = abs(last.left - first.left) > _MIN_INDENT * line.size
    return moved and abs(line.left - first.left) <= _SAME_EDGE * line.size
