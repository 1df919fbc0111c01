"""OpenDocument texts and presentations, as LibreOffice writes them.

Left out are running headers and footers, comments, what a tracked change deletes, hidden text and
hidden slides unless asked for. Footnotes follow the paragraph that refers to them. A slide is a
page; a hidden one keeps its number.
"""

import re
from typing import Final

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, Page, ParsedDocument, TextBuilder
from parsers.errors import Corrupt, TooManyPages
from parsers.office.properties import best_title
from parsers.office.slide_order import reading_order
from parsers.opendocument.package import check_open, stated_properties
from parsers.opendocument.styles import Styles
from parsers.opendocument.text_blocks import ContentWriter
from parsers.zipped_xml import VERSION as XML_VERSION
from parsers.zipped_xml import Archive, attribute, child, children, local_name

NAME: Final = "opendocument"
VERSION: Final = f"1+{XML_VERSION}"

_MAX_CAPTION_CHARACTERS: Final = 50
"""A slide with less text than this is asked whether it holds a picture."""
_RUNNING: Final = ("date-time", "footer", "header", "page-number", "page")
_TITLE_LEVEL: Final = 2
"""As in a PowerPoint file, where level 1 is the title of the whole."""
_LENGTH: Final = re.compile(r"(-?[\d.]{1,20})(cm|mm|in|pt|pc|px)")
_MILLIMETRES: Final = {"cm": 10, "mm": 1, "in": 25.4, "pt": 25.4 / 72, "pc": 25.4 / 6, "px": 0.2646}
_SAME_ROW_MM: Final = 6.35
"""A quarter of an inch."""


def parse(task: ParseTask) -> ParsedDocument:
    archive = Archive(task.data, task.options)
    check_open(archive)
    content = archive.xml("content.xml")
    body = child(content, "body")
    styles = Styles(archive.xml("styles.xml"), content)
    builder = TextBuilder()
    writer = ContentWriter(builder, styles, include_hidden=task.options.include_hidden)
    try:
        pages = _write_body(task, body, writer, styles)
    except RecursionError as error:
        raise Corrupt("nested too deep") from error
    stated_title, properties = stated_properties(archive)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(pages),
        title=best_title(stated_title, builder.blocks),
        properties=properties,
    )


def _write_body(
    task: ParseTask, body: etree._Element | None, writer: ContentWriter, styles: Styles
) -> list[Page]:
    text, show = child(body, "text"), child(body, "presentation")
    if text is not None:
        writer.write(text)
        return []
    if show is None:
        raise Corrupt("neither a text nor a presentation in it")
    slides = [element for element in show if local_name(element) == "page"]
    if len(slides) > task.options.max_pages:
        raise TooManyPages(f"{len(slides)} slides, {task.options.max_pages} are allowed")
    pages = []
    for number, slide in enumerate(slides, 1):
        hidden = styles.of("drawing-page", attribute(slide, "style-name")).is_hidden
        is_shown = task.options.include_hidden or not hidden
        pages.append(_write_slide(number, slide, writer, is_shown=is_shown))
    return pages


def _write_slide(
    number: int, slide: etree._Element, writer: ContentWriter, *, is_shown: bool
) -> Page:
    builder = writer.builder
    n_before = len(builder.blocks)
    writer.page = number
    if is_shown:
        _write_shapes(number, slide, writer)
    blocks = builder.blocks[n_before:]
    start = blocks[0].start if blocks else builder.position
    is_sparse = builder.position - start <= _MAX_CAPTION_CHARACTERS
    return Page(number, start, builder.position, is_sparse and _has_picture(slide))


def _write_shapes(number: int, slide: etree._Element, writer: ContentWriter) -> None:
    """The title, without one the number of the slide; then the other shapes, then the notes."""
    shapes = _in_order(slide)
    title = shapes.pop(0) if shapes and attribute(shapes[0], "class") == "title" else None
    heading = writer.words(title) if title is not None else ""
    if not heading and any(writer.words(shape) for shape in shapes):
        heading = f"Slide {number}"
    writer.builder.add(BlockKind.HEADING, heading, level=_TITLE_LEVEL, page=number)
    writer.write(shapes)
    notes = child(slide, "notes")
    for shape in children(notes):
        if attribute(shape, "class") == "notes":
            writer.write(shape)


def _in_order(slide: etree._Element) -> list[etree._Element]:
    """The shapes of a slide: its title, then from top to bottom and from left to right."""
    shapes = [
        shape
        for shape in slide
        if attribute(shape, "class") not in _RUNNING and local_name(shape) != "notes"
    ]
    placed = [(_millimetres(shape, "y"), _millimetres(shape, "x"), shape) for shape in shapes]
    in_order = reading_order(placed, _SAME_ROW_MM)
    return sorted(in_order, key=lambda shape: attribute(shape, "class") != "title")


def _millimetres(shape: etree._Element, name: str) -> float:
    """Where it starts; a group starts where its first shape does."""
    stated = next((a for e in shape.iter() if (a := attribute(e, name))), "")
    match = _LENGTH.fullmatch(stated)
    try:
        return float(match.group(1)) * _MILLIMETRES[match.group(2)] if match else 0.0
    except ValueError:
        return 0.0


def _has_picture(slide: etree._Element) -> bool:
    notes = child(slide, "notes")
    pictures = (image for image in slide.iter("{*}image"))
    return any(notes is None or notes not in image.iterancestors() for image in pictures)
