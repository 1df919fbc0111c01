"""Headers and footers: lines that come back at the edge of page after page."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from parsers.pdf.lines import Line

_N_EDGE_LINES: Final = 3
"""Lines from the top and from the bottom of each page that are looked at."""
_MIN_PAGES: Final = 3
_MIN_SHARE: Final = 0.4
"""Of the pages. Below one half, for a book has other headers on its left pages."""
_MIN_STEADY_SHARE: Final = 0.8
"""Of the numbers in a line that comes back: the same, or counting with the pages."""
_MIN_RUNNING_TITLE: Final = 10
"""Letters of a line that counts with the pages; a shorter one, `Day 3`, is rather a heading."""
_PAGE_WORD: Final = re.compile(
    r"p|pp|pg|page|of|seite|von|página|pagina|pág|pag|de|di|van|sida|av|side|af|strona|str|strana"
    r"|z|sur|sayfa|halaman|trang|стр|страница|из|лист|페이지|第|页|頁|共|ページ"
)
"""What stands beside a page number, in the languages that documents come in most."""
_NUMBER: Final = re.compile(r"\d+")
_LABEL: Final = "#"
"""The key of a line that is the page's label."""

_Place = tuple[int, int]
"""0-based page and line."""


def running_lines(
    pages: Sequence[Sequence[Line]], labels: Sequence[str]
) -> frozenset[tuple[int, int]]:
    """Which lines, as (page, line), both 0-based, only repeat what an earlier page says.

    The first of them stays, unless it is a mere page number: a letterhead is text as well.

    Args:
        pages: The lines of each.
        labels: What each page has for a number.
    """
    places: defaultdict[tuple[bool, str], list[_Place]] = defaultdict(list)
    for page, lines in enumerate(pages):
        for at_top, index in _edges(lines):
            places[at_top, _key(lines[index].text, labels[page])].append((page, index))
    found: set[_Place] = set()
    for (_, key), repeats in places.items():
        if _are_enough(repeats, len(pages)) and (key == _LABEL or _runs(repeats, pages)):
            is_numbering = key == _LABEL or _is_numbering(pages[repeats[0][0]][repeats[0][1]].text)
            found.update(repeats if is_numbering else repeats[1:])
    return frozenset(found) - _whole_pages(found, pages)


def _whole_pages(found: set[_Place], pages: Sequence[Sequence[Line]]) -> set[_Place]:
    """The lines of pages that would have none left."""
    n_found = Counter(page for page, _ in found)
    return {(page, line) for page, line in found if n_found[page] == len(pages[page])}


def _edges(lines: Sequence[Line]) -> Iterator[tuple[bool, int]]:
    upright = [index for index, line in enumerate(lines) if line.is_upright]
    upright.sort(key=lambda index: -lines[index].baseline)
    n_top = min(_N_EDGE_LINES, (len(upright) + 1) // 2)
    yield from ((True, index) for index in upright[:n_top])
    yield from ((False, index) for index in upright[n_top:][-_N_EDGE_LINES:])


def _key(text: str, label: str) -> str:
    """What is the same in a line that comes back."""
    text = "".join(text.casefold().split())
    return _LABEL if text.strip("-–—.") == label.casefold() else _NUMBER.sub("#", text)


def _are_enough(repeats: Sequence[_Place], n_pages: int) -> bool:
    return len({page for page, _ in repeats}) >= max(_MIN_PAGES, _MIN_SHARE * n_pages)


def _runs(repeats: Sequence[_Place], pages: Sequence[Sequence[Line]]) -> bool:
    """Whether lines with one key are one header or footer: their numbers stay, or count pages."""
    texts = [pages[page][index].text for page, index in repeats]
    numbers = [_numbers(text) for text in texts]
    if any(len(row) != len(numbers[0]) for row in numbers):
        return False
    is_short = sum(map(str.isalpha, texts[0])) < _MIN_RUNNING_TITLE
    if is_short and len(set(texts)) > 1 and not _is_numbering(texts[0]):
        return False
    return all(
        _is_steady([row[place] for row in numbers], [page for page, _ in repeats])
        for place in range(len(numbers[0]))
    )


def _numbers(text: str) -> list[int]:
    return [int(digits[:18]) for digits in _NUMBER.findall("".join(text.split()))]


def _is_steady(numbers: Sequence[int], pages: Sequence[int]) -> bool:
    """Whether a number is the same on most pages, or the page's own."""
    offsets = [number - page for number, page in zip(numbers, pages, strict=True)]
    most = max(Counter(values).most_common(1)[0][1] for values in (numbers, offsets))
    return most >= _MIN_STEADY_SHARE * len(numbers)


def _is_numbering(text: str) -> bool:
    """Whether a line says nothing but which page it stands on: `Page 3 of 12`, `- 3 -`."""
    words = re.findall(r"[^\W\d_]+", text.casefold())
    return any(map(str.isdigit, text)) and all(map(_PAGE_WORD.fullmatch, words))
