"""What office documents say of themselves: their title, their author, their dates."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from parsers.document import Block, BlockKind, clean_text

_SUFFIX: Final = r"\.(?:docx?|docm|dotx?|pptx?|pptm|ppsx?|pot|xls[bmx]?|od[pst]|rtf|pdf|tmp|html?)"
_NO_TITLE: Final = re.compile(
    rf"(?:microsoft (?:office )?(?:word|powerpoint|excel) - .*|.*{_SUFFIX}"
    r"|untitled(?: document)?|unknown|no slide title"
    r"|(?:(?:word|power ?point)[ -])?(?:document|dokument|presentation|präsentation)[ -]?\d*"
    r"|(?:slide|folie|diapositive|diapositiva|title|titel|book|sheet)[ -]?\d*)",
    re.I | re.S,
)
"""What a program wrote for want of a title: `Microsoft Word - memo.doc`, `Slide 1`."""
_MAX_TITLE_CHARACTERS: Final = 300


def one_line(text: str) -> str:
    """Normalised, with single spaces for all white space."""
    return " ".join(clean_text(text).split())


def best_title(stated: str, blocks: Iterable[Block]) -> str:
    """The stated title if a person may have written it, else the first heading."""
    title = one_line(stated)
    if title and len(title) <= _MAX_TITLE_CHARACTERS and not _NO_TITLE.fullmatch(title):
        return title
    return next((block.label for block in blocks if block.kind is BlockKind.HEADING), "")


def iso_date(stated: str) -> str:
    """A point in time in ISO 8601; empty if it is none."""
    try:
        return datetime.fromisoformat(stated.strip()).isoformat()
    except ValueError:
        return ""


def without_blanks(properties: dict[str, str]) -> dict[str, str]:
    """The properties that say anything, each on one line."""
    stated = {name: one_line(value) for name, value in properties.items()}
    return {name: value for name, value in stated.items() if value}
