"""What elements inside a line of HTML say besides their text: pictures, formulas, footnotes."""

import re
from typing import Final

from lxml import etree

from parsers.web.tree import Element

_FILE_NAME: Final = re.compile(r"\S+\.(?:png|jpe?g|gif|svg|webp|bmp|tiff?|ico)", re.I)
_NUMBER: Final = re.compile(r"[−+-]?\d{1,4}")
_LINES: Final = frozenset({"div", "p", "li", "tr"})
_SPACE: Final = re.compile(r"\s+")


def folded(text: str | None) -> str:
    """Text as a browser shows it: any white space is one space."""
    return _SPACE.sub(" ", text) if text else ""


def opening_words(element: Element, before: str) -> str:
    """What `element` shows before its text.

    Args:
        element: Any element.
        before: The text to its left, for what depends on that.
    """
    match element.tag:
        case "br":
            return "\n"
        case "img":
            return f" {_alternative(element)} "
        case "q":
            return "“"
        case "input" if element.get("type") == "checkbox":
            return "[x] " if element.get("checked") is not None else "[ ] "
        case "sup":
            return _before_raised(element, before)
        case "a" if before[-1:].isalnum() and _follows_link(element):
            return " "
    return ""


def closing_words(element: Element) -> str:
    """What `element` shows behind its text."""
    if element.tag == "q":
        return "”"
    return "]" if element.tag == "sup" and _is_footnote(element) else ""


def formula(math: Element) -> str:
    """TeX where the page has it, else the letters in their order."""
    for annotation in math.iter("annotation"):
        if annotation.get("encoding") == "application/x-tex" and annotation.text:
            return folded(annotation.text).strip()
    return folded(math.get("alttext") or " ".join(math.itertext())).strip()


def preformatted(element: Element) -> str:
    """The text of a `pre` with its line breaks, whether they are characters or elements."""
    parts: list[str] = []
    for event, part in etree.iterwalk(element, events=("start", "end")):
        if event == "start":
            parts += ("\n" if part.tag == "br" else "", part.text or "")
            continue
        if part.tag in _LINES and part is not element and not "".join(parts[-3:]).endswith("\n"):
            parts.append("\n")
        parts.append(part.tail or "" if part is not element else "")
    return "\n".join(line.rstrip() for line in "".join(parts).split("\n"))


def _alternative(picture: Element) -> str:
    words = folded(picture.get("alt")).strip()
    return "" if _FILE_NAME.fullmatch(words) else words


def _before_raised(element: Element, before: str) -> str:
    """10<sup>6</sup> is not 106, and a word with footnote 1 does not end in a 1."""
    if _is_footnote(element):
        return " ["
    is_power = len(element) == 0 and _NUMBER.fullmatch(element.text or "") is not None
    return "^" if is_power and before[-1:].isalnum() else ""


def _is_footnote(element: Element) -> bool:
    return (
        len(element) == 1
        and element[0].tag == "a"
        and _NUMBER.fullmatch(element[0].text or "") is not None
    )


def _follows_link(element: Element) -> bool:
    """Links that stand one against the other in the markup are set apart by the style sheet."""
    neighbour = element.getprevious()
    return neighbour is not None and neighbour.tag == "a" and not neighbour.tail
