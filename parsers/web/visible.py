"""What of an HTML page nobody sees: it is blanked before the page is read."""

import re
from typing import Final

from parsers.web.tree import Element

_NEVER_SHOWN: Final = frozenset(
    (
        "audio", "canvas", "datalist", "desc", "embed", "frame", "iframe", "metadata",
        "noframes", "noscript", "object", "script", "select", "style", "template", "title",
        "video", "xml",
    )
)  # fmt: skip
_PERMALINKS: Final = frozenset({"¶", "#", "§", "\U0001f517", "\uf0c1", "\uf0c6"})
_DECLARATION: Final = re.compile(r"([a-z-]+)\s*:\s*([^;]*)")
_LENGTH: Final = re.compile(r"(-?[\d.]+)\s*([a-z%]*)")
_MAX_INVISIBLE_SIZE: Final = 2.0
"""Pixels or points."""
_OFF_SCREEN: Final = -900.0
"""Pixels; no part of a page that is read lies so far out."""
_GONE: Final = {
    "display": ("none",),
    "visibility": ("hidden", "collapse"),
    "opacity": ("0", "0.0", "0%"),
    "mso-hide": ("all",),
    "clip-path": ("inset(50%)", "inset(100%)", "circle(0)"),
}
_SAME_COLOUR: Final = {"#fff": "white", "#ffffff": "white", "#000": "black", "#000000": "black"}


def blank_unseen(tree: Element) -> None:
    """Empty the elements of `tree` that a browser doesn't show.

    Style sheets are not read: pages hide with them what appears at a click.
    """
    page = {tree, *tree.findall("body")}
    around_content = ancestors(tree, "main", "article", "h1")
    for element in list(tree.iter()):
        if element in page:
            continue
        style = _declarations(element)
        # While a dialog is open, all that lies behind it is hidden from screen readers.
        is_for_the_eye = _is_aria_hidden(element) and element not in around_content
        if is_for_the_eye or _is_unseen(element) or _is_styled_away(style):
            blank(element)
        elif style and _is_tiny(style):
            _blank_tiny(element)


def blank(element: Element) -> None:
    """Take out all that is in `element`; what stands behind it remains."""
    element.clear(keep_tail=True)


def ancestors(tree: Element, *names: str) -> set[Element]:
    """All elements of `tree` that an element with one of these names is in."""
    found: set[Element] = set()
    for element in tree.iter(*names):
        for ancestor in element.iterancestors():
            if ancestor in found:
                break
            found.add(ancestor)
    return found


def _is_aria_hidden(element: Element) -> bool:
    is_formula = "mwe-math" in (element.get("class") or "")
    return not is_formula and (element.get("aria-hidden") or "").lower() == "true"


def _is_unseen(element: Element) -> bool:
    if element.tag in _NEVER_SHOWN:
        return True
    if (element.get("hidden", "shown")).lower() not in ("shown", "until-found", "false"):
        return True
    match element.tag:
        case "dialog":
            return element.get("open") is None
        case "button":
            return element.get("aria-expanded") is None and element.getparent().tag[:1] != "h"
        case "a":
            return len(element) == 0 and (element.text or "").strip() in _PERMALINKS
    return False


def _declarations(element: Element) -> dict[str, str]:
    style = element.get("style")
    if not style:
        return {}
    pairs = _DECLARATION.findall(style[:2_000].lower())
    return {name: value.replace("!important", "").strip() for name, value in pairs}


def _is_styled_away(style: dict[str, str]) -> bool:
    return bool(style) and (
        any(style.get(name) in values for name, values in _GONE.items())
        or _is_off_screen(style)
        or _is_clipped(style)
        or _is_camouflaged(style)
    )


def _is_off_screen(style: dict[str, str]) -> bool:
    if _pixels(style.get("text-indent")) < _OFF_SCREEN:
        return True
    edges = ("left", "top", "right", "bottom", "margin-left", "margin-top")
    is_moved = style.get("position") in ("absolute", "fixed") or "margin" in "".join(style)
    return is_moved and any(_pixels(style.get(edge)) < _OFF_SCREEN for edge in edges)


def _is_clipped(style: dict[str, str]) -> bool:
    if style.get("clip", "").replace(" ", "").startswith(("rect(0", "rect(1px")):
        return True
    sizes = (style.get("height"), style.get("width"), style.get("max-height"))
    is_cut = style.get("overflow") == "hidden"
    return is_cut and any(size and abs(_pixels(size)) <= 1 for size in sizes)


def _is_camouflaged(style: dict[str, str]) -> bool:
    background = style.get("background-color") or style.get("background", "")
    colours = [style.get("color", ""), background]
    colour, behind = [_SAME_COLOUR.get(value, value) for value in colours]
    return bool(colour) and (colour == behind or colour == "transparent")


def _is_tiny(style: dict[str, str]) -> bool:
    size = _LENGTH.match(style.get("font-size", ""))
    if size is None:
        return False
    number, unit = _number(size.group(1)), size.group(2)
    return number == 0 or (unit in ("px", "pt") and number <= _MAX_INVISIBLE_SIZE)


def _blank_tiny(element: Element) -> None:
    """Newsletters set the size of a frame to nothing, and in it give the words one of their own."""
    open_elements = [element]
    while open_elements:
        parent = open_elements.pop()
        parent.text = None
        for child in parent:
            child.tail = None
            if "font-size" not in _declarations(child) and child.tag != "font":
                open_elements.append(child)


def _pixels(length: str | None) -> float:
    """A length in pixels, as far as it can be told from one number; 99 for anything else."""
    match = _LENGTH.fullmatch(length or "")
    if match is None:
        return 99.0
    number, unit = _number(match.group(1)), match.group(2)
    return number * {"em": 16, "rem": 16, "vw": 10, "vh": 10, "%": 10}.get(unit, 1)


def _number(digits: str) -> float:
    try:
        return float(digits)
    except ValueError:
        return 99.0
