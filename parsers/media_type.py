"""What a file is, judged by its content; the name only decides between kinds of text."""

import io
import re
import zipfile
from pathlib import PurePosixPath
from typing import Final

import filetype
import olefile

from parsers.errors import Encrypted, TypeMismatch, UnsupportedType
from parsers.text_encoding import is_text

PDF: Final = "application/pdf"
DOCX: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
PLAIN: Final = "text/plain"
UNKNOWN: Final = "application/octet-stream"

_BY_SUFFIX: Final = {
    ".bmp": "image/bmp",
    ".csv": "text/csv",
    ".doc": "application/msword",
    ".docm": "application/vnd.ms-word.document.macroenabled.12",
    ".docx": DOCX,
    ".eml": "message/rfc822",
    ".epub": "application/epub+zip",
    ".gif": "image/gif",
    ".gz": "application/gzip",
    ".heic": "image/heic",
    ".htm": HTML,
    ".html": HTML,
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".jsonl": "application/x-ndjson",
    ".log": PLAIN,
    ".markdown": MARKDOWN,
    ".mbox": "application/mbox",
    ".md": MARKDOWN,
    ".mdx": MARKDOWN,
    ".msg": "application/vnd.ms-outlook",
    ".ndjson": "application/x-ndjson",
    ".odp": "application/vnd.oasis.opendocument.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet",
    ".odt": "application/vnd.oasis.opendocument.text",
    ".p7s": "application/pkcs7-signature",
    ".pdf": PDF,
    ".png": "image/png",
    ".ppt": "application/vnd.ms-powerpoint",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".rst": PLAIN,
    ".rtf": "application/rtf",
    ".srt": "application/x-subrip",
    ".svg": "image/svg+xml",
    ".text": PLAIN,
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".tsv": "text/tab-separated-values",
    ".txt": PLAIN,
    ".vtt": "text/vtt",
    ".webp": "image/webp",
    ".xhtml": HTML,
    ".xls": "application/vnd.ms-excel",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    ".xlsm": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".xml": "application/xml",
    ".zip": "application/zip",
}

_OOXML_PARTS: Final = (
    ("word/vbaProject.bin", _BY_SUFFIX[".docm"]),
    ("word/", DOCX),
    ("ppt/", _BY_SUFFIX[".pptx"]),
    ("xl/workbook.bin", _BY_SUFFIX[".xlsb"]),
    ("xl/", _BY_SUFFIX[".xlsx"]),
)
_OLE_STREAMS: Final = (
    ("WordDocument", _BY_SUFFIX[".doc"]),
    ("Workbook", _BY_SUFFIX[".xls"]),
    ("Book", _BY_SUFFIX[".xls"]),
    ("PowerPoint Document", _BY_SUFFIX[".ppt"]),
    ("__properties_version1.0", _BY_SUFFIX[".msg"]),
)
_MAX_PDF_PREAMBLE: Final = 1024
"""Readers look for `%PDF-` this far into a file (ISO 32000-1, annex H.3.4.1)."""
_TEXT_TYPES: Final = ("text/", "message/", "application/mbox", "application/xml")
_HTML_START: Final = re.compile(
    r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S
)
_XML_START: Final = re.compile(r"\s*<\?xml\b", re.I)
_JSON_START: Final = re.compile(r'\s*(\{\s*("|\})|\[\s*([\[{"\]]|-?\d))')
_MAIL_START: Final = re.compile(
    r"(?:(?:Return-Path|Received|Delivered-To|MIME-Version|Message-ID|From|Date|X-[\w-]+): .*\n"
    r"(?:[ \t].*\n)*)+(?:[\w-]+:.*\n(?:[ \t].*\n)*)*\n",
    re.I,
)


def route(data: bytes, name: str, readable: frozenset[str]) -> str:
    """The media type to read `data` as.

    Args:
        data: The whole file; not empty.
        name: Its name or uri, for its suffix.
        readable: Media types that some parser reads.

    Raises:
        Encrypted: An office file sealed with a password, whose type cannot be seen.
        TypeMismatch: The name promises a readable type, the content is something else that is
            not readable, or mere text under the name of a binary type.
        UnsupportedType: Neither the content nor the name is of a readable type.
    """
    promised = _BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), UNKNOWN)
    found = detect(data, promised)
    if found == UNKNOWN:
        found = promised  # Damaged beyond recognition: its parser will say so.
    is_mere_text = _is_textual(found) and not _is_textual(promised)
    if promised in readable and found != promised and (found not in readable or is_mere_text):
        raise TypeMismatch(f"named as {promised}, but its content is {found}")
    if found not in readable:
        raise UnsupportedType(f"no parser for {found}")
    return found


def detect(data: bytes, promised: str = UNKNOWN) -> str:
    """The media type of `data`, `UNKNOWN` where its content tells nothing.

    Args:
        data: The whole file.
        promised: What its name says, used where content alone cannot tell: between kinds of text,
            and for a container that is too damaged to be looked into.

    Raises:
        Encrypted: See `route`.
    """
    if b"%PDF-" in data[:_MAX_PDF_PREAMBLE] or (promised == PDF and b"endobj" in data):
        return PDF
    if data.startswith(b"PK\x03\x04"):
        return _zip_type(data, promised)
    if data.startswith(olefile.MAGIC):
        return _ole_type(data, promised)
    if data.startswith(b"{\\rtf"):
        return _BY_SUFFIX[".rtf"]
    if (kind := filetype.guess_mime(data)) is not None:
        return str(kind)
    if is_text(data):
        return _text_type(data, promised)
    return UNKNOWN


def _zip_type(data: bytes, promised: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
                return archive.read("mimetype").decode("ascii", "replace").strip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return promised if promised != UNKNOWN else _BY_SUFFIX[".zip"]
    if "[Content_Types].xml" in names:
        for part, media_type in _OOXML_PARTS:
            if any(name.startswith(part) for name in names):
                return media_type
    return _BY_SUFFIX[".zip"]


def _ole_type(data: bytes, promised: str) -> str:
    try:
        with olefile.OleFileIO(data) as container:
            streams = {entry[0] for entry in container.listdir()}
    except (OSError, ValueError, IndexError, TypeError, AttributeError):
        return promised if promised != UNKNOWN else "application/x-ole-storage"
    if "EncryptedPackage" in streams:
        raise Encrypted("an office file sealed with a password")
    for stream, media_type in _OLE_STREAMS:
        if stream in streams:
            return media_type
    return "application/x-ole-storage"


def _text_type(data: bytes, promised: str) -> str:
    head = data[:4096].decode("utf-8", "replace").lstrip("\ufeff")
    if _HTML_START.match(head):
        return HTML
    if promised in (MARKDOWN, PLAIN) or (promised != UNKNOWN and _is_textual(promised)):
        return promised
    if _XML_START.match(head):
        return _BY_SUFFIX[".xml"]
    if promised in (_BY_SUFFIX[".json"], _BY_SUFFIX[".jsonl"], _BY_SUFFIX[".srt"]):
        return promised
    if _JSON_START.match(head):
        return _BY_SUFFIX[".json"]
    if _MAIL_START.match(head):
        return _BY_SUFFIX[".eml"]
    return PLAIN


def _is_textual(media_type: str) -> bool:
    return media_type.startswith(_TEXT_TYPES)
