"""Small office documents and e-books made for tests."""

import io
from pathlib import Path

import pptx

from parsers.media_type import EPUB, ODP, ODT
from tests.documents import zipped

_FIXTURES = Path(__file__).parent / "fixtures"
_NAMESPACES = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in (
        ("office", "office"),
        ("text", "text"),
        ("draw", "drawing"),
        ("presentation", "presentation"),
    )
)


def slides(*titles_and_words: tuple[str, str]) -> bytes:
    """A PowerPoint file with a slide for each title and body."""
    made = pptx.Presentation()
    for title, words in titles_and_words:
        slide = made.slides.add_slide(made.slide_layouts[1])
        slide.shapes.title.text = title
        slide.placeholders[1].text = words
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def open_text(heading: str, words: str) -> bytes:
    """An OpenDocument text."""
    inner = f'<text:h text:outline-level="1">{heading}</text:h><text:p>{words}</text:p>'
    return _open_document(ODT, f"<office:text>{inner}</office:text>")


def open_slides(title: str, words: str) -> bytes:
    """An OpenDocument presentation of one slide."""
    frame = (
        '<draw:frame presentation:class="{}"><draw:text-box><text:p>{}</text:p>'
        "</draw:text-box></draw:frame>"
    )
    page = frame.format("title", title) + frame.format("outline", words)
    inner = f"<office:presentation><draw:page>{page}</draw:page></office:presentation>"
    return _open_document(ODP, inner)


def _open_document(media_type: str, inner: str) -> bytes:
    content = (
        f"<office:document-content {_NAMESPACES}><office:body>{inner}</office:body>"
        "</office:document-content>"
    )
    return zipped(mimetype=media_type.encode(), **{"content.xml": content.encode()})


def rich_text(heading: str, words: str) -> bytes:
    """An RTF file."""
    styles = r"{\stylesheet{\s1 heading 1;}}"
    return rf"{{\rtf1\ansi{styles}\pard\s1 {heading}\par\pard {words}\par}}".encode("cp1252")


def book(title: str, words: str) -> bytes:
    """An EPUB of one chapter."""
    parts = {
        "mimetype": EPUB,
        "META-INF/container.xml": (
            '<container><rootfiles><rootfile full-path="book.opf"/></rootfiles></container>'
        ),
        "book.opf": (
            '<package><manifest><item id="a" href="a.xhtml" media-type="application/xhtml+xml"/>'
            '</manifest><spine><itemref idref="a"/></spine></package>'
        ),
        "a.xhtml": f"<html><body><h1>{title}</h1><p>{words}</p></body></html>",
    }
    return zipped(**{name: part.encode() for name, part in parts.items()})


def old_word(words: str) -> bytes:
    """A Word 97 file with these words of at most 60 characters in it, and others around them."""
    before = "Verwenden Sie ein Standardniveau, sobald sowohl die Namensba"
    data = (_FIXTURES / "heading_styles.doc").read_bytes()
    return _replaced(data, before, words)


def old_slides(words: str) -> bytes:
    """A PowerPoint 97 file with these words of at most 60 characters in it, and others around."""
    before = "This bit is underlined, and in Times New Roman, but at a lar"
    return _replaced((_FIXTURES / "one_slide.ppt").read_bytes(), before, words)


def _replaced(data: bytes, before: str, after: str) -> bytes:
    after = after.ljust(len(before))
    for encoding in ("cp1252", "utf-16-le"):
        if before.encode(encoding) in data:
            return data.replace(before.encode(encoding), after.encode(encoding))
    raise AssertionError("the fixture is another one")
