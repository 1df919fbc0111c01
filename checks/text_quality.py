"""Whether a document's text is text: nothing empty and nothing garbled may pass for a success."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from parsers.document import Page, ParsedDocument
from parsers.media_type import PDF
from parsers.readability import judge_text
from parsers.reasons import Reason

_MIN_CAPTION: Final = 16
"""Letters and digits below which a page with a picture has said nothing."""


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


_SAID: Final = {
    Reason.EMPTY_TEXT: "no text",
    Reason.GARBLED_TEXT: "no readable text",
    Reason.CORRUPT: "damage",
}


def _page_problems(document: ParsedDocument) -> Iterator[Problem]:
    for page in document.pages:
        if page.problem:
            yield Problem(page.number, Reason.CORRUPT, page.problem)
        elif code := _judge_page(document, page):
            detail = "a picture" if page.has_picture and code is Reason.EMPTY_TEXT else ""
            yield Problem(page.number, code, detail)


def _judge_page(document: ParsedDocument, page: Page) -> Reason | None:
    words = document.text[page.start : page.end]
    n_said = sum(character.isalnum() for character in words)
    # A few words on a slide are all that it says; on a scan they are a stamp.
    if page.has_picture and n_said < _MIN_CAPTION and document.media_type == PDF:
        return Reason.EMPTY_TEXT
    return judge_text(words)
