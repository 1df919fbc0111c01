"""The characters of a PDF, as a search would spell them: ligatures, hyphens, line ends."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from parsers.document import clean_text

HYPHEN: Final = "\u2010"
"""Stands at the end of a line whose last word goes on below, whatever the file has there."""
LEADER: Final = " ... "
"""Stands for the dots that lead to a page number."""

_COMPATIBLE: Final = re.compile("[\u2e80-\u2fd5\ufb00-\ufdfb\ufe70-\ufefc]")
"""Shapes of letters: ligatures, radicals, Arabic letters as they look inside a word."""
_SPACES: Final = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\t ]+")
_INVISIBLE: Final = re.compile("[\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069]")
_SPACED_MARK: Final = re.compile("(?<=[\u0621-\u064a]) ([\u064b-\u0652]+)([\u0621-\u064a])")
_LOST_BULLET: Final = re.compile("^[\ufffd\uf000-\uf8ff](?= |$)")
"""A character without a meaning, alone before the words of a line."""
_LATIN_BEFORE_ARABIC: Final = re.compile("(?<=[A-Za-z])(?=[\u0621-\u064a])")
_FIRST_PART: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_WORD: Final = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
_UNSPACED: Final = re.compile("[\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Letters and punctuation of Chinese and Japanese, which set no spaces between words."""
_FIRST_KOREAN: Final = re.compile("[\uac00-\ud7a3]+")
_MIN_COMPOUND_PART: Final = 4
"""Letters of each half of a compound. Shorter ones, `out` or `less`, are rather parts of a word."""


_LEADER: Final = re.compile(r"\s*(?:\. ?){5,}\s*")
"""Dots between a title and its page number."""
_HYPHENS: Final = ("-", "\u00ad", HYPHEN)


def normalise(text: str) -> str:
    """Plain letters and single spaces; soft hyphens stay only at the end.

    Marks that PDFium puts before an Arabic letter, set off by a space, are put behind it; the space
    that it puts before a Latin word among Arabic ones, and not behind, is put there too.
    """
    text = _COMPATIBLE.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    text = _SPACED_MARK.sub(r"\2\1", _INVISIBLE.sub("", text))
    text = _LATIN_BEFORE_ARABIC.sub(" ", text)
    text = _LEADER.sub(LEADER, _SPACES.sub(" ", clean_text(text)))
    text = _LOST_BULLET.sub("•", text.strip())
    return text[:-1].replace("\u00ad", "") + text[-1:]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The words that a document spells without a line end in them, in small letters."""

    words: frozenset[str]
    compounds: frozenset[str]
    """Those with a hyphen inside."""


def vocabulary(lines: Iterable[str]) -> Vocabulary:
    words: set[str] = set()
    was_cut = False
    for line in lines:
        found = _WORD.findall(line.casefold())
        is_cut = bool(_cut_word(line))
        words.update(found[int(was_cut) : len(found) - int(is_cut)])
        was_cut = is_cut
    compounds = frozenset(word for word in words if "-" in word)
    return Vocabulary(frozenset(words) - compounds, compounds)


def join_lines(lines: Sequence[str], known: Vocabulary) -> str:
    """One text of lines that follow each other: words that were cut in two are whole again."""
    parts = [lines[0]]
    for line in lines[1:]:
        end, space = _joint(parts[-1], line, known)
        parts[-1] = end
        parts += [space, line] if space else [line]
    parts[-1] = _with_plain_hyphen(parts[-1])
    return "".join(parts)


def _joint(text: str, line: str, known: Vocabulary) -> tuple[str, str]:
    """A line as it stands before the next one, and what stands between them."""
    cut, rest = _cut_word(text), _FIRST_PART.match(line)
    if cut and rest:
        keeps = not text.endswith("\u00ad") and _is_compound(cut, rest.group(), known)
        return text[:-1] + ("-" if keeps else ""), ""
    text = _with_plain_hyphen(text)
    is_unspaced = _UNSPACED.match(text[-1]) and _UNSPACED.match(line[0])
    return text, "" if is_unspaced or _is_cut_korean(text, line, known) else " "


def _cut_word(line: str) -> str:
    """What a line has of the word that its last hyphen cuts; empty if it ends otherwise."""
    if not line.endswith(_HYPHENS):
        return ""
    start = end = len(line) - 1
    while start and (line[start - 1].isalpha() or line[start - 1] == "-"):
        start -= 1
    return line[start:end].strip("-")


def _is_cut_korean(text: str, line: str, known: Vocabulary) -> bool:
    """Whether a word goes on below without a hyphen, as it may in Korean."""
    second = _FIRST_KOREAN.match(line)
    if second is None or not _FIRST_KOREAN.match(text[-1]):
        return False
    return text.rsplit(maxsplit=1)[-1] + second.group() in known.words


def _with_plain_hyphen(text: str) -> str:
    return text[:-1] + "-" if text.endswith((HYPHEN, "\u00ad")) else text


def _is_compound(first: str, second: str, known: Vocabulary) -> bool:
    """Whether the hyphen between them belongs to the word, judged by the document's own words."""
    if second[0].isupper():
        return True
    is_name = first[0].isupper()
    first, second = first.casefold(), second.casefold()
    if first.rpartition("-")[2] + second in known.words:
        return False
    if "-" in first or f"{first}-{second}" in known.compounds:
        return True
    if min(len(first), len(second)) < _MIN_COMPOUND_PART or second not in known.words:
        return False
    return not is_name or first in known.words
