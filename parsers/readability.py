"""Whether a text is text: what a person could read, or nothing, or noise."""

import re
import unicodedata
from collections import Counter
from typing import Final

from parsers.reasons import Reason

_MAX_BROKEN_SHARE: Final = 0.05
"""Of characters that stand for none: replacement, private use, unassigned."""
_MAX_GLYPH_NAME_SHARE: Final = 0.3
"""Of characters in names of glyphs, which a PDF reader prints for want of a character map."""
_MAX_MIXED_SHARE: Final = 0.1
"""Of words that mix three scripts or more. In real text, of any language, hardly one in 1,000."""
_MIN_VOWEL_SHARE: Final = 0.85
"""Of long lower-case words in the Latin script with a vowel: 0.97 and more in real text, about 0.6
where each letter stands for another."""
_MIN_WORDS: Final = 20
"""Fewer are too few to tell from."""

_GLYPH_NAME: Final = re.compile(r"\(cid:\d+\)|/[A-Za-z]{0,4}\d{1,5}(?=[/\s]|$)")
_WORD: Final = re.compile(r"[^\W\d_]+")
_PLAIN_LATIN_WORD: Final = re.compile(
    r"(?<!\S)[(\"'“‘]?([a-z\u00df-\u00f6\u00f8-\u017e]{4,20})[.,;:!?)\"'’”]*(?!\S)"
)
"""Between white space: what stands in addresses and code is not prose."""
_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_UNSCRIPTED: Final = frozenset({"MODIFIER", "COMBINING", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL"})


def judge_text(text: str) -> Reason | None:
    """`EMPTY_TEXT`, `GARBLED_TEXT`, or None if `text` can be read."""
    if not any(character.isalnum() or _is_broken(character) for character in set(text)):
        return Reason.EMPTY_TEXT
    if _broken_share(text) > _MAX_BROKEN_SHARE or _glyph_name_share(text) > _MAX_GLYPH_NAME_SHARE:
        return Reason.GARBLED_TEXT
    if _mixes_scripts(text) or _is_substituted(text):
        return Reason.GARBLED_TEXT
    return None


def _broken_share(text: str) -> float:
    counts = Counter("".join(text.split()))
    n_broken = sum(n for character, n in counts.items() if _is_broken(character))
    return n_broken / counts.total()


def _is_broken(character: str) -> bool:
    """Whether it stands for a character that was lost."""
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn")


def _glyph_name_share(text: str) -> float:
    return sum(map(len, _GLYPH_NAME.findall(text))) / len("".join(text.split()))


def _mixes_scripts(text: str) -> bool:
    words = _WORD.findall(text)
    n_mixed = sum(len(_scripts(word)) >= 3 for word in words if not word.isascii())
    return n_mixed > _MAX_MIXED_SHARE * len(words)


def _scripts(word: str) -> set[str]:
    names = {unicodedata.name(character, "?").split()[0] for character in word}
    return {"CJK" if name in _EAST_ASIAN else name for name in names - _UNSCRIPTED}


def _is_substituted(text: str) -> bool:
    """Whether letters stand for other letters, as where a font's encoding was lost."""
    words = _PLAIN_LATIN_WORD.findall(text)
    if len(words) < _MIN_WORDS:
        return False
    return sum(map(_has_vowel, words)) < _MIN_VOWEL_SHARE * len(words)


def _has_vowel(word: str) -> bool:
    return any(unicodedata.normalize("NFD", letter)[0] in "aeiouyæœøı" for letter in word)
