"""Zip archives of XML parts, as office documents and e-books are, opened within limits."""

import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from typing import Final

from lxml import etree

from parsers.contract import ParseOptions
from parsers.errors import Corrupt, Encrypted
from parsers.unpacking import check_unpacked_size

VERSION: Final = f"lxml-{etree.__version__}"

_MALFORMED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    OSError,
    ValueError,
)
"""How zipfile fails on members that are not what the archive's directory says."""
_SEALED: Final = 0x1
"""The flag of a member that only a password opens."""


class Archive:
    """The parts of a document by name. Letter case does not count in names."""

    def __init__(self, data: bytes, options: ParseOptions) -> None:
        """Open it.

        Raises:
            DecompressionBomb: Its parts are larger than `options` allow.
            Corrupt: It is no zip archive.
        """
        check_unpacked_size(data, options)
        self._zip = zipfile.ZipFile(io.BytesIO(data))
        self._members = {_key(member.filename): member for member in self._zip.infolist()}

    def __contains__(self, name: str) -> bool:
        return _key(name) in self._members

    def names(self) -> list[str]:
        return [member.filename for member in self._members.values() if not member.is_dir()]

    def read(self, name: str) -> bytes:
        """The bytes of a part.

        Raises:
            Corrupt: It is not there, or does not unpack.
            Encrypted: It has a password of its own.
        """
        member = self._members.get(_key(name))
        if member is None:
            raise Corrupt("a part that it needs is not in it")
        if member.flag_bits & _SEALED:
            raise Encrypted("a zip archive with a password")
        try:
            return self._zip.read(member)
        except _MALFORMED as error:
            raise Corrupt(f"a part does not unpack: {type(error).__name__}") from error

    def xml(self, name: str) -> etree._Element | None:
        """The root element of a part; None where there is no such part.

        Raises:
            Corrupt: It is not well-formed, or does not unpack.
            Encrypted: See `read`.
        """
        return parse_xml(self.read(name)) if name in self else None


def parse_xml(data: bytes) -> etree._Element:
    """The root element. Entities are left unresolved, so that they fetch and multiply nothing.

    Raises:
        Corrupt: It is not well-formed, or nested more than 256 deep.
    """
    parser = etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        return etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise Corrupt(f"XML: {type(error).__name__}") from error


def local_name(element: etree._Element) -> str:
    """Its tag without the namespace, which differs between dialects; empty for an entity."""
    tag = element.tag
    return tag.rpartition("}")[2] if isinstance(tag, str) else ""


def attribute(element: etree._Element | None, name: str, default: str = "") -> str:
    """An attribute by its name without the namespace."""
    if element is None:
        return default
    for key, value in element.attrib.items():
        if key.rpartition("}")[2] == name:
            return str(value)
    return default


def child(element: etree._Element | None, *path: str) -> etree._Element | None:
    """The first child of that name, of that its first child of the next name, and so on."""
    for name in path:
        if element is None:
            return None
        element = next((found for found in element if local_name(found) == name), None)
    return element


def children(element: etree._Element | None) -> Iterator[etree._Element]:
    """What stands in an element; nothing where there is none."""
    if element is not None:
        yield from element


def _key(name: str) -> str:
    return name.replace("\\", "/").lstrip("/").lower()
