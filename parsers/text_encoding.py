"""From bytes to characters: strict UTF-8 first, then a byte order mark, then detection."""

import codecs
import re
from typing import Final

from charset_normalizer import from_bytes

from parsers.errors import Corrupt

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SAMPLE: Final = 64 * 1024
_CONTROLS: Final = re.compile(rb"[\x01-\x06\x0e-\x1a\x1c-\x1f\x7f]")
_MAX_CONTROL_SHARE: Final = 0.01
"""Binary formats have ten times as many; terminal logs and old mails stay below."""
_MIN_ZERO_SHARE: Final = 0.3
"""Of one byte in two, in UTF-16 text of a Western language."""


def is_text(data: bytes) -> bool:
    """Whether `data` reads as characters in some encoding, judged by its first 64 KiB."""
    sample = data[:_SAMPLE]
    if _by_mark(sample) or _utf16_without_mark(sample):
        return True
    printable = sample.replace(b"\x00", b"")
    if len(printable) < 0.9 * len(sample):
        return False
    return len(_CONTROLS.findall(printable)) <= _MAX_CONTROL_SHARE * len(printable)


def decode(data: bytes) -> tuple[str, str]:
    """The characters of `data` and the name of the encoding they were in.

    Raises:
        Corrupt: `data` is not text in any encoding that could be found.
    """
    if encoding := _by_mark(data) or _utf16_without_mark(data):
        return data.decode(encoding, "replace"), encoding
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError as error:
        if _nearly_utf8(data, error):
            return data.decode("utf-8", "replace"), "utf-8"
    best = from_bytes(data[:_SAMPLE]).best()
    if best is None:
        raise Corrupt("it is not text in any known encoding")
    return data.decode(best.encoding, "replace"), best.encoding


def _by_mark(data: bytes) -> str | None:
    return next((encoding for mark, encoding in _MARKS if data.startswith(mark)), None)


def _utf16_without_mark(data: bytes) -> str | None:
    sample = data[:_SAMPLE]
    half = len(sample) // 2
    if half < 2:
        return None
    even, odd = sample[0::2].count(0), sample[1::2].count(0)
    if odd >= _MIN_ZERO_SHARE * half and even <= 0.02 * half:
        return "utf-16-le"
    if even >= _MIN_ZERO_SHARE * half and odd <= 0.02 * half:
        return "utf-16-be"
    return None


def _nearly_utf8(data: bytes, first_error: UnicodeDecodeError) -> bool:
    """Valid but for damage: many sound multi-byte characters for each broken byte."""
    text = data.decode("utf-8", "replace")
    n_broken = text.count("\ufffd")
    n_sound = sum(character > "\x7f" for character in text) - n_broken
    cut_at_the_end = first_error.start >= len(data) - 3
    return cut_at_the_end or n_sound > 10 * n_broken
