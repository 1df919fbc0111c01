"""Markdown with front matter. The text is the source as written; the blocks are its structure."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from parsers.contract import ParseTask
from parsers.document import Block, BlockKind, ParsedDocument, clean_text
from parsers.text_encoding import decode

NAME: Final = "markdown"
VERSION: Final = "1"

_FRONT_MATTER: Final = re.compile(r"\A---[ \t]*\n(.*?\n)??(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S)
_MAX_NESTING: Final = 40
_KINDS: Final = {
    "heading_open": BlockKind.HEADING,
    "paragraph_open": BlockKind.PARAGRAPH,
    "blockquote_open": BlockKind.PARAGRAPH,
    "html_block": BlockKind.PARAGRAPH,
    "list_item_open": BlockKind.LIST_ITEM,
    "table_open": BlockKind.TABLE,
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
}


def parse(task: ParseTask) -> ParsedDocument:
    characters, _ = decode(task.data)
    source = clean_text(characters)
    properties, text = _split_front_matter(source)
    blocks = tuple(_blocks(text))
    return ParsedDocument(
        text=text,
        blocks=blocks,
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=properties.get("title") or _first_heading(blocks),
        language=properties.get("lang", "und"),
        properties=properties,
    )


def _split_front_matter(source: str) -> tuple[dict[str, str], str]:
    match = _FRONT_MATTER.match(source)
    if match is None:
        return {}, source
    try:
        values = yaml.safe_load(match.group(1) or "")
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}, source  # A rule and some text between rules, or broken: it stays in the text.
    if values is None:
        values = {}
    if not isinstance(values, dict):
        return {}, source
    properties = {str(key): _as_text(value) for key, value in values.items()}
    return properties, source[match.end() :]


def _as_text(value: object) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return ", ".join(_as_text(item) for item in value)
    return "" if value is None else clean_text(str(value)).strip()


def _blocks(text: str) -> Iterator[Block]:
    starts = _line_starts(text)
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING}).enable("table")
    covered = 0  # The first line that no block has yet: what a list item holds is part of it.
    tokens = parser.parse(text)
    for position, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind is None or token.map is None or token.map[0] < covered:
            continue
        first, last = token.map
        block = _block(text, kind, starts[first], starts[last], tokens, position)
        if block is not None:
            yield block
            covered = last


def _block(
    text: str, kind: BlockKind, start: int, end: int, tokens: list[Token], position: int
) -> Block | None:
    words = text[start:end]
    trimmed_start = start + len(words) - len(words.lstrip())
    trimmed_end = start + len(words.rstrip())
    if trimmed_end <= trimmed_start:
        return None
    if kind is not BlockKind.HEADING:
        return Block(kind, trimmed_start, trimmed_end)
    level = int(tokens[position].tag[1:])
    label = _words(tokens[position + 1])
    return Block(kind, trimmed_start, trimmed_end, level, None, label)


def _words(inline: Token) -> str:
    """The text of a heading without its markup."""
    children = inline.children or []
    parts = [child.content if child.type in ("text", "code_inline") else " " for child in children]
    return " ".join("".join(parts).split())


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts.extend(match.end() for match in re.finditer(r"\n", text))
    starts.append(len(text))
    return starts


def _first_heading(blocks: tuple[Block, ...]) -> str:
    return next((block.label for block in blocks if block.kind is BlockKind.HEADING), "")
