"""The headers of a mail as text, however they were written."""

import binascii
import re
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.policy import Compat32
from email.utils import getaddresses, parsedate_to_datetime
from typing import Final

from parsers.mail.charsets import decode_as


class _AsWritten(Compat32):
    """Finds out what headers in raw bytes say, for which the standard policy puts marks."""

    def header_fetch_parse(self, name: str, value: str) -> str:
        return value if value.isascii() else _characters(value)


AS_WRITTEN: Final = _AsWritten()
"""The policy to parse a mail with."""
_MAX_HEADER_CHARACTERS: Final = 20_000
_FOLD: Final = re.compile(r"\r?\n[ \t]*|\r")
_SPACE_BETWEEN_ENCODED: Final = re.compile(r"(=\?[^?\s]+\?[bqBQ]\?[^?]*\?=)\s+(?==\?)")


def header(message: Message, name: str) -> str:
    """The first header of this name, decoded; empty if there is none."""
    for found, value in message.raw_items():
        if found.lower() == name.lower():
            return decoded(str(value))
    return ""


def decoded(value: str) -> str:
    """A raw header as a reader sees it."""
    value = _FOLD.sub(" ", _characters(value)[:_MAX_HEADER_CHARACTERS]).strip()
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(_SPACE_BETWEEN_ENCODED.sub(r"\1 ", value))
    except (HeaderParseError, binascii.Error, ValueError):
        return value
    return "".join(_piece(words, charset) for words, charset in pieces)


def _characters(value: str) -> str:
    """A header without the surrogates that the parser keeps raw bytes in."""
    return decode_as(value.encode("utf-8", "surrogateescape"), "utf-8")


def _piece(words: bytes | str, charset: str | None) -> str:
    if isinstance(words, str):
        return words
    return decode_as(words, charset or "utf-8")


def people(message: Message, name: str) -> str:
    """The addresses of a header, with their names."""
    value = header(message, name)
    try:
        pairs = [(person, address) for person, address in getaddresses([value]) if address]
    except RecursionError:
        return value
    if not pairs:
        return value
    return ", ".join(f"{person} <{address}>" if person else address for person, address in pairs)


def sent_at(value: str) -> str:
    """A date of a mail in ISO 8601 UTC; empty if it is none."""
    try:
        when = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            when = datetime.fromisoformat(value)
        except ValueError:
            return ""
    return utc(when)


def utc(when: datetime) -> str:
    """ISO 8601; a time without a zone is taken for UTC."""
    if when.tzinfo is None:
        return when.replace(tzinfo=UTC).isoformat()
    try:
        return when.astimezone(UTC).isoformat()
    except OverflowError:
        return ""
