"""How a delimited text is written: what divides its fields, what quotes them."""

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

import clevercsv
from clevercsv.exceptions import Error, NoDetectionResult

VERSION: Final = f"clevercsv-{version('clevercsv')}"

_SAMPLE_CHARACTERS: Final = 10_000
_SAMPLE_LINES: Final = 200
_DELIMITERS: Final = (",", ";", "\t", "|", ":", "^", "~", "\x01", "\x1f", " ")
_MIN_STEADY: Final = 0.9
"""Of lines that spaces divide into as many fields: elsewhere they only divide words."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """As the csv module of Python uses these words."""

    delimiter: str
    """Empty where there is but one column."""
    quote: str = '"'
    escape: str = ""
    """Stands before a quote within a quotation; empty where that one is doubled."""


def find_dialect(text: str, *, promised: str = "") -> tuple[Dialect, int]:
    """How the text is written, and where its first line starts.

    Args:
        text: With line feeds for newlines.
        promised: The delimiter that the type of the file promises; taken if it divides anything.
    """
    first, _, _ = text.partition("\n")
    if len(first) == 5 and first.lower().startswith("sep="):
        return Dialect(first[4]), len(first) + 1
    sample = _sample(text)
    if promised and promised in sample:
        return Dialect(promised), 0
    return _sniffed(sample, _DELIMITERS), 0


def _sample(text: str) -> str:
    """The first lines, whole ones where they are of ordinary length."""
    lines = text[:_SAMPLE_CHARACTERS].split("\n")
    if len(text) > _SAMPLE_CHARACTERS and len(lines) > 1:
        lines.pop()
    return "\n".join(lines[:_SAMPLE_LINES])


def _sniffed(sample: str, delimiters: tuple[str, ...]) -> Dialect:
    try:
        found = clevercsv.Sniffer().sniff(sample, delimiters=delimiters)
    except (Error, NoDetectionResult, IndexError, ValueError):
        found = None
    delimiter = found.delimiter if found else ""
    if delimiter == " " and not _is_steady(sample):
        return _sniffed(sample, delimiters[:-1])
    quote = found.quotechar if found and found.quotechar else '"'
    return Dialect(delimiter or "", quote, (found.escapechar or "") if found else "")


def _is_steady(sample: str) -> bool:
    counts = [line.count(" ") for line in sample.split("\n") if line.strip()]
    most = max(set(counts), key=counts.count, default=0)
    return most > 0 and counts.count(most) >= _MIN_STEADY * len(counts)
