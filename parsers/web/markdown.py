"""Markdown with front matter. The text is the source as written; the blocks are its structure."""

import html
import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock, table
from markdown_it.token import Token

from parsers.contract import ParseTask
from parsers.document import Block, BlockKind, ParsedDocument, clean_text
from parsers.plain.text import paragraphs
from parsers.text_encoding import decode
from parsers.web.front_matter import split_front_matter

NAME: Final = "markdown"
VERSION: Final = f"2+markdown-it-{version('markdown-it-py')}"

_MAX_NESTING: Final = 40
_MAX_HEADING: Final = 1_000
"""Characters; also of a title, and of a line in which markup is looked for."""
_KINDS: Final = {
    "heading_open": BlockKind.HEADING,
    "paragraph_open": BlockKind.PARAGRAPH,
    "blockquote_open": BlockKind.QUOTE,
    "html_block": BlockKind.PARAGRAPH,
    "list_item_open": BlockKind.LIST_ITEM,
    "table": BlockKind.TABLE,
    "fence": BlockKind.CODE,
    "code_block": BlockKind.CODE,
}
_SHOWN: Final = frozenset({"text", "text_special", "code_inline", "image"})
_BREAKS: Final = frozenset({"softbreak", "hardbreak"})
_HTML_HEADING: Final = re.compile(r"<h([1-6])\b[^<>]*>(.*)</h\1\s*>", re.S | re.I)
_HTML_TAG: Final = re.compile(r"<[^<>]*>")
_WIKI_LINK: Final = re.compile(r"\[\[(?:[^\[\]|]*\|)?([^\[\]|]*)\]\]")
_LANGUAGE: Final = re.compile(r"[a-z]{2}(?:[-_]\w+)?$", re.I)
_CELL_EDGE: Final = re.compile(r"(?<!\\)\|")
_ATTRIBUTES: Final = re.compile(r"\s\{:?\s*[#.][^{}]*\}$")


def _table(state: StateBlock, start: int, end: int, silent: bool) -> bool:  # noqa: FBT001
    """A table as one token: the library's own rule takes half a kilobyte for every cell."""
    if not table(state, start, end, True):
        return False
    if silent:
        return True
    ends = state.md.block.ruler.getRules("blockquote")
    line = start + 2
    while line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        if state.is_code_block(line) or any(rule(state, line, end, True) for rule in ends):
            break
        line += 1
    state.push("table", "table", 0).map = [start, line]
    state.line = line
    return True


def _block_parser() -> MarkdownIt:
    """What is inside a line takes the library long to look at, and is not needed."""
    parser = MarkdownIt("commonmark", {"maxNesting": _MAX_NESTING})
    parser.block.ruler.at("table", _table, {"alt": ["paragraph", "reference"]})
    return parser.enable("table").disable(["inline", "text_join"])


_BLOCKS: Final = _block_parser()
_LINES: Final = MarkdownIt("commonmark")


def parse(task: ParseTask) -> ParsedDocument:
    characters, _ = decode(task.data)
    properties, text, n_broken = split_front_matter(clean_text(characters))
    blocks = tuple(_blocks(text, n_broken))
    language = properties.get("lang") or properties.get("language") or ""
    return ParsedDocument(
        text=text,
        blocks=blocks,
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=_title(properties) or _first_heading(blocks),
        language=language[:2].lower() if _LANGUAGE.match(language) else "und",
        properties=properties,
    )


def _blocks(text: str, start: int) -> Iterator[Block]:
    """Blocks of the text from `start` on, which is the first line behind broken front matter."""
    if start:
        yield from _paragraphs(text, 0, start)
    body = text[start:]
    starts = [start + position for position in _line_starts(body)]
    covered = 0  # The first line that no block has yet: what a list item holds is part of it.
    tokens = _BLOCKS.parse(body)
    for position, token in enumerate(tokens):
        kind = _KINDS.get(token.type)
        if kind is None or token.map is None or token.map[0] < covered:
            continue
        first, last = token.map
        yield from _paragraphs(text, starts[covered], starts[first])
        block = _block(text, kind, starts[first], starts[last], tokens, position)
        if block is not None:
            yield block
        covered = last
    yield from _paragraphs(text, starts[covered], starts[-1])


def _paragraphs(text: str, start: int, end: int) -> Iterator[Block]:
    """What is in none of the parser's blocks: targets of links. Lines without words are rules."""
    for first, last in paragraphs(text, start, end):
        if any(character.isalnum() for character in text[first:last]):
            yield Block(BlockKind.PARAGRAPH, first, last)


def _block(
    text: str, kind: BlockKind, start: int, end: int, tokens: list[Token], position: int
) -> Block | None:
    words = text[start:end]
    start += len(words) - len(words.lstrip())
    words = words.strip()
    if not words or (words.startswith("<!--") and words.find("-->") == len(words) - 3):
        return None
    if kind is BlockKind.HEADING and len(words) <= _MAX_HEADING:
        label = _words(tokens[position + 1].content)
        return Block(kind, start, start + len(words), int(tokens[position].tag[1:]), None, label)
    if tokens[position].type == "html_block" and (match := _HTML_HEADING.fullmatch(words)):
        label = " ".join(html.unescape(_HTML_TAG.sub(" ", match.group(2))).split())
        if label:
            level = int(match.group(1))
            return Block(BlockKind.HEADING, start, start + len(words), level, None, label)
    if kind is BlockKind.HEADING:
        kind = BlockKind.PARAGRAPH  # Lines above a row of dashes that was meant to divide.
    label = _header(words.partition("\n")[0]) if kind is BlockKind.TABLE else ""
    return Block(kind, start, start + len(words), 0, None, label)


def _header(row: str) -> str:
    return " | ".join(_words(cell) for cell in _CELL_EDGE.split(row.strip().strip("|")))


def _words(line: str) -> str:
    """A line without its markup."""
    if len(line) > _MAX_HEADING:
        return " ".join(line.split())
    (inline,) = _LINES.parseInline(line)
    parts = [
        " " if child.type in _BREAKS else child.content
        for child in inline.children or []
        if child.type in _SHOWN or child.type in _BREAKS
    ]
    words = " ".join("".join(parts).split())
    return _ATTRIBUTES.sub("", _WIKI_LINK.sub(r"\1", words))


def _line_starts(text: str) -> list[int]:
    starts = [0]
    starts.extend(match.end() for match in re.finditer(r"\n", text))
    starts.append(len(text))
    return starts


def _title(properties: Mapping[str, str]) -> str:
    return " ".join(properties.get("title", "").split())[:_MAX_HEADING]


def _first_heading(blocks: tuple[Block, ...]) -> str:
    return next((block.label for block in blocks if block.kind is BlockKind.HEADING), "")
