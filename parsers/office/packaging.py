"""Open Packaging Conventions, common to DOCX and PPTX: parts, what relates them, properties."""

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

from lxml import etree

from parsers.document import Member
from parsers.errors import Corrupt
from parsers.media_type import UNKNOWN, detect
from parsers.office.properties import iso_date, without_blanks
from parsers.zipped_xml import Archive, attribute, children, local_name

_TEXTS: Final = {"creator": "author", "subject": "subject", "keywords": "keywords"}
_DATES: Final = {"created": "created", "modified": "modified"}
_OLE_WITHOUT_DOCUMENT: Final = "application/x-ole-storage"


@dataclass(frozen=True, slots=True)
class Relationship:
    """A pointer from one part to another, or to something outside."""

    kind: str
    """The last word of its type: `slide`, `footnotes`, `officeDocument`."""
    target: str
    """Name of the part."""


def main_part(archive: Archive, otherwise: str) -> str:
    """The name of the part that the document starts with.

    Raises:
        Corrupt: There is none.
    """
    stated = related(relationships(archive, ""), "officeDocument")
    for name in (*stated, otherwise):
        if name in archive:
            return name
    raise Corrupt("a zip archive without the main part of a document")


def relationships(archive: Archive, part: str) -> dict[str, Relationship]:
    """By their id, those of a part that lead to another part; of the whole package for `""`."""
    folder, name = posixpath.split(part)
    root = archive.xml(posixpath.join(folder, "_rels", f"{name}.rels"))
    found = {}
    for element in children(root):
        if attribute(element, "TargetMode") != "External":
            kind = attribute(element, "Type").rpartition("/")[2]
            found[attribute(element, "Id")] = Relationship(kind, _resolved(folder, element))
    return found


def _resolved(folder: str, element: etree._Element) -> str:
    target = unquote(attribute(element, "Target"))
    return posixpath.normpath(posixpath.join("/", folder, target)).lstrip("/")


def related(found: dict[str, Relationship], kind: str) -> list[str]:
    """Names of the parts that relationships of this kind lead to."""
    return [relationship.target for relationship in found.values() if relationship.kind == kind]


def core_properties(archive: Archive) -> tuple[str, dict[str, str]]:
    """The stated title, and the other properties; none where their part is broken."""
    names = related(relationships(archive, ""), "core-properties") or ["docProps/core.xml"]
    try:
        root = archive.xml(names[0])
    except Corrupt:
        return "", {}
    stated = {local_name(e): e.text or "" for e in children(root)}
    properties = {name: stated.get(key, "") for key, name in _TEXTS.items()}
    properties |= {name: iso_date(stated.get(key, "")) for key, name in _DATES.items()}
    return stated.get("title", ""), without_blanks(properties)


def embedded(archive: Archive, found: Iterable[Relationship]) -> list[Member]:
    """The documents that a part holds; objects without a document in them are none."""
    members = []
    for relationship in found:
        if relationship.kind in ("package", "oleObject", "aFChunk") and (
            relationship.target in archive
        ):
            data = archive.read(relationship.target)
            if data and detect(data) not in (UNKNOWN, _OLE_WITHOUT_DOCUMENT):
                members.append(Member(relationship.target, data))
    return members


def choice(alternate: etree._Element) -> etree._Element | None:
    """The alternative of an `AlternateContent` that a current program shows."""
    named = {local_name(element): element for element in reversed(alternate)}
    return named.get("Choice", named.get("Fallback"))
