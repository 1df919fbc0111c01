"""What the styles of an OpenDocument file make of a paragraph or a slide."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lxml import etree

from parsers.zipped_xml import attribute, child, children, local_name

_MAX_LEVEL: Final = 6
_MAX_CHAIN: Final = 32
"""Styles that a style is based on, one on the other; deeper ones count for nothing."""
_TITLE_NAMES: Final = ("Title", "Heading_20_Title")
_HEADING_NAME: Final = re.compile(r"Heading(?:_20_|\s)?([1-9])")


@dataclass(frozen=True, slots=True)
class Style:
    """What a style says, with what it is based on."""

    level: int = 0
    """Of a heading, 1 to 6; 0 for other text."""
    is_hidden: bool = False


class Styles:
    """The styles of a document, its own and those that editing made, by family and name."""

    def __init__(self, *roots: etree._Element | None) -> None:
        self._elements = {
            (attribute(style, "family"), attribute(style, "name")): style
            for root in roots
            for group in ("styles", "automatic-styles")
            for style in children(child(root, group))
            if local_name(style) == "style"
        }
        self._known: dict[tuple[str, str], Style] = {}

    def of(self, family: str, name: str) -> Style:
        """A style of a family: `paragraph`, `text`, `drawing-page`, …"""
        if (family, name) not in self._known:
            self._known[family, name] = self._resolved(family, name)
        return self._known[family, name]

    def _resolved(self, family: str, name: str) -> Style:
        chain = list(self._chain(family, name))
        levels = (_level(style_name, element) for style_name, element in chain)
        return Style(
            next((level for level in levels if level is not None), 0),
            any(_is_hidden(element) for _, element in chain),
        )

    def _chain(self, family: str, name: str) -> Iterator[tuple[str, etree._Element | None]]:
        for _ in range(_MAX_CHAIN):
            if not name:
                return
            element = self._elements.get((family, name))
            yield name, element
            name = attribute(element, "parent-style-name")


def outline_level(element: etree._Element | None, name: str) -> int | None:
    """A level that an element states, at most 6."""
    stated = attribute(element, name)
    return min(int(stated), _MAX_LEVEL) if stated.isdecimal() else None


def _level(name: str, element: etree._Element | None) -> int | None:
    if match := _HEADING_NAME.fullmatch(name):
        return min(int(match.group(1)), _MAX_LEVEL)
    if name in _TITLE_NAMES:
        return 1
    return outline_level(element, "default-outline-level")


def _is_hidden(style: etree._Element | None) -> bool:
    hidden_text = attribute(child(style, "text-properties"), "display") == "none"
    page = child(style, "drawing-page-properties")
    return hidden_text or attribute(page, "visibility") == "hidden"
