"""The shapes of a slide as blocks of text, in the order in which they are read."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.document import BlockKind, TextBuilder
from parsers.office.drawing_text import chart_rows, chart_title, diagram_lines, paragraph_text
from parsers.office.packaging import choice
from parsers.office.slide_order import reading_order
from parsers.office.slide_styles import InheritedStyles, placeholder_kind
from parsers.table_text import add_table
from parsers.zipped_xml import attribute, child, children, local_name

_SHAPES: Final = frozenset({"sp", "grpSp", "graphicFrame", "pic", "cxnSp"})
_TITLES: Final = {"ctrTitle": 1, "title": 2}
"""The title of the whole, and of a slide."""
_RUNNING: Final = frozenset({"dt", "ftr", "hdr", "sldNum", "sldImg"})
"""What stands on every slide, and the small picture of the slide above its notes."""
_SAME_ROW_EMU: Final = 228_600
"""A quarter of an inch."""
_MAX_TITLE_CHARACTERS: Final = 100
_TRUE: Final = ("1", "true")
_GENERATED_ALT_TEXT: Final = re.compile(
    r".*\.(?:png|jpe?g|gif|bmp|emf|wmf|tiff?|svg|webp)|(?:picture|image|bild|grafik)\s*\d*|\S*",
    re.I,
)
"""Names of files, and other descriptions of a single word."""
_MACHINE_NOTE: Final = re.compile(
    r"\s*(?:AI-generated content may be incorrect|Description automatically generated[^.]*)\.?",
    re.I,
)
"""What Office adds to a description of its own making."""


@dataclass(slots=True)
class ShapeWriter:
    """Writes the shapes of one slide."""

    builder: TextBuilder
    styles: InheritedStyles
    page: int
    """Of the slide, 1-based."""
    part: Callable[[str], etree._Element | None]
    """Finds the chart or diagram behind the id of a relationship."""
    include_hidden: bool
    is_titled: bool = False
    """It has a heading, so that what follows does not seem to belong to the slide before."""

    def write(self, tree: etree._Element) -> None:
        """Append what the shapes of a slide say, its title first.

        Without one, the first line stands for it if it is short, else the number of the slide.
        """
        shapes = list(self._in_order(tree))
        title = next((s for s in shapes if placeholder_kind(s) in _TITLES), None)
        if title is not None:
            words = " ".join(" ".join(_paragraphs(title)).split())
            self._add_heading(words, _TITLES[placeholder_kind(title)])
        for shape in shapes:
            if shape is not title:
                self._write_shape(shape)

    def add(self, kind: BlockKind, words: str) -> None:
        """Append a block to the slide."""
        if words.strip():
            self._ensure_heading()
            self.builder.add(kind, words, page=self.page)

    def _ensure_heading(self) -> None:
        if not self.is_titled:
            self._add_heading(f"Slide {self.page}", _TITLES["title"])

    def _add_heading(self, words: str, level: int) -> None:
        self.builder.add(BlockKind.HEADING, words, level=level, page=self.page)
        self.is_titled = self.is_titled or bool(words.strip())

    def _write_shape(self, shape: etree._Element) -> None:
        name = local_name(shape)
        if name == "grpSp":
            for inner in self._in_order(shape):
                self._write_shape(inner)
        elif name == "graphicFrame":
            self._write_graphic(shape)
        elif name == "pic":
            self.add(BlockKind.PARAGRAPH, _alt_text(shape))
        elif placeholder_kind(shape) not in _RUNNING:
            self._write_text(shape)

    def _write_text(self, shape: etree._Element) -> None:
        for paragraph, words in zip(_elements(shape), _paragraphs(shape), strict=True):
            if self.styles.is_listed(shape, paragraph):
                self.add(BlockKind.LIST_ITEM, words)
            elif not self.is_titled and _is_short(words):
                self._add_heading(words, _TITLES["title"])
            else:
                self.add(BlockKind.PARAGRAPH, words)

    def _write_graphic(self, frame: etree._Element) -> None:
        for element in frame.iter("{*}tbl", "{*}chart", "{*}relIds"):
            name = local_name(element)
            if name == "tbl":
                self._add_table(_table_rows(element))
            elif name == "chart":
                self._write_chart(self.part(attribute(element, "id")))
            else:
                diagram = self.part(attribute(element, "dm"))
                for line in diagram_lines(diagram) if diagram is not None else ():
                    self.add(BlockKind.LIST_ITEM, line)

    def _write_chart(self, chart: etree._Element | None) -> None:
        if chart is not None:
            self.add(BlockKind.PARAGRAPH, chart_title(chart))
            self._add_table(chart_rows(chart))

    def _add_table(self, rows: Iterable[Sequence[str]]) -> None:
        filled = [row for row in rows if any(cell.strip() for cell in row)]
        if filled:
            self._ensure_heading()
            add_table(self.builder, filled, page=self.page)

    def _in_order(self, tree: etree._Element) -> Iterator[etree._Element]:
        placed = [(*self.styles.position(s), s) for s in _shapes(tree) if self._is_shown(s)]
        return reading_order(placed, _SAME_ROW_EMU)

    def _is_shown(self, shape: etree._Element) -> bool:
        return self.include_hidden or attribute(_naming(shape), "hidden") not in _TRUE


def _shapes(tree: etree._Element) -> Iterator[etree._Element]:
    for element in tree:
        name = local_name(element)
        if name == "AlternateContent":
            chosen = choice(element)
            yield from _shapes(chosen) if chosen is not None else ()
        elif name in _SHAPES:
            yield element


def _elements(shape: etree._Element) -> list[etree._Element]:
    body = child(shape, "txBody")
    return [e for e in children(body) if local_name(e) == "p"]


def _paragraphs(shape: etree._Element) -> list[str]:
    return [paragraph_text(paragraph) for paragraph in _elements(shape)]


def _is_short(words: str) -> bool:
    return len(words.strip()) <= _MAX_TITLE_CHARACTERS and "\n" not in words.strip()


def _table_rows(table: etree._Element) -> Iterator[list[str]]:
    for row in table:
        if local_name(row) == "tr":
            yield ["\n".join(_paragraphs(cell)) for cell in row if local_name(cell) == "tc"]


def _naming(shape: etree._Element) -> etree._Element | None:
    """The `cNvPr` of a shape."""
    for settings in shape:
        if local_name(settings).startswith("nv"):
            return child(settings, "cNvPr")
    return None


def _alt_text(picture: etree._Element) -> str:
    """What stands for a picture when it cannot be seen."""
    words = _MACHINE_NOTE.sub("", attribute(_naming(picture), "descr")).strip()
    return "" if _GENERATED_ALT_TEXT.fullmatch(words) else words
