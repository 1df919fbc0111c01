"""HTML by unstructured: headings, paragraphs, lists and tables; what is hidden is left out."""

import re
from collections.abc import Sequence
from typing import Any, Final

from lxml import etree
from lxml import html as lxml_html

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, clean_text
from parsers.text_encoding import decode
from parsers.unstructured_elements import VERSION as ELEMENTS_VERSION
from parsers.unstructured_elements import build_text, keep_offline

NAME: Final = "html"
VERSION: Final = f"1+{ELEMENTS_VERSION}"

_DECLARED_ENCODING: Final = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.I)
_XML_DECLARATION: Final = re.compile(r"^\s*<\?xml[^>]*\?>")
_UNSEEN: Final = (
    "//script | //style | //template | //noscript | //nav | //comment()"
    " | //*[@hidden] | //*[@aria-hidden='true'] | //*[@role='navigation']"
    " | //*[contains(translate(@style, ' ', ''), 'display:none')]"
    " | //*[contains(translate(@style, ' ', ''), 'visibility:hidden')]"
)


def parse(task: ParseTask) -> ParsedDocument:
    keep_offline()
    from unstructured.partition.html import partition_html

    page = _page(_characters(task.data))
    if page is None:
        return _document(task, None, [])
    seen = etree.tostring(_without_unseen(page), encoding="unicode", method="html")
    # An empty language stops unstructured from guessing one with another library.
    elements = partition_html(text=seen, languages=[""]) if seen.strip() else []
    return _document(task, page, elements)


def _characters(data: bytes) -> str:
    declared = _DECLARED_ENCODING.search(data[:2048])
    if declared and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        try:
            return data.decode(declared.group(1).decode("ascii"))
        except (LookupError, UnicodeDecodeError):
            pass  # The declaration is wrong, as it often is: find out.
    return decode(data)[0]


def _page(characters: str) -> lxml_html.HtmlElement | None:
    markup = _XML_DECLARATION.sub("", characters).replace("\x00", "")
    if not markup.strip():
        return None
    try:
        return lxml_html.document_fromstring(markup, parser=lxml_html.HTMLParser(no_network=True))
    except etree.ParserError:
        return None  # Nothing in it but comments or processing instructions.


def _without_unseen(page: lxml_html.HtmlElement) -> lxml_html.HtmlElement:
    for element in page.xpath(_UNSEEN):
        if element.getparent() is not None:
            element.drop_tree()
    return page


def _document(
    task: ParseTask, page: lxml_html.HtmlElement | None, elements: Sequence[Any]
) -> ParsedDocument:
    builder = build_text(elements)
    first_heading = next((b.label for b in builder.blocks if b.kind is BlockKind.HEADING), "")
    title = "" if page is None else " ".join((page.findtext(".//title") or "").split())
    language = "" if page is None else (page.get("lang") or "").split("-")[0].lower()
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=clean_text(title) or first_heading,
        language=language if re.fullmatch("[a-z]{2}", language) else "und",
    )
