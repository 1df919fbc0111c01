"""What a slide takes over from its layout and its master: places, and which text is a list."""

from collections.abc import Iterator
from typing import Final

from lxml import etree

from parsers.zipped_xml import attribute, child, children, local_name

_BULLETS: Final = {"buNone": False, "buChar": True, "buAutoNum": True, "buBlip": True}
_BODY_KINDS: Final = ("body", "obj")
_SHAPES: Final = "{*}sp"


def placeholder(shape: etree._Element) -> etree._Element | None:
    """The `ph` of a shape; None if it is no placeholder."""
    for settings in shape:
        if local_name(settings).startswith("nv"):
            return child(settings, "nvPr", "ph")
    return None


def placeholder_kind(shape: etree._Element) -> str:
    """`title`, `body`, `sldNum`, …; `obj` where it says none; empty if it is no placeholder."""
    found = placeholder(shape)
    return "" if found is None else attribute(found, "type", "obj")


class InheritedStyles:
    """Of the placeholders of one slide."""

    def __init__(self, layout: etree._Element | None, master: etree._Element | None) -> None:
        self._layout = list(layout.iter(_SHAPES)) if layout is not None else []
        self._master = list(master.iter(_SHAPES)) if master is not None else []
        self._body_style = child(master, "txStyles", "bodyStyle")

    def position(self, shape: etree._Element) -> tuple[int, int]:
        """Its top and left edge in English metric units, 914,400 to the inch; 0 if unknown."""
        for candidate in self._lineage(shape):
            offset = _offset(candidate)
            if offset is not None:
                return _number(offset, "y"), _number(offset, "x")
        return 0, 0

    def is_listed(self, shape: etree._Element, paragraph: etree._Element) -> bool:
        """Whether a bullet or a number stands before a paragraph of `shape`."""
        properties = child(paragraph, "pPr")
        level = f"lvl{_number(properties, 'lvl') + 1}pPr"
        styles = [child(s, "txBody", "lstStyle", level) for s in self._lineage(shape)]
        if placeholder_kind(shape) in _BODY_KINDS:
            styles.append(child(self._body_style, level))
        for settings in (properties, *styles):
            for element in children(settings):
                if local_name(element) in _BULLETS:
                    return _BULLETS[local_name(element)]
        return False

    def _lineage(self, shape: etree._Element) -> Iterator[etree._Element]:
        """The shape, and the placeholders of layout and master that it fills."""
        yield shape
        stated = placeholder(shape)
        if stated is None:
            return
        kind = placeholder_kind(shape)
        for layer, index in ((self._layout, attribute(stated, "idx")), (self._master, "")):
            found = _matching(layer, kind, index)
            if found is not None:
                yield found
                kind = placeholder_kind(found)


def _matching(layer: list[etree._Element], kind: str, index: str) -> etree._Element | None:
    """By its number, which master and layout do not share, else by its kind."""
    same_kind = None
    for shape in layer:
        stated = placeholder(shape)
        if stated is None:
            continue
        if index and attribute(stated, "idx") == index:
            return shape
        if same_kind is None and _is_of_kind(placeholder_kind(shape), kind):
            same_kind = shape
    return same_kind


def _is_of_kind(found: str, wanted: str) -> bool:
    """A master has one `title` and one `body`, which all their variants come from."""
    titles = ("title", "ctrTitle")
    bodies = (*_BODY_KINDS, "subTitle")
    return found == wanted or any(found in k and wanted in k for k in (titles, bodies))


def _offset(shape: etree._Element) -> etree._Element | None:
    for settings in shape:
        name = local_name(settings)
        if name == "xfrm":
            return child(settings, "off")
        if name in ("spPr", "grpSpPr"):
            return child(settings, "xfrm", "off")
    return None


def _number(element: etree._Element | None, name: str) -> int:
    stated = attribute(element, name)
    return int(stated) if stated.lstrip("-").isdecimal() else 0
