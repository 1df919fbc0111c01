"""Why a document is not, or not wholly, searchable: the closed set of codes and their remedies."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Reason(StrEnum):
    """A stable code for a quarantine or a partial outcome."""

    ENCRYPTED = "encrypted"
    CORRUPT = "corrupt"
    EMPTY_FILE = "empty_file"
    EMPTY_TEXT = "empty_text"
    GARBLED_TEXT = "garbled_text"
    UNSUPPORTED_TYPE = "unsupported_type"
    TYPE_MISMATCH = "type_mismatch"
    TOO_LARGE = "too_large"
    TOO_MANY_PAGES = "too_many_pages"
    DECOMPRESSION_BOMB = "decompression_bomb"
    PARSE_TIMEOUT = "parse_timeout"
    PARSE_MEMORY = "parse_memory"
    PARSER_CRASH = "parser_crash"
    METADATA_MISSING = "metadata_missing"
    METADATA_INVALID = "metadata_invalid"
    SOURCE_UNREADABLE = "source_unreadable"
    STORE_UNAVAILABLE = "store_unavailable"
    INTERNAL_ERROR = "internal_error"


WORLD_AT_FAULT = frozenset({Reason.SOURCE_UNREADABLE, Reason.STORE_UNAVAILABLE})
"""Reasons that may be gone next time, although the document did not change."""


REMEDIES: Mapping[Reason, str] = MappingProxyType(
    {
        Reason.ENCRYPTED: "Replace the file with a copy that opens without a password.",
        Reason.CORRUPT: "Open the file in the program that made it and save it again, "
        "or fetch it again from where it came.",
        Reason.EMPTY_FILE: "The file has no bytes: upload it again, or delete it.",
        Reason.EMPTY_TEXT: "There is no text in it, only pictures or blank pages: "
        "run it through OCR, or exclude it.",
        Reason.GARBLED_TEXT: "Its text comes out as noise, mostly for want of a usable font table: "
        "export it again, or run it through OCR.",
        Reason.UNSUPPORTED_TYPE: "Convert it to a supported type, or exclude it.",
        Reason.TYPE_MISMATCH: "Its name promises another type than it holds: "
        "rename it, or replace it with the file that was meant.",
        Reason.TOO_LARGE: "Split it, or raise limits.max_file_mib.",
        Reason.TOO_MANY_PAGES: "Split it, or raise limits.max_pages.",
        Reason.DECOMPRESSION_BOMB: "It unpacks to far more than any document needs: "
        "check where it came from.",
        Reason.PARSE_TIMEOUT: "Raise limits.parse_timeout_s if it is worth waiting for, "
        "or save it again in a simpler form.",
        Reason.PARSE_MEMORY: "Raise limits.parse_memory_mib, or split it.",
        Reason.PARSER_CRASH: "The parser broke on it: save it again in the program that made it, "
        "and report the file to us if you may.",
        Reason.METADATA_MISSING: "Give it the field that its source requires.",
        Reason.METADATA_INVALID: "Correct the field that the entry names.",
        Reason.SOURCE_UNREADABLE: "Check that it is there and that this user may read it; "
        "the next run tries again.",
        Reason.STORE_UNAVAILABLE: "Check the vector store and the catalog; "
        "the next run tries again.",
        Reason.INTERNAL_ERROR: "This is a defect of Headwater: report it with the traceback of "
        "this entry.",
    }
)
"""What a person can do about each reason, in words. docs/reasons.md says more of each."""
