"""Word documents: every word once, in the order of the file.

Left out are running headers and footers, comments, what a tracked change deletes, and hidden text
unless asked for. Footnotes follow the paragraph that refers to them. Pages are a matter of the
printer, so there are none.
"""

from typing import Final

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder
from parsers.errors import Corrupt
from parsers.office.drawing_text import chart_rows, chart_title, diagram_lines
from parsers.office.packaging import (
    Relationship,
    choice,
    core_properties,
    embedded,
    main_part,
    related,
    relationships,
)
from parsers.office.properties import best_title
from parsers.office.word_paragraphs import ParagraphReader, Reading
from parsers.office.word_styles import Style, Styles
from parsers.office.word_tables import table_rows
from parsers.table_text import add_table
from parsers.zipped_xml import VERSION as XML_VERSION
from parsers.zipped_xml import Archive, attribute, child, children, local_name

NAME: Final = "docx"
VERSION: Final = f"2+{XML_VERSION}"

_TRANSPARENT: Final = frozenset({"sdt", "sdtContent", "customXml", "smartTag", "ins", "moveTo"})


def parse(task: ParseTask) -> ParsedDocument:
    archive = Archive(task.data, task.options)
    part = main_part(archive, "word/document.xml")
    body = child(archive.xml(part), "body")
    if body is None:
        raise Corrupt("no body in the main part")
    found = relationships(archive, part)
    writer = _Writer(archive, found, include_hidden=task.options.include_hidden)
    try:
        writer.write(body)
    except RecursionError as error:
        raise Corrupt("nested too deep") from error
    stated_title, properties = core_properties(archive)
    return ParsedDocument(
        text=writer.builder.text,
        blocks=tuple(writer.builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=best_title(stated_title, writer.builder.blocks),
        properties=properties,
        members=tuple(embedded(archive, found.values())),
    )


class _Writer:
    """Writes the contents of body, text boxes and notes as blocks."""

    def __init__(
        self, archive: Archive, found: dict[str, Relationship], *, include_hidden: bool
    ) -> None:
        self.builder = TextBuilder()
        self._archive = archive
        self._found = found
        self._styles = Styles(self._related_xml("styles"))
        self._reader = ParagraphReader(self._styles, include_hidden=include_hidden)
        self._notes = {
            (kind, attribute(note, "id")): note
            for kind in ("footnote", "endnote")
            for note in children(self._related_xml(f"{kind}s"))
        }

    def write(self, container: etree._Element) -> None:
        for element in container:
            name = local_name(element)
            if name == "p":
                self._write_paragraph(element)
            elif name == "tbl":
                self._write_table(element)
            elif name == "AlternateContent":
                chosen = choice(element)
                if chosen is not None:
                    self.write(chosen)
            elif name in _TRANSPARENT:
                self.write(element)

    def _write_paragraph(self, paragraph: etree._Element) -> None:
        reading = Reading()
        self._reader.read(paragraph, reading)
        style = self._styles.of_paragraph(child(paragraph, "pPr"))
        if style.level:
            self.builder.add(BlockKind.HEADING, reading.line, level=style.level)
        else:
            self.builder.add(_kind(style), reading.text)
        self._write_anchored(reading)

    def _write_table(self, table: etree._Element) -> None:
        rows = list(table_rows(table))
        if all(len(row) == 1 for row in rows):
            for row in rows:
                self.write(row[0].content)
            return
        reading = Reading()
        add_table(self.builder, [[cell.words(self._reader, reading) for cell in r] for r in rows])
        self._write_anchored(reading)

    def _write_anchored(self, reading: Reading) -> None:
        for box in reading.boxes:
            self.write(box)
        for kind, relationship_id in reading.drawings:
            self._write_drawing(kind, relationship_id)
        for key in reading.notes:
            # Taken out, so that a note that refers to itself ends.
            note = self._notes.pop(key, None)
            if note is not None:
                self.write(note)

    def _write_drawing(self, kind: str, relationship_id: str) -> None:
        relationship = self._found.get(relationship_id)
        root = self._archive.xml(relationship.target) if relationship else None
        if root is None:
            return
        if kind == "chart":
            self.builder.add(BlockKind.PARAGRAPH, chart_title(root))
            add_table(self.builder, chart_rows(root))
        else:
            for line in diagram_lines(root):
                self.builder.add(BlockKind.LIST_ITEM, line)

    def _related_xml(self, kind: str) -> etree._Element | None:
        names = related(self._found, kind)
        return self._archive.xml(names[0]) if names else None


def _kind(style: Style) -> BlockKind:
    return BlockKind.LIST_ITEM if style.is_list else BlockKind.PARAGRAPH
