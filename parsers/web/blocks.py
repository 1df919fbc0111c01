"""From HTML markup to blocks of text: what a reader of the page sees, in its order."""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.document import BlockKind, TextBuilder
from parsers.web.content import blank_boilerplate, main_part
from parsers.web.inline import closing_words, folded, formula, opening_words, preformatted
from parsers.web.tables import read_table
from parsers.web.tree import Element, breaks_line, parse_markup
from parsers.web.visible import blank_unseen

VERSION: Final = f"1+lxml-{etree.__version__}"

_HEADINGS: Final = {f"h{level}": level for level in range(1, 7)}
_MAX_HEADING: Final = 1_000
"""Characters."""
_PREFORMATTED: Final = frozenset({"pre", "listing", "xmp", "plaintext"})
_IN_HEADINGS: Final = frozenset({"div", "header", "hgroup", "center", "address", "details"})
_INVISIBLE: Final = re.compile("[\u00ad\u200b\u2060\U000e0000-\U000e007f]")
"""Soft hyphens, zero-width spaces, and tag characters, with which text is hidden in plain sight."""
_EMPTY_LINES: Final = re.compile(r"\n\s*\n")


def add_html(
    builder: TextBuilder,
    markup: str,
    *,
    main_content: bool = True,
    min_level: int = 1,
    page: int | None = None,
) -> None:
    """Append what a reader of `markup` sees, block by block.

    Args:
        builder: Is written to.
        markup: A whole page or a fragment.
        main_content: Leave out menus, page headers and footers.
        min_level: Of an `h1`; the levels of the other headings follow.
        page: Of the blocks, 1-based.

    Raises:
        Corrupt: It is nested far deeper than any document.
    """
    tree = parse_markup(markup)
    if tree is not None:
        add_tree(builder, tree, main_content=main_content, min_level=min_level, page=page)


def add_tree(
    builder: TextBuilder,
    tree: Element,
    *,
    main_content: bool,
    min_level: int = 1,
    page: int | None = None,
) -> None:
    """As `add_html`, of a tree that is already parsed; what is not written is blanked in it."""
    blank_unseen(tree)
    writer = _Writer(builder, min_level, page)
    if not main_content:
        writer.write(tree)
        return
    blank_boilerplate(tree)
    for part in main_part(tree):
        writer.write(part)


@dataclass(slots=True)
class _Scope:
    """An element that decides what the words in it are."""

    element: Element
    kind: BlockKind
    level: int = 0
    is_used: bool = False
    """It has its first block; further ones are paragraphs."""


class _Writer:
    """Walks a tree and writes a block wherever a line ends that began with words."""

    def __init__(self, builder: TextBuilder, min_level: int, page: int | None) -> None:
        self._builder = builder
        self._min_level = min_level
        self._page = page
        self._words: list[str] = []
        self._prefix = ""
        """The number of a list item or the term of a definition: it goes before what follows."""
        self._scopes: list[_Scope] = []
        self._n_quotes = 0
        self._numbers: list[int | None] = []
        """Of the next item in each open list; None where they have no numbers."""
        self._has_picture = False
        """There is one in the words gathered."""
        self._picture = ""
        """What the last block said if a picture was in it."""

    def write(self, root: Element) -> None:
        walk = etree.iterwalk(root, events=("start", "end"))
        for event, element in walk:
            if event == "end":
                self._leave(element)
                if element is not root:
                    self._say(folded(element.tail))
            elif self._wrote_whole(element):
                walk.skip_subtree()
            else:
                self._enter(element)
        self._end_block()

    def _say(self, words: str) -> None:
        if words:
            self._words.append(words)

    def _wrote_whole(self, element: Element) -> bool:
        """Write an element that is a block of its own, if it is one."""
        if element.tag == "math":
            self._say(f" {formula(element)} ")
            return True
        if element.tag in _PREFORMATTED:
            self._end_block(with_prefix=True)
            self._builder.add(BlockKind.CODE, preformatted(element), page=self._page)
            return True
        table = read_table(element) if element.tag == "table" else None
        if table is None:
            return False
        self._end_block(with_prefix=True)
        for words in table.above:
            self._builder.add(BlockKind.PARAGRAPH, words, page=self._page)
        rows = "\n".join(table.rows)
        self._builder.add(BlockKind.TABLE, rows, page=self._page, header=table.header)
        return True

    def _enter(self, element: Element) -> None:
        if not breaks_line(element):
            self._say(opening_words(element, self._words[-1] if self._words else ""))
            self._has_picture |= element.tag == "img"
        elif self._is_in_heading() and element.tag in _IN_HEADINGS:
            self._say(" ")
        else:
            self._end_block()
            self._open_scope(element)
        self._say(folded(element.text))

    def _leave(self, element: Element) -> None:
        if not breaks_line(element):
            self._say(closing_words(element))
        elif self._is_in_heading() and element.tag in _IN_HEADINGS:
            self._say(" ")
        elif element.tag == "dt" and _comes_before_definition(element):
            self._prefix = f"{self._prefix}{self._taken_words().rstrip(':')}: "
        else:
            self._end_block(with_prefix=element.tag == "dd")
        self._close_scope(element)

    def _open_scope(self, element: Element) -> None:
        if level := _heading_level(element):
            self._scopes.append(_Scope(element, BlockKind.HEADING, level))
        match element.tag:
            case "ol" | "ul" | "menu":
                self._numbers.append(_first_number(element))
            case "li" | "dt" | "dd":
                self._scopes.append(_Scope(element, BlockKind.LIST_ITEM))
            case "blockquote":
                self._n_quotes += 1
        if element.tag == "li":
            self._number(element)

    def _close_scope(self, element: Element) -> None:
        if self._scopes and self._scopes[-1].element is element:
            self._scopes.pop()
        match element.tag:
            case "ol" | "ul" | "menu":
                self._numbers.pop()
            case "li":
                self._prefix = ""
            case "blockquote":
                self._n_quotes -= 1

    def _number(self, item: Element) -> None:
        number = self._numbers[-1] if self._numbers else None
        if number is not None:
            number = _integer(item.get("value"), number)
            self._numbers[-1] = number + 1
            self._prefix = f"{number}. "

    def _is_in_heading(self) -> bool:
        scope = self._scopes[-1] if self._scopes else None
        return scope is not None and scope.kind is BlockKind.HEADING and not scope.is_used

    def _taken_words(self) -> str:
        text = _INVISIBLE.sub("", "".join(self._words))
        self._words.clear()
        return "\n".join(" ".join(line.split()) for line in text.split("\n")).strip()

    def _end_block(self, *, with_prefix: bool = False) -> None:
        """Write the words gathered since the last block.

        Args:
            with_prefix: Write the term of a definition also where nothing follows it.
        """
        words = self._taken_words()
        if not words and with_prefix and self._prefix.endswith(": "):
            words, self._prefix = self._prefix.removesuffix(": "), ""
        if not words or (words == self._picture and not self._has_picture):
            return  # A caption that says the same as the picture's alternative text.
        self._picture = words if self._has_picture else ""
        self._has_picture = False
        for part in _EMPTY_LINES.split(self._prefix + words):
            kind, level = self._next_kind()
            if level and len(part) > _MAX_HEADING:
                kind, level = BlockKind.PARAGRAPH, 0  # It was never closed.
            line = " ".join(part.split()) if level else part
            self._builder.add(kind, line, level=level, page=self._page)
        self._prefix = ""

    def _next_kind(self) -> tuple[BlockKind, int]:
        if self._n_quotes:
            return BlockKind.QUOTE, 0
        scope = self._scopes[-1] if self._scopes else None
        if scope is None or scope.is_used:
            return BlockKind.PARAGRAPH, 0
        scope.is_used = True
        if scope.kind is not BlockKind.HEADING:
            return scope.kind, 0
        return BlockKind.HEADING, min(6, scope.level + self._min_level - 1)


def _heading_level(element: Element) -> int:
    """1 to 6; 0 if it is no heading."""
    if element.get("role") == "heading":
        return max(1, min(6, _integer(element.get("aria-level"), 2)))
    return _HEADINGS.get(element.tag, 0)


def _first_number(items: Element) -> int | None:
    is_counted = items.tag == "ol" and items.get("type", "1") == "1"
    is_plain = "list-style" in (items.get("style") or "")
    return _integer(items.get("start"), 1) if is_counted and not is_plain else None


def _integer(value: str | None, default: int) -> int:
    is_number = value is not None and re.fullmatch(r"-?\d{1,6}", value.strip()) is not None
    return int(value) if value is not None and is_number else default


def _comes_before_definition(term: Element) -> bool:
    following = term.getnext()
    return following is not None and following.tag == "dd"
