"""One small document of every type that is read."""

import bz2
import email.message
import gzip
import io
import json
import lzma
import struct
import tarfile
from pathlib import Path

import openpyxl
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile
from PIL import Image

from parsers.media_type import (
    BZIP2,
    CSV,
    DOC,
    DOCX,
    EML,
    EPUB,
    GZIP,
    HTML,
    JSON,
    JSON_LINES,
    MARKDOWN,
    MBOX,
    MSG,
    ODP,
    ODS,
    ODT,
    PDF,
    PICTURES,
    PLAIN,
    PPT,
    PPTX,
    RTF,
    SEALED_OOXML,
    SLACK,
    SRT,
    SVG,
    TAR,
    TSV,
    VTT,
    XLS,
    XLSB,
    XLSX,
    XML,
    XZ,
    ZIP,
)  # fmt: skip
from parsers.slack.export import make_bundle, read_index
from tests.documents import pdf, word, zipped
from tests.office_documents import (
    book,
    old_slides,
    old_word,
    open_slides,
    open_text,
    rich_text,
    slides,
)
from tests.outlook_messages import compound, message, text

WORDS = "The kettle is descaled on Fridays."
_FIXTURES = Path(__file__).parent / "fixtures"


def _mail() -> bytes:
    made = email.message.EmailMessage()
    made["From"], made["To"], made["Subject"] = "ann@example.org", "ben@example.org", "Kitchen"
    made.set_content(f"{WORDS}\n")
    return made.as_bytes()


def _sealed(data: bytes) -> bytes:
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(data)).encrypt("VelvetSweatshop", out)
    return out.getvalue()


def _tar(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def _workbook() -> bytes:
    made, out = openpyxl.Workbook(), io.BytesIO()
    for row in (("Task", "Day"), (WORDS, "Friday"), ("Windows", "Monday")):
        made.active.append(row)
    made.save(out)
    return out.getvalue()


def _old_workbook() -> bytes:
    made, out = xlwt.Workbook(), io.BytesIO()
    sheet = made.add_sheet("Tasks")
    for row, cells in enumerate((("Task", "Day"), (WORDS, "Friday"))):
        for column, cell in enumerate(cells):
            sheet.write(row, column, cell)
    made.save(out)
    return out.getvalue()


def _open_workbook() -> bytes:
    namespaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "table", "text")
    )
    cells = "".join(
        f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>'
        for cell in (WORDS, "Friday")
    )
    content = (
        f"<office:document-content {namespaces}><office:body><office:spreadsheet>"
        f'<table:table table:name="Tasks"><table:table-row>{cells}</table:table-row></table:table>'
        "</office:spreadsheet></office:body></office:document-content>"
    )
    return zipped(mimetype=ODS.encode(), **{"content.xml": content.encode()})


def _conversation() -> bytes:
    day = json.dumps([{"ts": "1709629200.0", "user": "U1", "text": WORDS}]).encode()
    return make_bundle("general", read_index([]), [("general/2024-03-05.json", day)])


def _picture(media_type: str) -> bytes:
    kind = media_type.removeprefix("image/").upper()
    if kind == "HEIC":  # Pillow writes none: the boxes that tell its size, and no picture.
        size = _box(b"iprp", _box(b"ipco", _box(b"ispe", struct.pack(">III", 0, 4, 3))))
        return _box(b"ftyp", b"heic\0\0\0\0mif1heic") + _box(b"meta", bytes(4) + size)
    out = io.BytesIO()
    Image.new("RGB", (4, 3)).save(out, kind)
    return out.getvalue()


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), name) + content


EXAMPLES = {
    PDF: pdf(WORDS, "Second page."),
    MARKDOWN: f"---\ntitle: Kitchen\n---\n# Rules\n\n{WORDS}\n".encode(),
    PLAIN: f"Kitchen rules\n\n{WORDS}\n".encode(),
    HTML: f"<html><head><title>Kitchen</title></head><body><p>{WORDS}</p></body></html>".encode(),
    DOCX: word(("Heading 1", "Rules"), ("Normal", WORDS)),
    PPTX: slides(("Rules", WORDS)),
    SEALED_OOXML: _sealed(word(("Normal", WORDS))),
    DOC: old_word(WORDS),
    PPT: old_slides(WORDS),
    ODT: open_text("Rules", WORDS),
    ODP: open_slides("Rules", WORDS),
    RTF: rich_text("Rules", WORDS),
    EPUB: book("Rules", WORDS),
    XLSX: _workbook(),
    XLS: _old_workbook(),
    ODS: _open_workbook(),
    XLSB: (_FIXTURES / "various.xlsb").read_bytes(),
    CSV: f"Task,Day\n{WORDS},Friday\nWindows,Monday\n".encode(),
    TSV: f"Task\tDay\n{WORDS}\tFriday\nWindows\tMonday\n".encode(),
    EML: _mail(),
    MBOX: b"From ann@example.org Tue Mar  5 09:00:00 2024\n" + _mail() + b"\n",
    MSG: compound(message(text(0x0037, "Kitchen"), text(0x1000, WORDS))),
    SLACK: _conversation(),
    JSON: json.dumps({"rules": {"kettle": WORDS}}).encode(),
    JSON_LINES: json.dumps({"rule": WORDS}).encode() + b"\n",
    XML: f"<rules><rule><title>Kettle</title><text>{WORDS}</text></rule></rules>".encode(),
    SVG: f'<svg xmlns="http://www.w3.org/2000/svg"><text>{WORDS}</text></svg>'.encode(),
    SRT: f"1\n00:00:01,000 --> 00:00:04,000\n{WORDS}\n".encode(),
    VTT: f"WEBVTT\n\n00:01.000 --> 00:04.000\n{WORDS}\n".encode(),
    ZIP: zipped(**{"rules.txt": WORDS.encode()}),
    TAR: _tar("rules.txt", WORDS.encode()),
    GZIP: gzip.compress(WORDS.encode()),
    BZIP2: bz2.compress(WORDS.encode()),
    XZ: lzma.compress(WORDS.encode()),
} | {media_type: _picture(media_type) for media_type in PICTURES}

SUFFIXES = {
    CSV: ".csv", TSV: ".tsv", VTT: ".vtt", SRT: ".srt", MARKDOWN: ".md", SVG: ".svg",
    MBOX: ".mbox", JSON_LINES: ".jsonl", XML: ".xml",
}  # fmt: skip
"""Of the types that content alone does not tell."""
HOLDS_OTHERS = (ZIP, TAR, GZIP, BZIP2, XZ, MBOX)
"""Types whose words are in their members."""
WORDS_OF = {XLSB: "This is a string"} | dict.fromkeys((*HOLDS_OTHERS, *PICTURES), "")
"""What the example of a type says, where that is not `WORDS`."""
