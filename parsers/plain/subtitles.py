"""Subtitles (SRT, WebVTT): what is said, as a paragraph for about each minute with its time.

Read here line by line, because the libraries for it pass over cues with a damaged time in silence.
"""

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder, clean_text
from parsers.text_encoding import decode

NAME: Final = "subtitles"
VERSION: Final = "1"

_PARAGRAPH_SECONDS: Final = 60
_TIMING: Final = re.compile(
    r"\s*(?:(\d{1,4})[:.])?(\d{1,3})[:.](\d{1,2})(?:[.,:]\d{1,3})?\s*--?>\s*[\d:.,]+"
)
_NUMBER: Final = re.compile(r"\s*\d+\s*")
_SPEAKER: Final = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]+)>")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|<\d[\d:.]*>|\{\\?[a-zA-Z]+[^{}]*\}")
_UNSAID: Final = re.compile(r"(?:STYLE|REGION)\b")
_NOTE: Final = re.compile(r"NOTE\b\s*")
_TITLE: Final = re.compile(r"WEBVTT[ \t]*-?[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class _Cue:
    start_seconds: int | None
    """None for a note, which belongs to no time."""
    words: str


def parse(task: ParseTask) -> ParsedDocument:
    text = clean_text(decode(task.data)[0])
    title = _TITLE.match(text)
    builder = TextBuilder()
    if title and title[1].strip():
        builder.add(BlockKind.HEADING, title[1], level=1)
    cues = list(_cues(text))
    for paragraph in _paragraphs(cues):
        builder.add(BlockKind.PARAGRAPH, paragraph)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=title[1].strip() if title else "",
        properties={"n_cues": str(sum(cue.start_seconds is not None for cue in cues))},
    )


def _cues(text: str) -> Iterator[_Cue]:
    """What stands under each time; a stretch without one is kept as a note."""
    start: int | None = None
    lines: list[str] = []
    for line in [*text.split("\n"), "00:00 --> 00:00"]:
        if timing := _TIMING.match(line):
            yield from _said(start, lines)
            start, lines = _seconds(timing), []
        else:
            lines.append(line)


def _said(start: int | None, lines: list[str]) -> Iterator[_Cue]:
    """The cue of these lines, which may end with the number of the next, and notes after it."""
    if lines and _NUMBER.fullmatch(lines[-1]) and (len(lines) == 1 or not lines[-2].strip()):
        lines = lines[:-1]
    for number, block in enumerate(_blocks(lines)):
        if _UNSAID.match(block) or (start is None and _TITLE.match(block)):
            continue
        is_note = start is None or (number and _NOTE.match(block))
        words = _plain(_NOTE.sub("", block, count=1) if is_note else block)
        if words:
            yield _Cue(None if is_note else start, words)


def _blocks(lines: Iterable[str]) -> list[str]:
    joined = "\n".join(lines).strip()
    return [block.strip() for block in re.split(r"\n[ \t]*\n", joined) if block.strip()]


def _plain(words: str) -> str:
    named = _SPEAKER.sub(lambda match: f"{match[1].strip()}: ", words)
    return " ".join(html.unescape(_TAG.sub("", named)).split())


def _seconds(timing: re.Match[str]) -> int:
    hours, minutes, seconds = timing.groups()
    return int(hours or 0) * 3600 + int(minutes) * 60 + int(seconds)


def _paragraphs(cues: Iterable[_Cue]) -> Iterator[str]:
    """A new one begins a minute after the last began; a line that is said again is left out."""
    begun, words = 0, list[str]()
    for cue in cues:
        if cue.start_seconds is None:
            yield cue.words
            continue
        if words and not begun <= cue.start_seconds < begun + _PARAGRAPH_SECONDS:
            yield _timed(begun, words)
            words = []
        if not words:
            begun = cue.start_seconds
        if cue.words not in words[-1:]:
            words.append(cue.words)
    if words:
        yield _timed(begun, words)


def _timed(seconds: int, words: Iterable[str]) -> str:
    minutes, second = divmod(seconds, 60)
    return f"[{minutes // 60:02}:{minutes % 60:02}:{second:02}] {' '.join(words)}"
