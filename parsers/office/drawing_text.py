"""The words of charts and diagrams, which office documents keep in parts of their own."""

import re
from typing import Final

from lxml import etree

from parsers.zipped_xml import attribute, child, local_name

_PARAGRAPH: Final = "{*}p"
_BLANKS: Final = {"br": "\n", "tab": "\t"}
_FRACTION: Final = re.compile(r"-?\d{1,15}\.\d{1,20}")
_MAX_CHART_ROWS: Final = 1000
"""A chart of more points shows a curve, of which nobody reads the numbers."""


def paragraph_text(paragraph: etree._Element) -> str:
    """The words of a DrawingML paragraph."""
    return "".join(
        (element.text or "") if local_name(element) == "t" else _BLANKS[local_name(element)]
        for element in paragraph.iter("{*}t", *(f"{{*}}{name}" for name in _BLANKS))
    )


def diagram_lines(data: etree._Element) -> list[str]:
    """What stands in the shapes of a SmartArt diagram, in the order of its outline."""
    return [line for p in data.iter(_PARAGRAPH) if (line := paragraph_text(p).strip())]


def chart_title(chart: etree._Element) -> str:
    """The titles of a chart and its axes."""
    titles = [_rich_text(title) for title in chart.iter("{*}title")]
    return "\n".join(title for title in titles if title)


def chart_rows(chart: etree._Element) -> list[list[str]]:
    """Its numbers as a table: series across, categories down, the names first."""
    series = list(chart.iter("{*}ser"))
    names = [" ".join(_points(child(s, "tx")).values()) for s in series]
    categories: dict[int, str] = {}
    for one in series:
        categories = categories or _points(child(one, "cat")) or _points(child(one, "xVal"))
    values = [_points(child(s, "val")) or _points(child(s, "yVal")) for s in series]
    indices = sorted({*categories, *(index for column in values for index in column)})
    rows = [
        [categories.get(index, ""), *(column.get(index, "") for column in values)]
        for index in indices[:_MAX_CHART_ROWS]
    ]
    return [["", *names], *rows]


def _points(element: etree._Element | None) -> dict[int, str]:
    """Cached values by their position."""
    found: dict[int, str] = {}
    for position, value in enumerate(element.iter("{*}v") if element is not None else ()):
        index = attribute(value.getparent(), "idx")
        found[int(index) if index.isdecimal() else position] = _rounded(value.text or "")
    return found


def _rounded(number: str) -> str:
    """Without the error of binary fractions: 4.4000000000000004 is 4.4."""
    return f"{float(number):.15g}" if _FRACTION.fullmatch(number) else number


def _rich_text(title: etree._Element) -> str:
    return " ".join(" ".join(paragraph_text(p) for p in title.iter(_PARAGRAPH)).split())
