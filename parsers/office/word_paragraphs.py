"""The words of a Word paragraph, and what is anchored in it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from lxml import etree

from parsers.office.packaging import choice
from parsers.office.symbol_fonts import symbol
from parsers.office.word_styles import Styles
from parsers.zipped_xml import attribute, child, local_name

_CHARACTERS: Final = {
    "tab": "\t",
    "ptab": "\t",
    "br": "\n",
    "cr": "\n",
    "noBreakHyphen": "\u2011",
}
_LEFT_OUT: Final = frozenset(
    {
        *("pPr", "rPr", "sdtPr", "sdtEndPr", "tblPr", "sectPr", "rubyPr", "rt"),
        *("del", "moveFrom", "delText", "delInstrText", "instrText", "fldData"),
    }
)
"""Settings, what a tracked change deletes, the codes of fields, and readings above characters."""


@dataclass(slots=True)
class Reading:
    """What was found so far in a paragraph, or in a cell."""

    parts: list[str] = field(default_factory=list)
    boxes: list[etree._Element] = field(default_factory=list)
    """Contents of text boxes."""
    notes: list[tuple[str, str]] = field(default_factory=list)
    """Footnotes and endnotes that it refers to: kind and id."""
    drawings: list[tuple[str, str]] = field(default_factory=list)
    """Charts and diagrams: kind and the id of their relationship."""

    @property
    def text(self) -> str:
        return "".join(self.parts)

    @property
    def line(self) -> str:
        return " ".join(self.text.split())


class ParagraphReader:
    """Reads everything below an element once, in the order of the file."""

    def __init__(self, styles: Styles, *, include_hidden: bool) -> None:
        self._styles = styles
        self._include_hidden = include_hidden
        self._special: dict[str, Callable[[etree._Element, Reading], None]] = {
            "t": self._read_text,
            "sym": self._read_symbol,
            "r": self._read_run,
            "p": self._read_inner_paragraph,
            "AlternateContent": self._read_alternatives,
            "txbxContent": self._note_box,
            "footnoteReference": self._note_reference,
            "endnoteReference": self._note_reference,
            "chart": self._note_drawing,
            "relIds": self._note_drawing,
        }

    def read(self, element: etree._Element, into: Reading) -> None:
        for inner in element:
            name = local_name(inner)
            if name in self._special:
                self._special[name](inner, into)
            elif name in _CHARACTERS:
                into.parts.append(_CHARACTERS[name])
            elif name and name not in _LEFT_OUT:
                self.read(inner, into)

    def _read_text(self, element: etree._Element, into: Reading) -> None:
        into.parts.append(element.text or "")

    def _read_symbol(self, element: etree._Element, into: Reading) -> None:
        into.parts.append(symbol(attribute(element, "font"), attribute(element, "char")))

    def _read_run(self, element: etree._Element, into: Reading) -> None:
        if self._include_hidden or not self._styles.is_hidden(child(element, "rPr")):
            self.read(element, into)

    def _read_inner_paragraph(self, element: etree._Element, into: Reading) -> None:
        self.read(element, into)
        into.parts.append("\n")

    def _read_alternatives(self, element: etree._Element, into: Reading) -> None:
        chosen = choice(element)
        if chosen is not None:
            self.read(chosen, into)

    def _note_box(self, element: etree._Element, into: Reading) -> None:
        into.boxes.append(element)

    def _note_reference(self, element: etree._Element, into: Reading) -> None:
        into.notes.append((local_name(element)[: -len("Reference")], attribute(element, "id")))

    def _note_drawing(self, element: etree._Element, into: Reading) -> None:
        if local_name(element) == "chart":
            into.drawings.append(("chart", attribute(element, "id")))
        else:
            into.drawings.append(("diagram", attribute(element, "dm")))
