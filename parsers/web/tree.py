"""From HTML markup to a tree of elements, whatever state the markup is in."""

import re
from collections import Counter
from typing import Final, TypeAlias

from lxml import etree

from parsers.errors import Corrupt

Element: TypeAlias = etree._Element

INLINE: Final = frozenset(
    (
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "button", "cite", "code", "data", "del",
        "dfn", "em", "font", "i", "img", "input", "ins", "kbd", "label", "mark", "math", "meter",
        "nobr", "output", "picture", "progress", "q", "rb", "rp", "rt", "ruby", "s", "samp",
        "small", "span", "strike", "strong", "sub", "sup", "svg", "time", "tt", "u", "var", "wbr",
    )
)  # fmt: skip
"""Elements that do not break the line. Custom elements do: most stand for a box of their own."""
_VOID: Final = frozenset(
    (
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param",
        "source", "track", "wbr",
    )
)  # fmt: skip
_MAX_DEPTH: Final = 1_000
"""libxml2 gives up at 2,048, and adds elements that the markup leaves out."""
_XHTML_START: Final = re.compile(r"\s*<\?xml\b|.{0,2000}?http://www\.w3\.org/1999/xhtml", re.S)
_SELF_CLOSED: Final = re.compile(r"<([a-zA-Z][\w:-]*)((?:\s[^<>]*)?)/>")
_LONG_TAG: Final = re.compile(r"<[a-zA-Z][^<>]{100000,}>")
_LONG_VALUE: Final = re.compile(r"\"[^\"]{1000,}\"|'[^']{1000,}'")
_PAGE_END: Final = re.compile(r"</(?:html|body)\s*>", re.I)
"""libxml2 drops what stands behind it, where browsers go on."""
_TAG: Final = re.compile(r"<(/?)([a-zA-Z][^\s/<>]*)([^<>]*)>")
_HIDING: Final = re.compile(r"hidden|none|visibility|opacity|size\s*:|position|indent", re.I)


def parse_markup(markup: str) -> Element | None:
    """The `html` element of a page or fragment; None where `markup` has no element and no text.

    Raises:
        Corrupt: It is nested far deeper than any document.
    """
    plain = _PAGE_END.sub("", _without_long_tags(markup.replace("\x00", "")))
    if _XHTML_START.match(plain):
        plain = _SELF_CLOSED.sub(_opened_and_closed, plain)
    tree, too_deep = _parsed(plain)
    if too_deep:
        tree, too_deep = _parsed(_shallow(plain))
    if too_deep:
        raise Corrupt(f"HTML is nested deeper than {_MAX_DEPTH} elements")
    return tree


def _parsed(markup: str) -> tuple[Element | None, bool]:
    """The tree, and whether libxml2 met one of its limits, at which it drops what follows."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=True
    )
    try:
        tree = etree.fromstring(markup.encode("utf-8", "replace"), parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        return None, False  # Nothing in it but comments or processing instructions.
    return tree, any(entry.type_name == "ERR_RESOURCE_LIMIT" for entry in parser.error_log)


def _without_long_tags(markup: str) -> str:
    """Pictures inside attributes say nothing; many thousand attributes take libxml2 for ever."""
    return _LONG_TAG.sub(_shortened, markup)


def _shortened(match: re.Match[str]) -> str:
    tag = _LONG_VALUE.sub('""', match.group())
    return tag if len(tag) < 10_000 else f"<{tag[1:100].split()[0].rstrip('>')}>"


def _opened_and_closed(match: re.Match[str]) -> str:
    """In XHTML `<title/>` is empty; to an HTML parser it holds all the rest."""
    name, attributes = match.groups()
    if name.lower() in _VOID:
        return match.group()
    return f"<{name}{attributes}></{name}>"


def _shallow(markup: str) -> str:
    """Markup without the tags below `_MAX_DEPTH`, but for those that may hide something."""
    depth, left_out = 0, Counter[str]()

    def kept(match: re.Match[str]) -> str:
        nonlocal depth
        closing, name, attributes = match.group(1), match.group(2).lower(), match.group(3)
        if name in _VOID:
            return match.group()
        if closing and left_out[name]:
            left_out[name] -= 1
        elif closing:
            depth = max(0, depth - 1)
            return match.group()
        elif depth < _MAX_DEPTH or _HIDING.search(attributes):
            depth += 1
            return match.group()
        else:
            left_out[name] += 1
        return "" if name in INLINE else "<hr>"

    return _TAG.sub(kept, markup)


def breaks_line(element: Element) -> bool:
    """Whether `element` starts a line of its own. Office's own elements (`o:p`) do not."""
    return element.tag not in INLINE and ":" not in element.tag and element.tag != "br"
