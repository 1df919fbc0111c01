"""Which rows at the top of a table name its columns."""

import re
from collections.abc import Sequence
from typing import Final

_MAX_VALUE_CHARACTERS: Final = 40
_NUMBER: Final = re.compile(
    r"[^\w\s]{0,3}\s?(?:[A-Z]{3}\s?)?[-+(]?[$€£¥₹]?"
    r"[.,]?\d[\d.,'’\u00a0\u202f ]*(?:[eE][-+]?\d+)?\)?(?:\s?[%$€£¥₹]|\s[A-Za-z]{1,3})?"
)
_DATE: Final = re.compile(
    r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}(?:[ T]\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d+)?Z?)?"
)
_TIME: Final = re.compile(r"-?\d{1,4}:\d\d(?::\d\d)?")
_YEAR: Final = re.compile(r"(?:1[89]|20)\d\d(?:[-/](?:\d\d|(?:1[89]|20)\d\d))?")
_ERROR: Final = re.compile(r"#[A-Z][A-Z0-9/_]{0,20}[!?]?")
_WORDS_FOR_VALUES: Final = frozenset({"true", "false", "-", "–", "—", "n/a", "null"})
_MAX_LABEL_CHARACTERS: Final = 120
MAX_HEADER_ROWS: Final = 4
_MIN_FILLED: Final = 0.5
"""Of a header's cells: a row with fewer words says something else."""

Rows = Sequence[Sequence[str]]
"""Rows of equal length; the words of each cell, empty where there are none."""


def is_value(text: str) -> bool:
    """Whether a cell holds a number, date, time, error or truth value, not words."""
    if len(text) > _MAX_VALUE_CHARACTERS:
        return False
    if text.lower() in _WORDS_FOR_VALUES:
        return True
    return any(form.fullmatch(text) for form in (_NUMBER, _DATE, _TIME, _ERROR))


def n_header_rows(rows: Rows, is_merged: Sequence[bool]) -> int:
    """How many of a table's first rows are its header; 0 where they are like all others.

    Args:
        rows: The first rows of a table.
        is_merged: Of each, whether some of its cells stand for several columns.
    """
    n = _n_that_name_all(rows)
    if not n or _is_form(rows):
        return 0
    while n < min(MAX_HEADER_ROWS, len(rows) - 1) and _goes_on(
        rows, n, above_is_merged=is_merged[n - 1]
    ):
        n += 1
    return n


def names_values(rows: Rows) -> bool:
    """Whether the first row has words above a column of values: no other row would."""
    if len(rows) == 1:
        return False
    columns = zip(rows[0], zip(*rows[1:], strict=True), strict=True)
    return any(
        cell and not is_value(cell) and sum(map(is_value, column)) * 2 > sum(map(bool, column))
        for cell, column in columns
    )


def combined(rows: Rows) -> list[str]:
    """One name for each column from the rows of a header, the upper ones first."""
    return [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*rows, strict=True)]


def _n_that_name_all(rows: Rows) -> int:
    """How many rows it takes to name most of the columns; 0 if the first ones do not."""
    for n in range(1, min(MAX_HEADER_ROWS, len(rows) - 1) + 1):
        names = combined(rows[:n])
        if not _differs(rows[n - 1], rows[n:]) or max(map(len, names)) > _MAX_LABEL_CHARACTERS:
            return 0
        n_named = sum(map(bool, names))
        if n_named >= max(min(2, len(names)), _MIN_FILLED * len(names)):
            return n if n == 1 or _has_values(rows[n:]) else 0
    return 0


def _has_values(rows: Rows) -> bool:
    return any(is_value(cell) for row in rows for cell in row)


def _differs(row: Sequence[str], below: Rows) -> bool:
    """Whether a row is unlike the ones below it, or at least nothing but words."""
    if all(is_value(cell) for cell in row if cell):
        return not _has_values(below)
    columns = zip(*below, strict=True)
    return all(
        not is_value(cell) or _names_a_period(cell, column)
        for cell, column in zip(row, columns, strict=True)
    )


def _names_a_period(cell: str, column: Sequence[str]) -> bool:
    """A year or a date above cells that are mostly neither."""
    if not _is_period(cell):
        return False
    return sum(map(_is_period, column)) * 2 <= sum(map(bool, column))


def _is_period(cell: str) -> bool:
    return bool(_YEAR.fullmatch(cell) or _DATE.fullmatch(cell))


def _is_form(rows: Rows) -> bool:
    """Whether it is a list of names and what they are: `Author: | Ann`."""
    names = [row[0] for row in rows if row[0]]
    n_marked = sum(name.endswith(":") for name in names)
    return len(rows[0]) > 1 and n_marked * 2 > len(names)


def _goes_on(rows: Rows, n: int, *, above_is_merged: bool) -> bool:
    """Whether row `n` belongs to the header that the rows above it began."""
    row = rows[n]
    filled = [cell for cell in row if cell]
    if not filled or any(is_value(cell) and not _YEAR.fullmatch(cell) for cell in filled):
        return False
    if not above_is_merged and row[0]:
        return False
    is_under_gap = any(cell and not above for cell, above in zip(row, rows[n - 1], strict=True))
    columns = zip(row, zip(*rows[n + 1 :], strict=True), strict=True)
    names_values = all(any(map(is_value, column)) for cell, column in columns if cell)
    return names_values or (_has_values(rows[n + 1 :]) and (above_is_merged or is_under_gap))
