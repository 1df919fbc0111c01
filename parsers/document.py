"""What parsing yields: the text of a document, and where its structure lies in that text."""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter

from parsers.reasons import Reason


class BlockKind(StrEnum):
    HEADING = "heading"
    PARAGRAPH = "paragraph"
    LIST_ITEM = "list_item"
    TABLE = "table"
    CODE = "code"
    QUOTE = "quote"
    """Somebody else's words: the history below a mail."""


@dataclass(frozen=True, slots=True)
class Block:
    """A stretch of the text that belongs together: `text[start:end]`."""

    kind: BlockKind
    start: int
    """First character, 0-based, in Unicode code points of the normalised text."""
    end: int
    """One past the last character."""
    level: int = 0
    """Depth of a heading, 1 to 6; 0 for any other block."""
    page: int | None = None
    """1-based; None where the format has no pages."""
    label: str = ""
    """The words of a heading without its markup; of a table its header row, which is embedded again
    with each group of later rows. Empty for any other block, and for a table without a header.
    """


@dataclass(frozen=True, slots=True)
class Page:
    """A page and its stretch of the text: `text[start:end]`, empty where nothing could be read."""

    number: int
    """1-based position in the document."""
    start: int
    end: int
    has_picture: bool = False
    """It has hardly any text and a picture, in which there may be more."""
    problem: str = ""
    """What the parser could not do with the page, in words; empty if it had no trouble."""
    label: str = ""
    """What is printed on it for a number: `iv`, `A-3`. Empty where that is the position itself."""
    engine: str = ""
    """Which engine read it; empty where the parser has only one."""


@dataclass(frozen=True, slots=True)
class Member:
    """A document inside another: an attachment, a file in an archive."""

    name: str
    """Its path in there, with `/`; unlike that of any other member."""
    data: bytes = field(repr=False)
    code: Reason | None = None
    """Why it could not be taken out; `data` is empty then."""
    detail: str = ""
    """With `code`: what was found, in one line and without any text of the document."""
    skip_rule: str = ""
    """The setting that excludes it; `data` is empty then."""


@dataclass(frozen=True, slots=True)
class ParsedDocument:
    """The text of one version of a document with its structure and properties.

    Blocks are in the order of the text, do not overlap, and are not blank.
    """

    text: str
    """Normalised by `clean_text`."""
    blocks: tuple[Block, ...]
    media_type: str
    """As found in the content, which may differ from what the name promises."""
    parser: str
    parser_version: str
    pages: tuple[Page, ...] = ()
    """Empty where the format has no pages."""
    title: str = ""
    language: str = "und"
    """ISO 639-1, or `und` where it cannot be told."""
    properties: dict[str, str] = field(default_factory=dict)
    """Front matter or document properties, as text: `author`, `effective_date`, …"""
    losses: tuple[str, ...] = ()
    """What besides whole pages could not be read: one line each, without text of the document."""
    members: tuple[Member, ...] = field(default=(), repr=False)
    """Documents inside this one. They become documents of their own and are not stored with it."""


_ADAPTER: Final = TypeAdapter(ParsedDocument)


def to_json(document: ParsedDocument) -> bytes:
    """Everything but the members."""
    return _ADAPTER.dump_json(document, exclude={"members"})


def from_json(data: bytes) -> ParsedDocument:
    """Read what `to_json` wrote.

    Raises:
        pydantic.ValidationError: `data` is something else.
    """
    return _ADAPTER.validate_json(data)


# Tab and newline stay; every other control, lone surrogates and non-characters are never text.
_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\ufeff]"
)


def clean_text(text: str) -> str:
    """The normalised form in which all text is kept: NFC, line feeds for newlines, no controls."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\f", "\n").replace("\x85", "\n")
    return unicodedata.normalize("NFC", _UNPRINTABLE.sub("", text))


class TextBuilder:
    """Writes a text block by block and remembers where each one lies."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._length = 0
        self.blocks: list[Block] = []

    @property
    def text(self) -> str:
        return "".join(self._parts)

    @property
    def position(self) -> int:
        """Where the next character will stand, 0-based."""
        return self._length

    def add(
        self,
        kind: BlockKind,
        text: str,
        *,
        level: int = 0,
        page: int | None = None,
        header: str = "",
    ) -> None:
        """Append a block, set off from the one before by an empty line; a blank one is dropped.

        Args:
            kind: What it is.
            text: Its words; not yet normalised.
            level: Of a heading.
            page: Where it stands, 1-based.
            header: Of a table, its header row.
        """
        words = clean_text(text)
        words = words.strip("\n").rstrip() if kind is BlockKind.CODE else words.strip()
        if not words:
            return
        if self._length:
            self._write("\n" if self._follows_list(kind) else "\n\n")
        start = self._length
        self._write(words)
        label = " ".join((words if kind is BlockKind.HEADING else clean_text(header)).split())
        self.blocks.append(Block(kind, start, self._length, level, page, label))

    def _follows_list(self, kind: BlockKind) -> bool:
        return kind is BlockKind.LIST_ITEM and self.blocks[-1].kind is BlockKind.LIST_ITEM

    def _write(self, text: str) -> None:
        self._parts.append(text)
        self._length += len(text)
