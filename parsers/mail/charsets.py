"""Decoding what names its own charset, often wrongly."""

import codecs
from typing import Final

from charset_normalizer import from_bytes

_WIDER: Final = {
    "ascii": "utf-8",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "euc_kr": "cp949",
    "shift_jis": "cp932",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
}
"""What is meant where the narrower name is given (https://encoding.spec.whatwg.org/#names)."""
_LIKELY: Final = [
    *("cp1252", "cp1251", "koi8_r", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256", "iso8859_2"),
    *("gb18030", "big5hkscs", "cp932", "euc_jp", "iso2022_jp", "cp949"),
]
"""What mails and messages are written in. Code pages of DOS fit nearly any bytes."""
_SAMPLE_BYTES: Final = 64 * 1024
_MIN_SOUND: Final = 10
"""Characters outside ASCII for each broken one, where only the text is damaged."""
_MIN_UTF8: Final = 6
"""Characters outside ASCII."""
_NO_CHARSETS: Final = frozenset(
    {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape", "mbcs", "oem"}
)
_ALIASES: Final = {"ks_c_5601-1987": "cp949", "iso-8859-8-i": "iso-8859-8", "x-sjis": "cp932"}


def decode_as(data: bytes, charset: str) -> str:
    """The characters of `data` in the charset it claims; if that does not fit, in one that does."""
    for name in ("utf-8" if _is_utf8(data) else charset, "utf-8"):
        text = _decoded(data, name)
        if text is not None:
            return text
    best = from_bytes(data[:_SAMPLE_BYTES], cp_isolation=_LIKELY).best()
    return data.decode(best.encoding if best else _LIKELY[0], "replace")


def _is_utf8(data: bytes) -> bool:
    """Whether it is UTF-8 whatever it claims: nothing else is by chance, but for a word or two."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return sum(character > "\x7f" for character in text) >= _MIN_UTF8


def _decoded(data: bytes, charset: str) -> str | None:
    """None where the charset is unknown, or is not what `data` is in but for some damage."""
    try:
        codec = _usable(charset)
        return data.decode(codec)
    except UnicodeDecodeError:
        text = data.decode(codec, "replace")
    except (LookupError, ValueError):
        return None
    n_broken = text.count("\ufffd")
    n_sound = sum(character > "\x7f" for character in text) - n_broken
    return text if n_sound > _MIN_SOUND * n_broken else None


def _usable(charset: str) -> str:
    wanted = charset.strip(" \"'").lower()
    name = codecs.lookup(_ALIASES.get(wanted, wanted)).name.replace("-", "_")
    if name in _NO_CHARSETS:
        raise LookupError(name)
    return _WIDER.get(name, _WIDER.get(name.replace("_", "-"), name))
