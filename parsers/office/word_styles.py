"""What the styles of a Word document make of a paragraph: a heading, a list item, hidden text."""

import re
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.zipped_xml import attribute, child, children, local_name

MAX_LEVEL: Final = 6
_BODY_LEVEL: Final = 9
"""The outline level of text that is no heading."""
_MAX_CHAIN: Final = 32
"""Styles that a style is based on, one on the other; deeper ones count for nothing."""
_HEADING_NAME: Final = re.compile(
    r"(?:heading|überschrift|titre|título|titolo|titulo|kop|rubrik|overskrift|otsikko|nagłówek"
    r"|nadpis|címsor|заголовок|επικεφαλίδα|başlık|標題|标题|見出し|제목)\s*([1-9])",
    re.I,
)
"""Word names its own styles in English in every language; other programs do not."""
_LIST_NAME: Final = re.compile(r"list (?:bullet|number)", re.I)
_FALSE: Final = ("0", "false", "off", "none")


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says, with what it is based on."""

    level: int = 0
    """Of a heading, 1 to 6; 0 for other text."""
    is_list: bool = False
    is_hidden: bool = False


_PLAIN: Final = Style()


class Styles:
    """The styles of a document, by their id."""

    def __init__(self, root: etree._Element | None) -> None:
        elements = [e for e in children(root) if local_name(e) == "style"]
        self._elements = {attribute(e, "styleId"): e for e in elements}
        self._known: dict[str, Style] = {}
        self._default = next(
            (
                attribute(e, "styleId")
                for e in elements
                if attribute(e, "type") == "paragraph" and attribute(e, "default") in ("1", "true")
            ),
            "",
        )

    def of_paragraph(self, properties: etree._Element | None) -> Style:
        """What the `pPr` of a paragraph comes to, its own settings before those of its style."""
        stated = child(properties, "pStyle")
        style = self._style(attribute(stated, "val") if stated is not None else self._default)
        level = _outline_level(properties)
        numbered = _is_numbered(properties)
        return Style(
            style.level if level is None else level,
            style.is_list if numbered is None else numbered,
            style.is_hidden,
        )

    def is_hidden(self, properties: etree._Element | None) -> bool:
        """Whether the `rPr` of a run hides it."""
        stated = _is_vanished(properties)
        if stated is not None:
            return stated
        return self._style(attribute(child(properties, "rStyle"), "val")).is_hidden

    def _style(self, style_id: str) -> Style:
        if style_id not in self._known:
            self._known[style_id] = self._resolved(style_id)
        return self._known[style_id]

    def _resolved(self, style_id: str) -> Style:
        level: int | None = None
        numbered: bool | None = None
        vanished: bool | None = None
        for element in self._chain(style_id):
            properties = child(element, "pPr")
            level = _level_of_style(element, properties) if level is None else level
            numbered = _numbered_style(element, properties) if numbered is None else numbered
            vanished = _is_vanished(child(element, "rPr")) if vanished is None else vanished
        if not level and not numbered and not vanished:
            return _PLAIN
        return Style(level or 0, bool(numbered), bool(vanished))

    def _chain(self, style_id: str) -> list[etree._Element]:
        found: list[etree._Element] = []
        while style_id in self._elements and len(found) < _MAX_CHAIN:
            element = self._elements[style_id]
            if element in found:
                break
            found.append(element)
            style_id = attribute(child(element, "basedOn"), "val")
        return found


def _level_of_style(element: etree._Element, properties: etree._Element | None) -> int | None:
    name = attribute(child(element, "name"), "val").strip()
    if match := _HEADING_NAME.fullmatch(name):
        return min(int(match.group(1)), MAX_LEVEL)
    if name.lower() == "title":
        return 1
    return _outline_level(properties)


def _outline_level(properties: etree._Element | None) -> int | None:
    stated = attribute(child(properties, "outlineLvl"), "val")
    if not stated.isdecimal():
        return None
    return 0 if int(stated) >= _BODY_LEVEL else min(int(stated) + 1, MAX_LEVEL)


def _numbered_style(element: etree._Element, properties: etree._Element | None) -> bool | None:
    if _LIST_NAME.match(attribute(child(element, "name"), "val")):
        return True
    return _is_numbered(properties)


def _is_numbered(properties: etree._Element | None) -> bool | None:
    stated = attribute(child(properties, "numPr", "numId"), "val")
    return stated != "0" if stated else None


def _is_vanished(properties: etree._Element | None) -> bool | None:
    stated = child(properties, "vanish")
    return None if stated is None else attribute(stated, "val", "true").lower() not in _FALSE
