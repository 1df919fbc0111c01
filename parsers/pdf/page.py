"""A page of a PDF as an engine read it."""

from dataclasses import dataclass
from typing import Final

from parsers.document import Member
from parsers.pdf.lines import Cell, Line
from parsers.pdf.text import normalise

PDFIUM: Final = "pdfium"
PYPDF: Final = "pypdf"

_SIZE: Final = 10.0
_LEADING: Final = 12.0
_CHARACTER_WIDTH: Final = 5.0


@dataclass(frozen=True, slots=True)
class RawPage:
    """What stands on a page, before its lines are made into paragraphs."""

    engine: str
    lines: tuple[Line, ...] = ()
    notes: tuple[str, ...] = ()
    """What was filled in and remarked, one text each; not among the lines."""
    has_picture: bool = False
    label: str = ""
    problem: str = ""
    attachments: tuple[Member, ...] = ()

    @property
    def text(self) -> str:
        return "\n".join([*(line.text for line in self.lines), *self.notes])


def lines_without_places(text: str) -> tuple[Line, ...]:
    """Lines of an engine that does not say where they stand, as a typewriter would set them."""
    lines: list[Line] = []
    for row, words in enumerate(text.splitlines()):
        if plain := normalise(words):
            baseline = -row * _LEADING
            cell = Cell(plain, 0.0, len(plain) * _CHARACTER_WIDTH)
            lines.append(Line((cell,), baseline, baseline + _SIZE, baseline, _SIZE))
    return tuple(lines)
