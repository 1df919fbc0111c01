"""PowerPoint: each slide is a page, with its title, text, tables, charts, diagrams and notes.

Left out are what stands on every slide (date, footer, number), comments, and hidden slides unless
asked for. A hidden slide keeps its number.
"""

from typing import Final

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, Member, Page, ParsedDocument, TextBuilder
from parsers.errors import Corrupt, TooManyPages
from parsers.office.drawing_text import paragraph_text
from parsers.office.packaging import (
    core_properties,
    embedded,
    main_part,
    related,
    relationships,
)
from parsers.office.properties import best_title
from parsers.office.slide_shapes import ShapeWriter
from parsers.office.slide_styles import InheritedStyles, placeholder_kind
from parsers.zipped_xml import VERSION as XML_VERSION
from parsers.zipped_xml import Archive, attribute, child, children, local_name

NAME: Final = "pptx"
VERSION: Final = f"1+{XML_VERSION}"

_MAX_CAPTION_CHARACTERS: Final = 50
"""A slide with less text than this is asked whether it holds a picture."""
_FALSE: Final = ("0", "false")


def parse(task: ParseTask) -> ParsedDocument:
    archive = Archive(task.data, task.options)
    slides = _slides(archive)
    if len(slides) > task.options.max_pages:
        raise TooManyPages(f"{len(slides)} slides, {task.options.max_pages} are allowed")
    writer = _Writer(archive, include_hidden=task.options.include_hidden)
    try:
        for number, part in enumerate(slides, 1):
            writer.write(number, part)
    except RecursionError as error:
        raise Corrupt("nested too deep") from error
    stated_title, properties = core_properties(archive)
    return ParsedDocument(
        text=writer.builder.text,
        blocks=tuple(writer.builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(writer.pages),
        title=best_title(stated_title, writer.builder.blocks),
        properties=properties,
        members=tuple(writer.members),
    )


def _slides(archive: Archive) -> list[str]:
    """The parts of the slides, in the order of the show.

    Raises:
        Corrupt: The presentation names a slide that is not there.
    """
    part = main_part(archive, "ppt/presentation.xml")
    found = relationships(archive, part)
    listed = child(archive.xml(part), "sldIdLst")
    slides = []
    for element in children(listed):
        ids = [value for key, value in element.attrib.items() if key.endswith("}id")]
        if not ids or ids[0] not in found or found[ids[0]].target not in archive:
            raise Corrupt("a slide that it names is not in it")
        slides.append(found[ids[0]].target)
    return slides


class _Writer:
    """Writes slides as blocks and pages."""

    def __init__(self, archive: Archive, *, include_hidden: bool) -> None:
        self.builder = TextBuilder()
        self.pages: list[Page] = []
        self.members: list[Member] = []
        self._archive = archive
        self._include_hidden = include_hidden
        self._layers: dict[str, etree._Element | None] = {}

    def write(self, number: int, part: str) -> None:
        root = self._archive.xml(part)
        n_before = len(self.builder.blocks)
        if self._include_hidden or attribute(root, "show") not in _FALSE:
            self._write_slide(number, part, root)
        blocks = self.builder.blocks[n_before:]
        start = blocks[0].start if blocks else self.builder.position
        end = self.builder.position
        is_sparse = end - start <= _MAX_CAPTION_CHARACTERS
        self.pages.append(Page(number, start, end, is_sparse and _has_picture(root)))

    def _write_slide(self, number: int, part: str, root: etree._Element | None) -> None:
        found = relationships(self._archive, part)

        def behind(relationship_id: str) -> etree._Element | None:
            relationship = found.get(relationship_id)
            return self._archive.xml(relationship.target) if relationship else None

        layout = (related(found, "slideLayout") or [""])[0]
        master = (related(relationships(self._archive, layout), "slideMaster") or [""])[0]
        styles = InheritedStyles(self._layer(layout), self._layer(master))
        shapes = ShapeWriter(self.builder, styles, number, behind, self._include_hidden)
        tree = child(root, "cSld", "spTree")
        if tree is not None:
            shapes.write(tree)
        for notes in related(found, "notesSlide"):
            _write_notes(shapes, self._archive.xml(notes))
        known = {member.name for member in self.members}
        members = embedded(self._archive, found.values())
        self.members.extend(member for member in members if member.name not in known)

    def _layer(self, part: str) -> etree._Element | None:
        if part not in self._layers:
            self._layers[part] = self._archive.xml(part)
        return self._layers[part]


def _write_notes(slide: ShapeWriter, root: etree._Element | None) -> None:
    """What the speaker wants to say."""
    for shape in root.iter("{*}sp") if root is not None else ():
        body = child(shape, "txBody") if placeholder_kind(shape) == "body" else None
        for paragraph in children(body):
            if local_name(paragraph) == "p":
                slide.add(BlockKind.PARAGRAPH, paragraph_text(paragraph))


def _has_picture(root: etree._Element | None) -> bool:
    return root is not None and next(root.iter("{*}blip"), None) is not None
