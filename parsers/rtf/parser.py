"""Rich Text Format: headings, lists, tables, notes and text boxes in the order of the file.

Left out are running headers and footers, comments, deleted and, unless asked for, hidden text.
"""

from typing import Final

from parsers.contract import ParseTask
from parsers.document import ParsedDocument
from parsers.errors import Corrupt
from parsers.office.properties import best_title, iso_date, without_blanks
from parsers.rtf.reader import RtfReader

NAME: Final = "rtf"
VERSION: Final = "1"

_START: Final = b"{\\rtf"
_MAX_PREAMBLE: Final = 64
"""Bytes that may stand before the start: a mark of Unicode, empty lines."""


def parse(task: ParseTask) -> ParsedDocument:
    start = task.data.find(_START, 0, _MAX_PREAMBLE)
    if start < 0:
        raise Corrupt("does not start as RTF")
    reader = RtfReader(include_hidden=task.options.include_hidden)
    reader.read(task.data[start:])
    properties = {
        "author": reader.info.get("author", ""),
        "subject": reader.info.get("subject", ""),
        "keywords": reader.info.get("keywords", ""),
        "created": iso_date(reader.info.get("created", "")),
        "modified": iso_date(reader.info.get("modified", "")),
    }
    return ParsedDocument(
        text=reader.builder.text,
        blocks=tuple(reader.builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=best_title(reader.info.get("title", ""), reader.builder.blocks),
        properties=without_blanks(properties),
    )
