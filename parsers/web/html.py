"""HTML: the content of a page as its readers see it, without its menus."""

import codecs
import re
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Final

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder, clean_text
from parsers.text_encoding import decode
from parsers.web.blocks import VERSION as BLOCKS_VERSION
from parsers.web.blocks import add_tree
from parsers.web.tree import Element, parse_markup

NAME: Final = "html"
VERSION: Final = f"2+{BLOCKS_VERSION}"

_DECLARED_ENCODING: Final = re.compile(
    rb"(?:<meta[^>]+charset|<\?xml[^>]+encoding)\s*=\s*[\"']?\s*([\w:.-]+)", re.I
)
_DECLARATIONS_END: Final = 4_096
"""Bytes; browsers look at the first 1,024."""
_BROWSER_ENCODINGS: Final = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
}
"""What browsers take a declared encoding for: a larger one, that pages really use."""
_LATIN_GUESSES: Final = frozenset(
    ("cp1250", "cp1254", "cp1257", "cp437", "cp775", "cp850", "cp852", "cp858", "iso8859_2",
     "iso8859_3", "iso8859_4", "iso8859_9", "iso8859_10", "iso8859_13", "iso8859_14",
     "iso8859_15", "iso8859_16", "latin_1", "mac_latin2", "mac_roman", "mac_turkish")
)  # fmt: skip
"""What detection takes short Western texts for."""
_EASTERN_PAGE: Final = re.compile(
    rb"<html[^>]+lang=[\"']?(?:cs|et|hr|hu|lt|lv|pl|ro|sk|sl|tr)\b", re.I
)
_SIGN_IN_WORD: Final = re.compile(r"[a-z][¡-¿×÷‚„†‡‰‹›•™][a-z]")
"""A text that was not written in Windows-1252 has such words in it."""
_ESCAPING: Final = ("iso2022", "hz")
"""Encodings whose bytes are all ASCII too."""
_MAX_BROKEN_SHARE: Final = 0.02
"""Of the bytes beyond ASCII: what damage and mixed sources leave in an encoding that is right."""

_MAX_TITLE: Final = 1_000
"""Characters."""
_PROPERTIES: Final = {
    "author": ("author", "article:author", "dc.creator", "dcterms.creator"),
    "description": ("description", "og:description", "dc.description"),
    "published": ("article:published_time", "datepublished", "dcterms.created", "dc.date", "date"),
    "modified": ("article:modified_time", "datemodified", "dcterms.modified", "last-modified"),
    "keywords": ("keywords",),
    "site_name": ("og:site_name",),
}
"""Property to the names under which pages give it, the best first."""
_DATES: Final = frozenset({"published", "modified"})


def parse(task: ParseTask) -> ParsedDocument:
    markup = _characters(task.data)
    builder = TextBuilder()
    tree = parse_markup(markup)
    title, language, properties = "", "und", dict[str, str]()
    if tree is not None:
        title, language, properties = _title(tree), _language(tree), _properties(tree)
        add_tree(builder, tree, main_content=True)
    first_heading = next((b.label for b in builder.blocks if b.kind is BlockKind.HEADING), "")
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=title or first_heading,
        language=language,
        properties=properties,
    )


def _characters(data: bytes) -> str:
    """A mark at the start decides, then sound UTF-8, then what the page declares, if it fits."""
    declared = _declared(data)
    if declared is not None and not declared.startswith(_ESCAPING):
        declared = None if _is_utf(data) else declared
    if declared is None:
        return _guessed(data)
    try:
        characters = data.decode(declared, "replace")
    except (LookupError, UnicodeError):
        return _guessed(data)  # A codec of Python's that is no encoding of text.
    n_beyond_ascii = sum(byte > 0x7F for byte in data[: 1 << 20])
    n_broken = characters.count("\ufffd")
    return characters if n_broken <= _MAX_BROKEN_SHARE * n_beyond_ascii else _guessed(data)


def _guessed(data: bytes) -> str:
    """As `decode`, but what looks Western is in the encoding that browsers take without a word."""
    characters, encoding = decode(data)
    if encoding not in _LATIN_GUESSES or _EASTERN_PAGE.search(data[:_DECLARATIONS_END]):
        return characters
    western = data.decode("cp1252", "replace")
    return characters if _SIGN_IN_WORD.search(western) else western


def _declared(data: bytes) -> str | None:
    """The codec for the encoding that the page declares; None if there is none."""
    match = _DECLARED_ENCODING.search(data[:_DECLARATIONS_END])
    if match is None:
        return None
    try:
        name = codecs.lookup(match.group(1).decode("ascii", "replace")).name
    except LookupError:
        return None
    return None if name.startswith("utf") else _BROWSER_ENCODINGS.get(name, name)


def _is_utf(data: bytes) -> bool:
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _title(tree: Element) -> str:
    head = tree.find("head")
    title = None if head is None else head.findtext("title")
    return (_folded(title) or _metadata(tree).get("og:title", ""))[:_MAX_TITLE]


def _language(tree: Element) -> str:
    declared = tree.get("lang") or tree.get("{http://www.w3.org/XML/1998/namespace}lang")
    language = (declared or "").strip().split("-")[0].lower()
    return language if re.fullmatch("[a-z]{2}", language) else "und"


def _properties(tree: Element) -> dict[str, str]:
    metadata = _metadata(tree)
    properties = {}
    for name, sources in _PROPERTIES.items():
        values = (metadata.get(source, "") for source in sources)
        value = next((value for value in values if value and not _is_address(value)), "")
        if name in _DATES:
            value = _iso_date(value)
        if value:
            properties[name] = value
    for link in tree.iter("link"):
        if (link.get("rel") or "").lower() == "canonical" and _folded(link.get("href")):
            properties["canonical_url"] = _folded(link.get("href"))
    return properties


def _metadata(tree: Element) -> dict[str, str]:
    """The page's `meta` elements by their name in lower case; the first of a name counts."""
    metadata: dict[str, str] = {}
    for element in tree.iter("meta"):
        names = (element.get(key) for key in ("name", "property", "itemprop", "http-equiv"))
        name = next(filter(None, names), "").strip().lower()
        value = _folded(element.get("content"))
        if name and value:
            metadata.setdefault(name, value)
    return metadata


def _is_address(value: str) -> bool:
    return value.startswith(("http://", "https://"))


def _iso_date(value: str) -> str:
    """The date or time in ISO 8601; empty where it is written in a way that is not known."""
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        with suppress(ValueError):
            moment = read(value)
            return (moment if len(value) > 10 else moment.date()).isoformat()
    return ""


def _folded(text: str | None) -> str:
    return " ".join(clean_text(text or "").split())
