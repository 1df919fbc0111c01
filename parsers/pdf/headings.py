"""Which lines of a PDF are headings: those that its outline names, else those in larger type."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from parsers.pdf.layout import HeadingMark
from parsers.pdf.lines import Line

_MAX_LEVEL: Final = 6
_MIN_OUTLINED: Final = 3
_MAX_HEADING_LINES: Final = 6
_MAX_HEADING_CHARACTERS: Final = 200
_MAX_LINES: Final = 2_000
"""On a page. No page with more has its titles looked for: that would cost too much."""
_MIN_SIZE_RATIO: Final = 1.18
"""Of a heading's type to that of the text."""
_MAX_SHARE: Final = 0.2
"""Of a document's characters. More in larger type is not headings."""
_MAX_GUESSED_LEVELS: Final = 4
_NUMBER: Final = re.compile(
    r"^(?:chapter|section|part|appendix)?\s*[\divx]+(?:\.\d+)*[.):]?\s+", re.I
)
_SENTENCE_END: Final = (".", ",", ";", ":")

Headings = Mapping[tuple[int, int], HeadingMark]
"""By 0-based page and line."""


@dataclass(frozen=True, slots=True)
class OutlineEntry:
    """A line of a document's table of contents, as a reader's side bar shows it."""

    title: str
    level: int
    """1 is the outermost."""
    page: int
    """0-based."""


def headings_of(pages: Sequence[Sequence[Line]], entries: Sequence[OutlineEntry]) -> Headings:
    """By the outline; by the type as well where that names next to nothing of what is there."""
    found = outlined(pages, entries)
    n_found = len({mark.ordinal for mark in found.values()})
    return found if n_found >= _MIN_OUTLINED else {**larger(pages), **found}


def outlined(pages: Sequence[Sequence[Line]], entries: Sequence[OutlineEntry]) -> Headings:
    """The lines that hold the title of an entry, and nothing else, on the page that it leads to.

    A title that is not there is left out: nothing is put into the text that is not on the page.
    """
    found: dict[tuple[int, int], HeadingMark] = {}
    spelled: dict[int, list[_Spelled]] = {}
    for ordinal, entry in enumerate(entries):
        if not 0 <= entry.page < len(pages) or len(pages[entry.page]) > _MAX_LINES:
            continue
        if entry.page not in spelled:
            spelled[entry.page] = [_spelled(line.text) for line in pages[entry.page]]
        lines = spelled[entry.page]
        mark = HeadingMark(ordinal, min(entry.level, _MAX_LEVEL))
        for index in _lines_of(entry.title, lines):
            found[entry.page, index] = mark
            lines[index] = "", ""
    return found


_Spelled = tuple[str, str]
"""Letters and digits of a line: all of them, and without the number that it begins with."""


def _spelled(text: str) -> _Spelled:
    return _key(text), _key(_NUMBER.sub("", text))


def _lines_of(title: str, lines: Sequence[_Spelled]) -> range:
    """The first run of lines that spell the title, with its number or without."""
    wanted = set(filter(None, _spelled(title)))
    for start, (whole, unnumbered) in enumerate(lines):
        for index in range(start, min(start + _MAX_HEADING_LINES, len(lines))):
            more = lines[index][0]
            if not more:
                break
            if index > start:
                whole, unnumbered = whole + more, unnumbered + more
            if wanted & {whole, unnumbered}:
                return range(start, index + 1)
    return range(0)


def _key(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).casefold()
    return "".join(filter(str.isalnum, text))


def larger(pages: Sequence[Sequence[Line]]) -> Headings:
    """The short lines in clearly larger type than most of the text; a larger size is a level up."""
    sizes: Counter[float] = Counter()
    for lines in pages:
        for line in lines:
            sizes[_rounded(line)] += len(line.text)
    if not sizes:
        return {}
    usual = sizes.most_common(1)[0][0]
    large = {size: n for size, n in sizes.items() if size >= _MIN_SIZE_RATIO * usual}
    if sum(large.values()) > _MAX_SHARE * sizes.total():
        return {}
    levels = {size: min(rank, _MAX_GUESSED_LEVELS) for rank, size in _ranked(pages, large)}
    return _marked(pages, levels)


def _rounded(line: Line) -> float:
    return round(line.size * 2) / 2


def _ranked(
    pages: Sequence[Sequence[Line]], large: Mapping[float, int]
) -> Iterator[tuple[int, float]]:
    used = {_rounded(line) for lines in pages for line in lines if _may_be_heading(line)}
    return enumerate(sorted(used & large.keys(), reverse=True), 1)


def _may_be_heading(line: Line) -> bool:
    words = line.text
    if not line.is_upright or len(line.cells) > 2 or len(words) > _MAX_HEADING_CHARACTERS:
        return False
    return sum(map(str.isalpha, words)) > 2 and not words.endswith(_SENTENCE_END)


def _marked(pages: Sequence[Sequence[Line]], levels: Mapping[float, int]) -> Headings:
    found: dict[tuple[int, int], HeadingMark] = {}
    ordinal = -1  # Below 0, where those of an outline do not reach.
    for page, lines in enumerate(pages):
        last: tuple[float, int] = (0.0, -2)
        for index, line in enumerate(lines):
            size = _rounded(line)
            if size not in levels or not _may_be_heading(line):
                continue
            ordinal -= last != (size, index - 1)
            found[page, index] = HeadingMark(ordinal, levels[size])
            last = size, index
    return found
