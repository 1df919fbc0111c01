"""Rich Text Format cut into its tokens."""

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import Final, NamedTuple


class Kind(StrEnum):
    OPEN = "open"
    CLOSE = "close"
    WORD = "word"
    """A control word or symbol."""
    BYTES = "bytes"
    """Characters in the code page of the font."""


class Token(NamedTuple):
    kind: Kind
    word: str = ""
    number: int | None = None
    """What follows the word."""
    data: bytes = b""


_TOKEN: Final = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?[0-9]{1,10})?[ ]?"
    rb"|\\'([0-9a-fA-F]{2})"
    rb"|\\([^a-zA-Z])"
    rb"|([{}])"
    rb"|[\r\n\0]+"
    rb"|([^\\{}\r\n\0]+)"
    rb"|\\",
    re.S,
)
_ESCAPED: Final = (b"\\", b"{", b"}")
_LINE_ENDS: Final = (b"\r", b"\n")


def tokens(data: bytes) -> Iterator[Token]:
    position = 0
    while match := _TOKEN.match(data, position):
        position = match.end()
        word, number, code, symbol, brace, text = match.groups()
        if word == b"bin":
            position += max(0, int(number or 0))  # A picture, in which no brace counts.
        elif word:
            yield Token(Kind.WORD, word.decode("ascii"), int(number) if number else None)
        elif text:
            yield Token(Kind.BYTES, data=text)
        elif brace:
            yield Token(Kind.OPEN if brace == b"{" else Kind.CLOSE)
        elif code:
            yield Token(Kind.BYTES, data=bytes.fromhex(code.decode("ascii")))
        elif symbol:
            yield _symbol(symbol)


def _symbol(symbol: bytes) -> Token:
    if symbol in _ESCAPED:
        return Token(Kind.BYTES, data=symbol)
    if symbol in _LINE_ENDS:
        return Token(Kind.WORD, "par")
    return Token(Kind.WORD, symbol.decode("latin-1"))
