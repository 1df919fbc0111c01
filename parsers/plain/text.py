"""Plain text: paragraphs between empty lines."""

import re
from collections.abc import Iterator
from typing import Final

from parsers.contract import ParseTask
from parsers.document import Block, BlockKind, ParsedDocument, clean_text
from parsers.text_encoding import decode

NAME: Final = "plain-text"
VERSION: Final = "1"

_PARAGRAPH: Final = re.compile(r"[^\n]*\S[^\n]*(?:\n[^\n]*\S[^\n]*)*")
_MAX_TITLE_CHARACTERS: Final = 100
_SENTENCE_END: Final = (".", "!", "?", ":", ";", ",")


def parse(task: ParseTask) -> ParsedDocument:
    characters, encoding = decode(task.data)
    text = clean_text(characters)
    spans = list(paragraphs(text))
    title = _title(text, spans)
    blocks = tuple(Block(BlockKind.PARAGRAPH, start, end) for start, end in spans)
    if title and blocks:
        heading = Block(BlockKind.HEADING, blocks[0].start, blocks[0].end, 1, None, title)
        blocks = (heading, *blocks[1:])
    return ParsedDocument(
        text=text,
        blocks=blocks,
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=title,
        properties={"encoding": encoding},
    )


def paragraphs(text: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """Spans of the stretches of `text[start:end]` that empty lines divide, without their edges."""
    for match in _PARAGRAPH.finditer(text, start, len(text) if end is None else end):
        words = match.group()
        left = len(words) - len(words.lstrip())
        right = len(words) - len(words.rstrip())
        yield match.start() + left, match.end() - right


def _title(text: str, spans: list[tuple[int, int]]) -> str:
    """The first line, if it stands alone above more text and does not read as a sentence."""
    if len(spans) < 2:
        return ""
    first = text[slice(*spans[0])]
    if "\n" in first or len(first) > _MAX_TITLE_CHARACTERS or first.endswith(_SENTENCE_END):
        return ""
    return first if any(character.isalpha() for character in first) else ""
