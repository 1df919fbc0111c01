"""What stands on a sheet of an Excel workbook besides its cells: comments, text boxes, charts."""

import re
from collections.abc import Iterator
from typing import Final

from parsers.office.drawing_text import chart_title, paragraph_text
from parsers.office.packaging import related, relationships
from parsers.zipped_xml import Archive, attribute

_THREAD: Final = re.compile(r"\A\[Threaded comment\].*?\n\nComment:\s*", re.S)
"""What Excel puts before a comment for programs that do not know conversations."""


def remarks(archive: Archive, sheet: str) -> list[str]:
    """Comments with their cells, then the words of text boxes and the titles of charts.

    Args:
        archive: The workbook.
        sheet: The part of the sheet.
    """
    found = relationships(archive, sheet)
    comments = (line for part in related(found, "comments") for line in _comments(archive, part))
    drawn = (line for part in related(found, "drawing") for line in _drawn(archive, part))
    return [line for line in (*comments, *drawn) if line]


def _comments(archive: Archive, part: str) -> Iterator[str]:
    root = archive.xml(part)
    for comment in root.iter("{*}comment") if root is not None else ():
        words = " ".join(_THREAD.sub("", paragraph_text(comment), count=1).split())
        yield f"Comment on {attribute(comment, 'ref')}: {words}"


def _drawn(archive: Archive, part: str) -> Iterator[str]:
    root = archive.xml(part)
    for paragraph in root.iter("{*}p") if root is not None else ():
        yield " ".join(paragraph_text(paragraph).split())
    for name in related(relationships(archive, part), "chart"):
        chart = archive.xml(name)
        yield chart_title(chart) if chart is not None else ""
