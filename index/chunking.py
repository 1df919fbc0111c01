"""Cutting a document's text into chunks along its structure, sized for the embedding model.

A chunk is a run of whole sentences, list items, table rows or lines of code of up to
`target_tokens`. A heading always starts a new one: that keeps what is said together, and an edit
moves no cut below the next heading, so that less is embedded again. What a mail quotes is never in
one chunk with what is new in it. Rows of a table are embedded with its header.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Final

from index.batching import batches
from index.identity import fold
from index.markup import plain
from index.tokens import TokenCounter
from parsers.document import Block, BlockKind, ParsedDocument
from parsers.media_type import EML, MSG

_CHARACTERS_PER_TOKEN: Final = 3
"""Blocks of fewer characters for each token of the target are sure to fit into a chunk."""
_MAX_CHARACTERS_PER_TOKEN: Final = 8

_MAILS: Final = (EML, MSG)

_SENTENCE_END: Final = re.compile(r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？])")
_LINE_END: Final = re.compile(r"\n+")
_ITEM_END: Final = re.compile(
    r"(?<=[.!?…])(?<!\d\.)[\"'”’)\]]*\s+|(?<=[。！？])"
    r"|\n(?=[ \t]*(?:\n|[-*+•][ \t]|\d{1,3}[.)][ \t]))"
)
"""Of a sentence, or of the item above another one; not of a line, for items are wrapped anew."""


@dataclass(frozen=True, slots=True)
class ChunkerSettings:
    """What decides where chunks begin and end; part of a generation's identity."""

    target_tokens: int = 160
    """No chunk has more tokens of its own text, unless a single sentence has."""
    max_prefix_tokens: int = 40
    """Of title and headings, which are embedded with the text."""
    max_header_tokens: int = 40
    """Of a table's header row, which is embedded with each group of later rows."""
    version: int = 2
    """Of this module's rules."""

    @property
    def max_characters(self) -> int:
        """Of a chunk, beside white space: a word that the tokenizer doesn't know is one token."""
        return self.target_tokens * _MAX_CHARACTERS_PER_TOKEN

    @property
    def key(self) -> str:
        return " ".join(f"{name}={value}" for name, value in asdict(self).items())

    @classmethod
    def from_key(cls, key: str) -> "ChunkerSettings":
        """The settings with this key; what it does not name is as it is by default."""
        stated = (part.split("=") for part in key.split() if "=" in part)
        known = {field.name for field in fields(cls)}
        return cls(**{name: int(value) for name, value in stated if name in known})


@dataclass(frozen=True, slots=True)
class Chunk:
    """A span of a version's text: `version_text[start:end] == text`."""

    ordinal: int
    """0-based position among the document's chunks."""
    start: int
    """First character, 0-based, in Unicode code points of the version's text."""
    end: int
    """One past the last character."""
    text: str
    heading_path: tuple[str, ...]
    """The headings that it stands under, outermost first."""
    page_first: int | None
    """1-based; None where the format has no pages."""
    page_last: int | None
    embedding_text: str
    """What the model reads: title, headings and a table's header, then the text without its markup,
    folded.
    """
    n_tokens: int
    """Of `embedding_text`, with the model's special tokens."""


def chunk_document(
    document: ParsedDocument,
    counter: TokenCounter,
    settings: ChunkerSettings,
    *,
    unusable_pages: frozenset[int] = frozenset(),
) -> list[Chunk]:
    """The chunks of a document, in the order of its text.

    Args:
        document: What a parser made.
        counter: The tokenizer of the model that will embed the chunks.
        settings: Sizes.
        unusable_pages: 1-based numbers of pages to leave out.
    """
    pieces = (
        piece
        for piece in _pieces(document, settings)
        if piece.page is None or piece.page not in unusable_pages
    )
    measured = _measured(pieces, document, counter, settings)
    groups = _packed(measured, settings, apart=document.media_type in _MAILS)
    chunks = _finished(groups, document, counter, settings)
    return [replace(chunk, ordinal=ordinal) for ordinal, chunk in enumerate(chunks)]


@dataclass(frozen=True, slots=True)
class _Piece:
    """The smallest stretch of text that is not cut without need."""

    start: int
    end: int
    kind: BlockKind
    page: int | None
    heading_path: tuple[str, ...]
    header: str = ""
    """Of the table whose later rows it is."""
    n_tokens: int = 0
    n_characters: int = 0
    """White space not counted: the same text wrapped or padded anew is cut in the same places."""


def _pieces(document: ParsedDocument, settings: ChunkerSettings) -> Iterator[_Piece]:
    path: list[tuple[int, str]] = []
    for block in document.blocks:
        if block.kind is BlockKind.HEADING:
            path = [(level, label) for level, label in path if level < block.level]
            path.append((block.level, block.label))
        labels = tuple(label for _, label in path)
        header = block.label if block.kind is BlockKind.TABLE else ""
        for start, end in _parts(document.text, block, settings):
            repeated = header if start > block.start else ""
            yield _Piece(start, end, block.kind, block.page, labels, repeated)


def _parts(text: str, block: Block, settings: ChunkerSettings) -> Iterator[tuple[int, int]]:
    """Sentences of prose; parts of anything else that is too long to stay whole."""
    if block.kind in (BlockKind.PARAGRAPH, BlockKind.QUOTE):
        return _split(text, block.start, block.end, _SENTENCE_END)
    n_characters = len(fold(text[block.start : block.end]))
    if n_characters <= settings.target_tokens * _CHARACTERS_PER_TOKEN:
        return iter([(block.start, block.end)])
    cut = _ITEM_END if block.kind is BlockKind.LIST_ITEM else _LINE_END
    return _split(text, block.start, block.end, cut)


def _split(text: str, start: int, end: int, cut: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    for match in cut.finditer(text, start, end):
        if match.start() > start:
            yield start, match.start()
        start = match.end()
    if start < end:
        yield start, end


def _measured(
    pieces: Iterable[_Piece],
    document: ParsedDocument,
    counter: TokenCounter,
    settings: ChunkerSettings,
) -> Iterator[_Piece]:
    """The pieces with their sizes; those that are too long for a chunk are cut between words."""
    longest = settings.max_characters
    for some in batches(pieces):
        sizes = counter.count([plain(document, piece.start, piece.end) for piece in some])
        for piece, n_tokens in zip(some, sizes, strict=True):
            n_characters = _n_characters(document.text, piece.start, piece.end)
            if n_tokens <= settings.target_tokens and n_characters <= longest:
                yield replace(piece, n_tokens=n_tokens, n_characters=n_characters)
            else:
                yield from _cut(piece, document.text, counter, settings.target_tokens, longest)


def _cut(
    piece: _Piece, text: str, counter: TokenCounter, max_tokens: int, max_characters: int
) -> Iterator[_Piece]:
    """Parts of a piece of at most so many tokens and characters, cut where a token begins."""
    starts = [piece.start + offset for offset in counter.starts(text[piece.start : piece.end])]
    longest = re.compile(rf"(?:\s*+\S){{{max_characters}}}")
    first, start = 0, piece.start
    while start < piece.end:
        last = first + max_tokens
        end = starts[last] if last < len(starts) else piece.end
        if too_long := longest.match(text, start, end):
            end = too_long.end()
            last = bisect_left(starts, end)
        n_characters = _n_characters(text, start, end)
        yield replace(piece, start=start, end=end, n_tokens=last - first, n_characters=n_characters)
        first, start = last, end


def _n_characters(text: str, start: int, end: int) -> int:
    return sum(map(len, text[start:end].split()))


def _packed(
    pieces: Iterable[_Piece], settings: ChunkerSettings, *, apart: bool
) -> Iterator[list[_Piece]]:
    """Groups of pieces, one for each chunk; if `apart`, none has both quoted and other words."""
    group: list[_Piece] = []
    for piece in pieces:
        if group and (_ends_before(piece, group, settings) or (apart and _turns(piece, group[-1]))):
            carried = _trailing_headings(group)
            if len(carried) < len(group):
                yield group[: len(group) - len(carried)]
                group = carried
        group.append(piece)
    if group:
        yield group


def _ends_before(piece: _Piece, group: Sequence[_Piece], settings: ChunkerSettings) -> bool:
    if piece.kind is BlockKind.HEADING and group[-1].kind is not BlockKind.HEADING:
        return True
    n_tokens = sum(member.n_tokens for member in group) + piece.n_tokens
    n_characters = sum(member.n_characters for member in group) + piece.n_characters
    return n_tokens > settings.target_tokens or n_characters > settings.max_characters


def _turns(piece: _Piece, before: _Piece) -> bool:
    """Whether a quotation begins or ends with a piece."""
    return (piece.kind is BlockKind.QUOTE) is not (before.kind is BlockKind.QUOTE)


def _trailing_headings(group: Sequence[_Piece]) -> list[_Piece]:
    """Headings at the end of a group, which belong with what follows them."""
    n_others = len(group)
    while n_others and group[n_others - 1].kind is BlockKind.HEADING:
        n_others -= 1
    return list(group[n_others:])


def _finished(
    groups: Iterable[Sequence[_Piece]],
    document: ParsedDocument,
    counter: TokenCounter,
    settings: ChunkerSettings,
) -> Iterator[Chunk]:
    n_special = counter.window - counter.capacity
    for some in batches(groups):
        candidates = [_chunk(group, document, counter, settings) for group in some]
        sizes = counter.count([chunk.embedding_text for chunk in candidates])
        for group, chunk, n_tokens in zip(some, candidates, sizes, strict=True):
            if n_tokens > counter.capacity:
                # Markup that was cut in two is text to the model, and longer than its parts were.
                halves = _halves(group, document.text, counter)
                yield from _finished(halves, document, counter, settings)
            elif chunk.text:
                yield replace(chunk, n_tokens=n_tokens + n_special)


def _halves(
    group: Sequence[_Piece], text: str, counter: TokenCounter
) -> tuple[Sequence[_Piece], Sequence[_Piece]]:
    if len(group) > 1:
        middle = len(group) // 2
        return group[:middle], group[middle:]
    (piece,) = group
    starts = counter.starts(text[piece.start : piece.end])
    middle = piece.start + starts[len(starts) // 2]
    return [replace(piece, end=middle)], [replace(piece, start=middle)]


def _chunk(
    group: Sequence[_Piece],
    document: ParsedDocument,
    counter: TokenCounter,
    settings: ChunkerSettings,
) -> Chunk:
    start, end = _trimmed(document.text, group[0].start, group[-1].end)
    heading_path = group[-1].heading_path
    own = {piece.heading_path[-1] for piece in group if piece.kind is BlockKind.HEADING}
    above = [label for label in heading_path if label not in own]
    pages = [piece.page for piece in group if piece.page is not None]
    body = plain(document, start, end)
    prefix = _prefix(document.title, above, body, counter, settings.max_prefix_tokens)
    header = _shortened(group[0].header, counter, settings.max_header_tokens)
    return Chunk(
        ordinal=0,
        start=start,
        end=end,
        text=document.text[start:end],
        heading_path=heading_path,
        page_first=min(pages, default=None),
        page_last=max(pages, default=None),
        embedding_text=fold(f"{prefix} {header} {body}"),
        n_tokens=0,
    )


def _prefix(
    title: str, heading_path: Sequence[str], body: str, counter: TokenCounter, max_tokens: int
) -> str:
    """Title and headings, without those that the body starts with, the innermost kept longest."""
    labels = [label for label in dict.fromkeys([title, *heading_path]) if label]
    labels = [label for label in labels if not body.startswith(label)]
    sizes = counter.count(labels)
    while labels and sum(sizes) > max_tokens:
        drop = 1 if len(labels) > 1 else 0  # The title says most: the next outermost goes first.
        del labels[drop], sizes[drop]
    return ". ".join(labels)


def _shortened(words: str, counter: TokenCounter, max_tokens: int) -> str:
    starts = counter.starts(words)
    return words[: starts[max_tokens]] if len(starts) > max_tokens else words


def _trimmed(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end
