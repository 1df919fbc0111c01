"""XML and SVG as text: titles as headings at the depth of what they name, tables, prose, values.

It knows no single format, only what those for documents share: a title or head stands in the part
that it names. Entities are neither fetched nor expanded but kept as they are written.
"""

import re
from itertools import islice
from typing import Final

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt
from parsers.media_type import SVG
from parsers.plain.xml_words import XmlWords, local_name
from parsers.text_encoding import decode
from parsers.web.blocks import VERSION as BLOCKS_VERSION

NAME: Final = "xml"
VERSION: Final = f"1+{BLOCKS_VERSION}"

_MALFORMED: Final = (etree.XMLSyntaxError, ValueError, LookupError)
_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_LANGUAGE: Final = "{http://www.w3.org/XML/1998/namespace}lang"
_ENTITY: Final = "entity"
_MAX_INLINE_ELEMENTS: Final = 100
"""What has text between its elements and more of them than this is no sentence."""
_TITLES: Final = frozenset({"title", "head", "heading", "headline", "h1", "h2", "h3", "h4", "h5"})
_TABLES: Final = frozenset({"table", "informaltable", "tgroup"})
_SVG_PARTS: Final = frozenset({"title", "desc", "text"})


def parse(task: ParseTask) -> ParsedDocument:
    root = _with_entities(_root(task.data))
    words = XmlWords()
    _walk(root, words, drawing=task.media_type == SVG or local_name(root) == "svg")
    blocks = words.builder.blocks
    language = (root.get(_LANGUAGE) or root.get("lang") or "").split("-")[0].lower()
    return ParsedDocument(
        text=words.builder.text,
        blocks=tuple(blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=next((block.label for block in blocks if block.kind is BlockKind.HEADING), ""),
        language=language if re.fullmatch("[a-z]{2}", language) else "und",
    )


def _root(data: bytes) -> etree._Element:
    try:
        return etree.fromstring(data.strip(), _parser())
    except _MALFORMED as error:
        first = error
    try:
        # Mostly it is sound but for the encoding that it claims.
        characters = _DECLARATION.sub("", decode(data)[0].lstrip("\ufeff"))
        return etree.fromstring(characters.strip().encode(), _parser())
    except _MALFORMED:
        detail = f"xml: {type(first).__name__} at line {getattr(first, 'lineno', None) or 1}"
        raise Corrupt(detail) from first


def _with_entities(root: etree._Element) -> etree._Element:
    """The document with elements for its entities, which hold the entities as they are written."""
    for entity in list(root.iter(etree.Entity)):
        shown = etree.Element(_ENTITY)
        shown.text, shown.tail = entity.text, entity.tail
        entity.getparent().replace(entity, shown)
    return root


def _parser() -> etree.XMLParser:
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )


def _walk(root: etree._Element, words: XmlWords, *, drawing: bool) -> None:
    walk = etree.iterwalk(root, events=("start", "end"))
    for event, element in walk:
        if event == "start":
            if _take(element, words, drawing=drawing):
                walk.skip_subtree()
        else:
            words.leave(element, with_text=not drawing)


def _take(element: etree._Element, words: XmlWords, *, drawing: bool) -> bool:
    """Write what stands in an element; whether that is all that there is below it."""
    name = local_name(element)
    if drawing and name not in _SVG_PARTS:
        words.enter(element, with_text=False)
        return False
    if name in _TITLES and words.is_inside:
        words.add_title(element)
        return True
    if name in _TABLES and words.add_table(element):
        return True
    if _is_sentence(element):
        words.add_sentence(element)
        return True
    words.enter(element, with_text=True)
    return False


def _is_sentence(element: etree._Element) -> bool:
    """Whether it holds words, and elements only between them."""
    if len(element) == 0:
        return True
    has_entity = any(child.tag == _ENTITY for child in element)
    texts = [element.text, *(child.tail for child in element)]
    if not has_entity and not any(text and text.strip() for text in texts):
        return False
    return sum(1 for _ in islice(element.iter(), _MAX_INLINE_ELEMENTS + 1)) <= _MAX_INLINE_ELEMENTS
