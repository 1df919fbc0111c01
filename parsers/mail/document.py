"""The document of a mail, from whatever format it came in."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import Final

from lxml import etree
from lxml import html as lxml_html

from parsers.archives.member_names import DistinctNames, file_name
from parsers.contract import ParseTask
from parsers.document import BlockKind, Member, ParsedDocument, TextBuilder, clean_text
from parsers.errors import Encrypted
from parsers.mail.quotes import passages, quoted_lines
from parsers.unpacking import check_count
from parsers.web.blocks import add_html

_BEGIN: Final = "\ue000"
_END: Final = "\ue001"
_REST: Final = "\ue002"
"""Marks put into the markup of a mail: what is quoted lies between, or is all that follows."""
_MARK: Final = re.compile(f"[{_BEGIN}{_END}{_REST}]")
_QUOTED: Final = (
    "//blockquote"
    " | //*[contains(@class, 'gmail_quote') or contains(@class, 'yahoo_quoted')"
    " or contains(@class, 'protonmail_quote') or contains(@class, 'moz-cite-prefix')"
    " or contains(@class, 'gmail_attr')]"
)
_HISTORY_STARTS: Final = (
    "//*[@id='divRplyFwdMsg' or @id='appendonsend' or @id='OLK_SRC_BODY_SECTION'"
    " or contains(@class, 'OutlookMessageHeader')]"
    " | //div[contains(@style, 'border:none') and contains(@style, 'border-top:solid #')]"
)
_MAY_QUOTE: Final = re.compile(
    r"<blockquote|_quote|gmail_attr|moz-cite|divRplyFwdMsg|appendonsend|OLK_SRC_BODY"
    r"|OutlookMessageHeader|border-top:solid #",
    re.I,
)
_WORD: Final = re.compile(r"\w+")
_SAME_SHARE: Final = 0.8
"""Of the words of the HTML body, as many as a plain one must have to be read in its place."""
_PGP_MESSAGE: Final = "-----BEGIN PGP MESSAGE-----"
_PGP_SIGNED: Final = re.compile(
    r"-----BEGIN PGP SIGNED MESSAGE-----\n(?:\w+: [^\n]*\n)*\n"
    r"|-----BEGIN PGP SIGNATURE-----(?:(?!-----).)*-----END PGP SIGNATURE-----\n?",
    re.S,
)


@dataclass(frozen=True, slots=True)
class Body:
    """The same words in up to two forms."""

    plain: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """What a mail says and holds."""

    properties: dict[str, str]
    """`subject`, `from`, `to`, `cc`, `date` (ISO 8601 UTC), …; empty where it has none."""
    bodies: tuple[Body, ...]
    """One after the other."""
    attachments: tuple[Member, ...] = field(default=(), repr=False)
    """With the names that they have in the mail, which need be neither safe nor different."""


@dataclass(frozen=True, slots=True)
class _Piece:
    kind: BlockKind
    words: str
    level: int = 0
    header: str = ""


def document(mail: Mail, task: ParseTask, parser: str, parser_version: str) -> ParsedDocument:
    """The mail as text, its attachments as members.

    Raises:
        Encrypted: Its body can be read only with a key.
        DecompressionBomb: It has too many attachments.
    """
    if any(body.plain.lstrip().startswith(_PGP_MESSAGE) for body in mail.bodies):
        raise Encrypted("the body is a PGP message")
    check_count(len(mail.attachments), task.options)
    properties = {name: clean_text(value).strip() for name, value in mail.properties.items()}
    title = " ".join(properties.get("subject", "").split())
    builder = TextBuilder()
    builder.add(BlockKind.HEADING, title, level=1)
    for piece in chain.from_iterable(map(_pieces, mail.bodies)):
        level = min(piece.level + 1, 6) if piece.level else 0
        builder.add(piece.kind, piece.words, level=level, header=piece.header)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=parser,
        parser_version=parser_version,
        title=title,
        properties={name: value for name, value in properties.items() if value},
        members=tuple(_members(mail.attachments)),
    )


def _members(attachments: Iterable[Member]) -> Iterator[Member]:
    names = DistinctNames()
    for found in attachments:
        name = names.name(file_name(found.name))
        yield Member(name, found.data, found.code, found.detail)


def _pieces(body: Body) -> list[_Piece]:
    """From the plain form, unless the HTML one says more."""
    plain = [
        _Piece(BlockKind.QUOTE if passage.is_quoted else BlockKind.PARAGRAPH, passage.words)
        for passage in passages(_PGP_SIGNED.sub("", clean_text(body.plain)))
    ]
    rich = _html_pieces(body.html) if body.html.strip() else []
    words = set(_words(rich))
    shared = words.intersection(_words(plain))
    return plain if plain and len(shared) >= _SAME_SHARE * len(words) else rich or plain


def _words(pieces: Iterable[_Piece]) -> Iterator[str]:
    for piece in pieces:
        yield from _WORD.findall(piece.words.lower())


def _html_pieces(markup: str) -> list[_Piece]:
    markup = _MARK.sub("", markup.replace("\x00", ""))
    marked = _with_marks(markup) if _MAY_QUOTE.search(markup) else markup
    builder = TextBuilder()
    add_html(builder, marked, main_content=False)
    text = builder.text
    pieces = [
        _Piece(block.kind, text[block.start : block.end], block.level, block.label)
        for block in builder.blocks
    ]
    return list(_without_marks(pieces)) if marked is not markup else _judged_by_words(pieces)


def _with_marks(markup: str) -> str:
    """The markup with a mark before and after each quotation, and where the history starts."""
    try:
        page = lxml_html.document_fromstring(markup)
    except (etree.ParserError, ValueError):
        return markup
    starts = page.xpath(_HISTORY_STARTS)[:1]
    quoted = [element for element in page.xpath(_QUOTED) if element.getparent() is not None]
    for element in quoted:
        element.addprevious(_mark(_BEGIN))
        after = _mark(_END)
        after.tail, element.tail = element.tail, None
        element.addnext(after)
    for element in starts:
        element.insert(0, _mark(_REST))
    return str(etree.tostring(page, encoding="unicode", method="html"))


def _mark(character: str) -> lxml_html.HtmlElement:
    mark = lxml_html.Element("p")
    mark.text = character
    return mark


def _without_marks(pieces: Iterable[_Piece]) -> Iterator[_Piece]:
    depth = 0
    for piece in pieces:
        start = 0
        for mark in _MARK.finditer(piece.words):
            yield _as_quote(piece, piece.words[start : mark.start()], depth)
            depth = _depth_after(mark.group(), depth)
            start = mark.end()
        yield _as_quote(piece, piece.words[start:], depth)


def _depth_after(mark: str, depth: int) -> int:
    if mark == _REST:
        return depth + 1_000_000
    return depth + 1 if mark == _BEGIN else max(depth - 1, 0)


def _as_quote(piece: _Piece, words: str, depth: int) -> _Piece:
    if depth or piece.kind is BlockKind.QUOTE:
        return _Piece(BlockKind.QUOTE, words)
    return _Piece(piece.kind, words, piece.level, piece.header)


def _judged_by_words(pieces: list[_Piece]) -> list[_Piece]:
    """Quoted are those at and after the words that introduce a history."""
    lines = [(number, line) for number, piece in enumerate(pieces) for line in _lines(piece)]
    quoted = quoted_lines([line for _, line in lines])
    first = next(
        (number for (number, _), is_quoted in zip(lines, quoted, strict=True) if is_quoted),
        len(pieces),
    )
    return [*pieces[:first], *(_as_quote(piece, piece.words, 1) for piece in pieces[first:])]


def _lines(piece: _Piece) -> list[str]:
    return piece.words.split("\n")
