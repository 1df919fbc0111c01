"""What a file is, judged by its content; the name only decides between kinds of text."""

import io
import re
import zipfile
from pathlib import PurePosixPath
from typing import Final

import filetype
import olefile

from parsers.errors import TypeMismatch, UnsupportedType
from parsers.text_encoding import is_text

_OOXML: Final = "application/vnd.openxmlformats-officedocument."
_ODF: Final = "application/vnd.oasis.opendocument."
PDF: Final = "application/pdf"
DOCX: Final = _OOXML + "wordprocessingml.document"
PPTX: Final = _OOXML + "presentationml.presentation"
XLSX: Final = _OOXML + "spreadsheetml.sheet"
XLSB: Final = "application/vnd.ms-excel.sheet.binary.macroenabled.12"
SEALED_OOXML: Final = "application/x-ole-encrypted-package"
"""An office file under a password; which kind shows when it is opened."""
DOC: Final = "application/msword"
PPT: Final = "application/vnd.ms-powerpoint"
XLS: Final = "application/vnd.ms-excel"
MSG: Final = "application/vnd.ms-outlook"
ODT: Final = _ODF + "text"
ODS: Final = _ODF + "spreadsheet"
ODP: Final = _ODF + "presentation"
RTF: Final = "application/rtf"
EPUB: Final = "application/epub+zip"
HTML: Final = "text/html"
MARKDOWN: Final = "text/markdown"
PLAIN: Final = "text/plain"
CSV: Final = "text/csv"
TSV: Final = "text/tab-separated-values"
EML: Final = "message/rfc822"
MBOX: Final = "application/mbox"
JSON: Final = "application/json"
JSON_LINES: Final = "application/x-ndjson"
SLACK: Final = "application/vnd.headwater.slack-conversation+json"
"""One conversation of a Slack export, gathered from its files."""
SLACK_START: Final = b'{"headwater_slack_conversation":'
XML: Final = "application/xml"
SVG: Final = "image/svg+xml"
SRT: Final = "application/x-subrip"
VTT: Final = "text/vtt"
ZIP: Final = "application/zip"
GZIP: Final = "application/gzip"
TAR: Final = "application/x-tar"
BZIP2: Final = "application/x-bzip2"
XZ: Final = "application/x-xz"
PICTURES: Final = (
    "image/png",
    "image/jpeg",
    "image/tiff",
    "image/gif",
    "image/bmp",
    "image/webp",
    "image/heic",
)
UNKNOWN: Final = "application/octet-stream"

_BY_SUFFIX: Final = {
    ".bmp": "image/bmp",
    ".bz2": BZIP2,
    ".csv": CSV,
    ".doc": DOC,
    ".docm": DOCX,
    ".docx": DOCX,
    ".dot": DOC,
    ".dotm": DOCX,
    ".dotx": DOCX,
    ".eml": EML,
    ".epub": EPUB,
    ".gif": "image/gif",
    ".gz": GZIP,
    ".heic": "image/heic",
    ".htm": HTML,
    ".html": HTML,
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": JSON,
    ".jsonl": JSON_LINES,
    ".log": PLAIN,
    ".markdown": MARKDOWN,
    ".mbox": MBOX,
    ".md": MARKDOWN,
    ".mdx": MARKDOWN,
    ".msg": MSG,
    ".ndjson": JSON_LINES,
    ".odp": ODP,
    ".ods": ODS,
    ".odt": ODT,
    ".p7s": "application/pkcs7-signature",
    ".pdf": PDF,
    ".png": "image/png",
    ".pot": PPT,
    ".potm": PPTX,
    ".potx": PPTX,
    ".pps": PPT,
    ".ppsm": PPTX,
    ".ppsx": PPTX,
    ".ppt": PPT,
    ".pptm": PPTX,
    ".pptx": PPTX,
    ".psv": CSV,
    ".rst": PLAIN,
    ".rtf": RTF,
    ".srt": SRT,
    ".ssv": CSV,
    ".svg": SVG,
    ".tar": TAR,
    ".tbz2": BZIP2,
    ".text": PLAIN,
    ".tgz": GZIP,
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".tsv": TSV,
    ".txt": PLAIN,
    ".txz": XZ,
    ".vtt": VTT,
    ".webp": "image/webp",
    ".xhtml": HTML,
    ".xls": XLS,
    ".xlsb": XLSB,
    ".xlsm": XLSX,
    ".xlsx": XLSX,
    ".xml": XML,
    ".xz": XZ,
    ".zip": ZIP,
}

_ZIPPED: Final = (DOCX, PPTX, XLSX, XLSB, ODT, ODS, ODP, EPUB)
"""Documents that are zip archives, of certain parts."""
_OOXML_PARTS: Final = (
    ("word/", DOCX),
    ("ppt/", PPTX),
    ("xl/workbook.bin", XLSB),
    ("xl/", XLSX),
)
_OLE_STREAMS: Final = (
    ("EncryptedPackage", SEALED_OOXML),
    ("WordDocument", DOC),
    ("Workbook", XLS),
    ("Book", XLS),
    ("PowerPoint Document", PPT),
    ("__properties_version1.0", MSG),
)
_MAX_PDF_PREAMBLE: Final = 1024
"""Readers look for `%PDF-` this far into a file (ISO 32000-1, annex H.3.4.1)."""
_TEXT_TYPES: Final = ("text/", "message/", MBOX, XML, SVG)
_HTML_START: Final = re.compile(
    r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<(!doctype\s+html|html|head|body)\b", re.I | re.S
)
_XML_START: Final = re.compile(r"\s*<\?xml\b", re.I)
_JSON_START: Final = re.compile(r'\s*(\{\s*("|\})|\[\s*([\[{"\]]|-?\d))')
_MAIL_HEADERS: Final = frozenset(
    (
        "date", "delivered-to", "from", "message-id", "mime-version", "received", "return-path",
        "subject", "to",
    )
)  # fmt: skip
_SENDERS: Final = frozenset(("from", "received", "return-path"))
_HEADER_NAME: Final = re.compile(r"[\w-]+")
_MBOX_START: Final = re.compile(r"From \S+ .*\d:\d\d")


def route(data: bytes, name: str, readable: frozenset[str]) -> str:
    """The media type to read `data` as.

    Args:
        data: The whole file; not empty.
        name: Its name or uri, for its suffix.
        readable: Media types that some parser reads.

    Raises:
        TypeMismatch: The name promises a readable type, the content is something else that is
            not readable, a picture, mere text under the name of a binary type, or any archive
            under the name of a document that is one.
        UnsupportedType: Neither the content nor the name is of a readable type.
    """
    promised = _BY_SUFFIX.get(PurePosixPath(name).suffix.lower(), UNKNOWN)
    found = detect(data, promised)
    if found == UNKNOWN:
        found = promised  # Damaged beyond recognition: its parser will say so.
    # Programs on the web call their HTML tables `.xls`, and office programs open them.
    is_office_page = found == HTML and promised in (DOC, XLS)
    is_mere_text = _is_textual(found) and not _is_textual(promised) and not is_office_page
    is_mere_picture = found in PICTURES and promised not in PICTURES
    is_mere_archive = found == ZIP and promised in _ZIPPED
    is_other = found not in readable or is_mere_text or is_mere_picture or is_mere_archive
    if promised in readable and found != promised and is_other:
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
    """
    if data.startswith(SLACK_START):
        return SLACK
    has_mark = b"%PDF-" in data[:_MAX_PDF_PREAMBLE]
    if data.lstrip().startswith(b"%PDF-") or (promised == PDF and (has_mark or b"endobj" in data)):
        return PDF
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_type(data, promised)
    if data.startswith(olefile.MAGIC):
        return _ole_type(data, promised)
    if data.startswith(b"{\\rtf"):
        return RTF
    if (kind := filetype.guess_mime(data)) is not None:
        return str(kind)
    if is_text(data):
        return _text_type(data, promised)
    return PDF if has_mark else UNKNOWN


def _zip_type(data: bytes, promised: str) -> str:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names and archive.getinfo("mimetype").file_size < 100:
                return archive.read("mimetype").decode("ascii", "replace").strip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError):
        return promised if promised != UNKNOWN else ZIP
    for part, media_type in _OOXML_PARTS:
        is_meant = "[Content_Types].xml" in names or media_type == promised
        if is_meant and any(name.startswith(part) for name in names):
            return media_type
    return ZIP


def _ole_type(data: bytes, promised: str) -> str:
    try:
        with olefile.OleFileIO(data) as container:
            streams = {entry[0].lower() for entry in container.listdir()}
    except (OSError, ValueError, IndexError, TypeError, AttributeError):
        return promised if promised != UNKNOWN else "application/x-ole-storage"
    for stream, media_type in _OLE_STREAMS:
        if stream.lower() in streams:
            return media_type
    return "application/x-ole-storage"


def _text_type(data: bytes, promised: str) -> str:
    head = data[:4096].decode("utf-8", "replace").lstrip("\ufeff")
    if _HTML_START.match(head):
        return HTML
    if promised in (MARKDOWN, PLAIN) or (promised != UNKNOWN and _is_textual(promised)):
        return promised
    if _XML_START.match(head):
        return XML
    if promised in (JSON, JSON_LINES, SRT):
        return promised
    if _JSON_START.match(head):
        return JSON
    if _is_mail(head):
        return EML
    if _MBOX_START.match(head):
        return MBOX
    return VTT if head.startswith("WEBVTT") else PLAIN


def _is_mail(head: str) -> bool:
    """Whether a text starts as a mail does, with headers that say who sent it."""
    names: set[str] = set()
    lines = head.split("\n")
    for number, line in enumerate(lines, 1):
        name, colon, _ = line.partition(":")
        if line.startswith((" ", "\t")):
            continue
        if not (colon and _HEADER_NAME.fullmatch(name)):
            if line.strip() and number < len(lines):
                return False
            break
        names.add(name.lower())
    return len(names & _MAIL_HEADERS) >= 2 and not names.isdisjoint(_SENDERS)


def _is_textual(media_type: str) -> bool:
    return media_type.startswith(_TEXT_TYPES)
