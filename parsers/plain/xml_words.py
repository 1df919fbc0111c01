"""Writes the elements of an XML document as blocks."""

import re
from typing import Final

from lxml import etree

from parsers.document import BlockKind, TextBuilder
from parsers.web.blocks import add_html

_MARKUP: Final = re.compile(
    r"<(?:p|br|div|a|ul|ol|li|b|i|em|strong|img|h[1-6]|table|span)\b[^<>]*>", re.I
)
_PROSE: Final = frozenset(
    [
        *("p", "para", "simpara", "text", "tspan", "ab", "l", "description", "desc", "summary"),
        *("content", "abstract", "note", "body", "comment", "quote", "caption", "encoded"),
    ]
)
"""Elements whose names say nothing of their words."""
_ITEMS: Final = frozenset({"li", "item", "listitem"})
_CODE: Final = frozenset({"programlisting", "screen", "pre", "listing", "code-block"})
_ROWS: Final = frozenset({"tr", "row"})
_CELLS: Final = frozenset({"td", "th", "entry", "cell"})
_CAPTIONS: Final = frozenset({"title", "caption", "head"})
_PROSE_ATTRIBUTES: Final = frozenset(
    {"title", "alt", "label", "caption", "summary", "text", "description", "comment", "heading"}
)
_MUTE_ATTRIBUTES: Final = frozenset(
    {
        "id",
        "class",
        "style",
        "href",
        "src",
        "rel",
        "url",
        "lang",
        "space",
        "base",
        "schemalocation",
        "type",
    }
)
_MAX_SHORT_CHARACTERS: Final = 200
_MAX_LEVEL: Final = 6


def local_name(element: etree._Element) -> str:
    return str(etree.QName(element).localname).lower()


def _words(element: etree._Element) -> str:
    return " ".join("".join(element.itertext()).split())


class XmlWords:
    """What was read so far. Elements are told of in the order of the document."""

    def __init__(self) -> None:
        self.builder = TextBuilder()
        self._values: list[str] = []
        """Short values that stand beside each other make one block."""
        self._entered: list[tuple[etree._Element, bool]] = []
        """Elements that are read part by part, and whether a heading names them."""
        self._n_headed = 0

    @property
    def is_inside(self) -> bool:
        """Whether there is an element that a title could name."""
        return bool(self._entered)

    def enter(self, element: etree._Element, *, with_text: bool) -> None:
        """Begin an element that is read part by part."""
        self._flush()
        self._entered.append((element, False))
        if not with_text:
            return
        self._add_heading(element.get("title") or element.get("heading") or "")
        self._add_attributes(element, _PROSE_ATTRIBUTES - {"title", "heading"})
        self._add_paragraph(element.text)

    def leave(self, element: etree._Element, *, with_text: bool) -> None:
        """End any element, whether it was read as a whole or part by part."""
        if self._entered and self._entered[-1][0] is element:
            self._flush()
            self._n_headed -= self._entered.pop()[1]
        if not self._entered:
            self._flush()
        elif with_text:
            self._add_paragraph(element.tail)

    def add_title(self, element: etree._Element) -> None:
        self._add_heading(_words(element))

    def add_sentence(self, element: etree._Element) -> None:
        """An element that holds only words."""
        name, words = local_name(element), "".join(element.itertext())
        self._add_attributes(element, _PROSE_ATTRIBUTES if words.strip() else None)
        if name in _CODE:
            self._add(BlockKind.CODE, words)
        elif _MARKUP.search(words):
            self._flush()
            level = min(self._n_headed + 1, _MAX_LEVEL)
            add_html(self.builder, words, main_content=False, min_level=level)
        elif name in _ITEMS:
            self._add(BlockKind.LIST_ITEM, " ".join(words.split()))
        elif name in _PROSE or len(words) > _MAX_SHORT_CHARACTERS:
            self._add(BlockKind.PARAGRAPH, " ".join(words.split()))
        elif words.strip():
            self._values.append(f"{name}: {' '.join(words.split())}")

    def add_table(self, element: etree._Element) -> bool:
        """A table with its first row as header; False if it has no rows and is none."""
        rows = []
        for row in element.iter():
            if local_name(row) in _ROWS:
                cells = [_words(cell) for cell in row if local_name(cell) in _CELLS]
                rows.append(" | ".join(cells))
        rows = [row for row in rows if row.strip(" |")]
        if not rows:
            return False
        for child in element:
            if local_name(child) in _CAPTIONS:
                self._add(BlockKind.PARAGRAPH, _words(child))
        self._flush()
        header = rows[0] if len(rows) > 1 else ""
        self.builder.add(BlockKind.TABLE, "\n".join(rows), header=header)
        return True

    def _add_heading(self, words: str) -> None:
        """Of the element entered last: one level below those of the elements around it."""
        if not words.strip():
            return
        self._flush()
        element, had_heading = self._entered.pop()
        self._n_headed += not had_heading
        self._entered.append((element, True))
        level = min(self._n_headed, _MAX_LEVEL)
        self.builder.add(BlockKind.HEADING, " ".join(words.split()), level=level)

    def _add_attributes(self, element: etree._Element, names: frozenset[str] | None) -> None:
        """Those of these names; without names all that may say something."""
        for key, value in element.attrib.items():
            name = str(etree.QName(key).localname).lower()
            wanted = name in names if names is not None else name not in _MUTE_ATTRIBUTES
            if wanted and any(character.isalpha() for character in value):
                self._values.append(f"{name}: {' '.join(value.split())}")

    def _add_paragraph(self, text: str | None) -> None:
        if text and text.strip():
            self._add(BlockKind.PARAGRAPH, " ".join(text.split()))

    def _add(self, kind: BlockKind, words: str) -> None:
        self._flush()
        self.builder.add(kind, words)

    def _flush(self) -> None:
        self.builder.add(BlockKind.LIST_ITEM, "\n".join(self._values))
        self._values = []
