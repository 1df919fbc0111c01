"""Whether a document's text is text: nothing empty and nothing garbled may pass for a success."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from parsers.document import Page, ParsedDocument
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
_MIN_CAPTION: Final = 16
"""Letters and digits below which a page with a picture has said nothing."""

_GLYPH_NAME: Final = re.compile(r"\(cid:\d+\)|/[A-Za-z]{0,4}\d{1,5}(?=[/\s]|$)")
_WORD: Final = re.compile(r"[^\W\d_]+")
_PLAIN_LATIN_WORD: Final = re.compile(
    r"(?<!\S)[(\"'“‘]?([a-z\u00df-\u00f6\u00f8-\u017e]{4,20})[.,;:!?)\"'’”]*(?!\S)"
)
"""Between white space: what stands in addresses and code is not prose."""
_EAST_ASIAN: Final = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_UNSCRIPTED: Final = frozenset({"MODIFIER", "COMBINING", "FULLWIDTH", "HALFWIDTH", "MATHEMATICAL"})


@dataclass(frozen=True, slots=True)
class Problem:
    """A page, or something else in a document, that will not be searchable, and why."""

    number: int | None
    """Of the page, 1-based; None for anything else."""
    code: Reason
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TextQuality:
    """The verdict on a document."""

    code: Reason | None
    """Why no text of it can be used; None if some or all can."""
    detail: str
    problems: tuple[Problem, ...] = ()
    """What must be left out, where something else can be used."""


def judge(document: ParsedDocument) -> TextQuality:
    losses = tuple(Problem(None, Reason.CORRUPT, loss) for loss in document.losses)
    if not document.pages:
        code = None if _is_container(document) else judge_text(document.text)
        return TextQuality(code, _SAID[code], ()) if code else TextQuality(None, "", losses)
    problems = tuple(_page_problems(document))
    if len(problems) < len(document.pages):
        return TextQuality(None, "", problems + losses)
    code, n_pages = Counter(problem.code for problem in problems).most_common(1)[0]
    return TextQuality(code, f"{_SAID[code]} on {n_pages} of {len(problems)} pages")


def _is_container(document: ParsedDocument) -> bool:
    """Whether all that it says is in its members."""
    return bool(document.members) and not document.text


def judge_text(text: str) -> Reason | None:
    """`EMPTY_TEXT`, `GARBLED_TEXT`, or None if `text` can be read."""
    if not any(character.isalnum() or _is_broken(character) for character in text):
        return Reason.EMPTY_TEXT
    if _broken_share(text) > _MAX_BROKEN_SHARE or _glyph_name_share(text) > _MAX_GLYPH_NAME_SHARE:
        return Reason.GARBLED_TEXT
    if _mixes_scripts(text) or _is_substituted(text):
        return Reason.GARBLED_TEXT
    return None


_SAID: Final = {
    Reason.EMPTY_TEXT: "no text",
    Reason.GARBLED_TEXT: "no readable text",
    Reason.CORRUPT: "damage",
}


def _page_problems(document: ParsedDocument) -> Iterator[Problem]:
    for page in document.pages:
        if page.problem:
            yield Problem(page.number, Reason.CORRUPT, page.problem)
        elif code := _judge_page(page, document.text[page.start : page.end]):
            detail = "a picture" if page.has_picture and code is Reason.EMPTY_TEXT else ""
            yield Problem(page.number, code, detail)


def _judge_page(page: Page, words: str) -> Reason | None:
    n_said = sum(character.isalnum() for character in words)
    if page.has_picture and n_said < _MIN_CAPTION:
        return Reason.EMPTY_TEXT
    return judge_text(words)


def _broken_share(text: str) -> float:
    seen = [character for character in text if not character.isspace()]
    return sum(map(_is_broken, seen)) / len(seen)


def _is_broken(character: str) -> bool:
    """Whether it stands for a character that was lost."""
    return character == "\ufffd" or unicodedata.category(character) in ("Co", "Cn")


def _glyph_name_share(text: str) -> float:
    n_seen = sum(not character.isspace() for character in text)
    return sum(len(match) for match in _GLYPH_NAME.findall(text)) / n_seen


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
