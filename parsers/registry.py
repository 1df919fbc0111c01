"""Which parser reads which type. A parser is imported when its first document comes."""

import hashlib
import importlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from types import MappingProxyType
from typing import Final, Protocol, cast

from parsers.contract import Limits, Parse, ParseOptions
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


class ParserModule(Protocol):
    """What a parser's module has."""

    NAME: str
    VERSION: str
    """Changes whenever the same bytes may give another result, so the library's version is in."""

    parse: Parse


MODULES: Final[Mapping[str, str]] = MappingProxyType(
    {
        PDF: "parsers.pdf.parser",
        MARKDOWN: "parsers.web.markdown",
        PLAIN: "parsers.plain.text",
        HTML: "parsers.web.html",
        DOCX: "parsers.office.docx",
        PPTX: "parsers.office.pptx",
        SEALED_OOXML: "parsers.office.sealed",
        DOC: "parsers.office.legacy",
        PPT: "parsers.office.legacy",
        ODT: "parsers.opendocument.text",
        ODP: "parsers.opendocument.text",
        RTF: "parsers.rtf.parser",
        EPUB: "parsers.web.epub",
        XLSX: "parsers.sheets.spreadsheet",
        XLSB: "parsers.sheets.spreadsheet",
        XLS: "parsers.sheets.spreadsheet",
        ODS: "parsers.sheets.spreadsheet",
        CSV: "parsers.sheets.delimited",
        TSV: "parsers.sheets.delimited",
        EML: "parsers.mail.parser",
        MBOX: "parsers.mail.parser",
        MSG: "parsers.mail.outlook",
        SLACK: "parsers.slack.parser",
        JSON: "parsers.plain.json",
        JSON_LINES: "parsers.plain.json",
        XML: "parsers.plain.xml",
        SVG: "parsers.plain.xml",
        SRT: "parsers.plain.subtitles",
        VTT: "parsers.plain.subtitles",
        ZIP: "parsers.archives.parser",
        TAR: "parsers.archives.parser",
        GZIP: "parsers.archives.parser",
        BZIP2: "parsers.archives.parser",
        XZ: "parsers.archives.parser",
    }
    | dict.fromkeys(PICTURES, "parsers.plain.image")
)
"""Media type to the module of its parser."""

READABLE: Final = frozenset(MODULES)


def load(media_type: str) -> ParserModule:
    """The parser of a readable type."""
    return cast(ParserModule, importlib.import_module(MODULES[media_type]))


def names() -> list[str]:
    """Of all parsers."""
    return sorted({load(media_type).NAME for media_type in MODULES})


def type_read_by(parser: str) -> str | None:
    """The media type for which a parser stands that is named, or the type itself; None if there is
    no such. Of the types that one parser reads it is the first.
    """
    if parser in MODULES:
        return parser
    return next((one for one in MODULES if parser == load(one).NAME), None)


def parse_fingerprint(sha256: str, media_type: str, options: ParseOptions) -> str:
    """What decides the result of parsing: the bytes, the parser and its version, its options."""
    return _digest(sha256, parser_key(media_type, options))


def parser_key(media_type: str, options: ParseOptions) -> str:
    """The part of the fingerprint that all documents of a type share.

    All types that no parser reads share one key as well: it changes when a parser is added.
    """
    if media_type not in MODULES:
        return _digest("unreadable", *sorted(READABLE))
    module = load(media_type)
    return _digest(module.NAME, module.VERSION, json.dumps(asdict(options), sort_keys=True))


def failure_key(
    media_type: str, options: ParseOptions, limits: Limits, *, passwords: str = ""
) -> str:
    """As `parser_key`, for documents that failed: for them the limits count as well.

    Args:
        media_type: Empty if it failed before that was known.
        options: What its parser was told.
        limits: What it might have cost.
        passwords: A digest of those that were tried, if it failed for want of one.
    """
    costs = json.dumps(asdict(limits), sort_keys=True)
    return _digest(parser_key(media_type, options), costs, passwords)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
