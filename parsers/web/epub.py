"""EPUB: the chapters of an e-book in the order of its spine.

The table of contents is left out; a chapter without a heading of its own takes its name from there.
"""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder
from parsers.errors import Corrupt, Encrypted
from parsers.office.properties import best_title, without_blanks
from parsers.text_encoding import decode
from parsers.web.blocks import VERSION as HTML_VERSION
from parsers.web.blocks import add_html
from parsers.zipped_xml import Archive, attribute, child, children, local_name

NAME: Final = "epub"
VERSION: Final = f"1+{HTML_VERSION}"

_CHAPTER_TYPES: Final = ("application/xhtml+xml", "text/html", "application/x-dtbook+xml")
_FONT_SCRAMBLING: Final = ("http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC")
"""Ways to keep fonts from being copied. They leave the text open."""
_NCX: Final = "application/x-dtbncx+xml"
_DECLARATION: Final = re.compile(r"^\s*<\?xml\b[^>]{0,200}\?>")
_ENCODING: Final = re.compile(rb"\s*<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"']([\w.-]{1,40})[\"']")
_HEADING: Final = re.compile(r"<h[1-6][\s>]", re.I)
_LANGUAGE: Final = re.compile(r"([a-z]{2})(?:[-_].*)?", re.I | re.S)
_TEXTS: Final = {"creator": "author", "publisher": "publisher", "subject": "subject"}
_DATES: Final = {"date": "published", "dcterms:modified": "modified"}


@dataclass(frozen=True, slots=True)
class _Item:
    """A file of the book, as its manifest lists it."""

    path: str
    media_type: str
    properties: str


def parse(task: ParseTask) -> ParsedDocument:
    archive = Archive(task.data, task.options)
    _check_open(archive)
    package_path = _package_path(archive)
    package = archive.xml(package_path)
    items = _manifest(package, posixpath.dirname(package_path))
    labels = _labels(archive, items)
    builder = TextBuilder()
    for item in _spine(package, items):
        _add_chapter(builder, _characters(archive.read(item.path)), labels.get(item.path, ""))
    stated = _metadata(package)
    title = next(iter(stated.get("title", [])), "")
    language = _LANGUAGE.fullmatch("".join(stated.get("language", [])[:1]))
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=best_title(title, builder.blocks),
        language=language.group(1).lower() if language else "und",
        properties=_properties(stated),
    )


def _check_open(archive: Archive) -> None:
    """Ask whether more than fonts is encrypted.

    Raises:
        Encrypted: It is.
    """
    root = archive.xml("META-INF/encryption.xml")
    for method in root.iter("{*}EncryptedData") if root is not None else ():
        if attribute(child(method, "EncryptionMethod"), "Algorithm") not in _FONT_SCRAMBLING:
            raise Encrypted("an e-book with digital rights management")


def _package_path(archive: Archive) -> str:
    container = archive.xml("META-INF/container.xml")
    stated = attribute(child(container, "rootfiles", "rootfile"), "full-path")
    others = (name for name in archive.names() if name.lower().endswith(".opf"))
    path = next((name for name in (stated, *others) if name and name in archive), "")
    if not path:
        raise Corrupt("no package document in it")
    return path


def _manifest(package: etree._Element | None, folder: str) -> dict[str, _Item]:
    """The files of the book by their id."""
    listed = child(package, "manifest")
    return {
        attribute(element, "id"): _Item(
            _path(folder, attribute(element, "href")),
            attribute(element, "media-type"),
            attribute(element, "properties"),
        )
        for element in children(listed)
    }


def _spine(package: etree._Element | None, items: dict[str, _Item]) -> Iterator[_Item]:
    """The files with text, in the order of reading.

    Raises:
        Corrupt: The spine has nothing in it.
    """
    listed = child(package, "spine")
    ids = [attribute(e, "idref") for e in children(listed)]
    if not any(item_id in items for item_id in ids):
        raise Corrupt("no spine that says what to read")
    for item_id in dict.fromkeys(ids):
        item = items.get(item_id)
        if item and item.media_type in _CHAPTER_TYPES and "nav" not in item.properties.split():
            yield item


def _labels(archive: Archive, items: dict[str, _Item]) -> dict[str, str]:
    """Names of chapters by their file, from the table of contents of EPUB 2 or 3."""
    found: dict[str, str] = {}
    for item in items.values():
        try:
            entries = _contents(archive, item)
        except Corrupt:
            continue  # The chapters are whole without it.
        for target, label in entries:
            words = " ".join("".join(label.itertext()).split()) if label is not None else ""
            path = _path(posixpath.dirname(item.path), target.partition("#")[0])
            found.setdefault(path, words)
    return found


def _contents(archive: Archive, item: _Item) -> list[tuple[str, etree._Element | None]]:
    """Where the entries of a table of contents lead, and what they say."""
    if item.media_type == _NCX:
        root = archive.xml(item.path)
        points = root.iter("{*}navPoint") if root is not None else ()
        return [
            (attribute(child(point, "content"), "src"), child(point, "navLabel", "text"))
            for point in points
        ]
    if "nav" in item.properties.split():
        root = archive.xml(item.path)
        links = root.iter("{*}a") if root is not None else ()
        return [(attribute(link, "href"), link) for link in links]
    return []


def _add_chapter(builder: TextBuilder, markup: str, label: str) -> None:
    if not _HEADING.search(markup):
        builder.add(BlockKind.HEADING, label, level=1)
    add_html(builder, markup, main_content=False)


def _characters(data: bytes) -> str:
    """The markup without its XML declaration: in UTF-8, else in the encoding that this states."""
    declared = _ENCODING.match(data)
    stated = [declared.group(1).decode("ascii")] if declared else []
    for encoding in ("utf-8-sig", *stated):
        try:
            return _DECLARATION.sub("", data.decode(encoding), count=1)
        except (LookupError, UnicodeDecodeError):
            continue  # The statement is wrong, as it often is.
    return _DECLARATION.sub("", decode(data)[0], count=1)


def _metadata(package: etree._Element | None) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    listed = child(package, "metadata")
    for element in listed.iter() if listed is not None else ():
        name = attribute(element, "property") or local_name(element)
        if element.text and element.text.strip():
            found.setdefault(name, []).append(element.text.strip())
    return found


def _properties(stated: dict[str, list[str]]) -> dict[str, str]:
    properties = {name: ", ".join(stated.get(key, [])) for key, name in _TEXTS.items()}
    properties |= {name: "".join(stated.get(key, [])[:1]) for key, name in _DATES.items()}
    return without_blanks(properties)


def _path(folder: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join("/", folder, unquote(reference))).lstrip("/")
