"""Delimited text: CSV, TSV and their kin, whatever divides the fields.

Rows may differ in length, fields may hold line breaks, and titles and notes may stand around the
tables, of which there may be several. A quote that is opened and never closed is taken for a
character.
"""

import csv
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Final, Self

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, TextBuilder
from parsers.media_type import TSV
from parsers.sheets.dialect import VERSION as DIALECT_VERSION
from parsers.sheets.dialect import Dialect, find_dialect
from parsers.sheets.grid import Sheet
from parsers.sheets.tables import one_line, without_cells, write_sheet
from parsers.text_encoding import decode

NAME: Final = "delimited"
VERSION: Final = f"1+{DIALECT_VERSION}"

_MAX_LINES_IN_RECORD: Final = 1_000
_NAMES: Final = {"\t": "tab", " ": "space", "": "none"}


def parse(task: ParseTask) -> ParsedDocument:
    characters, encoding = decode(task.data)
    text = characters.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    dialect, start = find_dialect(text, promised="\t" if task.media_type == TSV else "")
    records = _records(text[start:].split("\n"), dialect)
    builder = TextBuilder()
    area = write_sheet(builder, Sheet("", _rows(records)))
    headings = (
        without_cells(block.label) for block in builder.blocks if block.kind is BlockKind.HEADING
    )
    delimiter = _NAMES.get(dialect.delimiter, dialect.delimiter)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=next(filter(None, headings), ""),
        properties={"encoding": encoding, "delimiter": delimiter, "cells": str(area or "")},
    )


def _rows(records: Iterable[list[str]]) -> dict[int, dict[int, str]]:
    """Cells by row and column; where an empty record follows each, those count for nothing."""
    rows: dict[int, dict[int, str]] = {}
    for number, fields in enumerate(records):
        words = map(one_line, fields)
        if cells := {column: text for column, text in enumerate(words) if text}:
            rows[number] = cells
    if any(after == before + 1 for before, after in pairwise(rows)):
        return rows
    return dict(enumerate(rows.values()))


def _records(lines: Sequence[str], dialect: Dialect) -> Iterator[list[str]]:
    """The fields of each record, which may be several lines."""
    if not dialect.delimiter:
        yield from ([line] for line in lines)
        return
    source = _Lines(lines)
    while source.position < len(lines):
        reader = csv.reader(
            source,
            delimiter=dialect.delimiter,
            quotechar=dialect.quote,
            escapechar=dialect.escape or None,
            skipinitialspace=True,
        )
        while (fields := _next_record(reader)) is not None and not source.is_runaway(dialect.quote):
            yield fields
            source.close_record()
        if not source.is_at_end_of_record():
            yield source.first_line_of_record().split(dialect.delimiter)


def _next_record(reader: Iterator[list[str]]) -> list[str] | None:
    """None after the last record, and where a field is longer than the csv module takes."""
    try:
        return next(reader, None)
    except csv.Error:
        return None


class _Lines:
    """Hands out lines, but only so many for one record."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines
        self._first = 0
        """Of the record that is being read."""
        self._ran_out = False
        self.position = 0

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        if self.position == len(self._lines) or self.position - self._first > _MAX_LINES_IN_RECORD:
            self._ran_out = True
            raise StopIteration
        self.position += 1
        return self._lines[self.position - 1] + "\n"

    def is_runaway(self, quote: str) -> bool:
        """Whether the lines came to an end before a quotation did."""
        record = self._lines[self._first : self.position]
        return self._ran_out and len(record) > 1 and "".join(record).count(quote) % 2 == 1

    def close_record(self) -> None:
        self._first = self.position

    def is_at_end_of_record(self) -> bool:
        return self._first == self.position

    def first_line_of_record(self) -> str:
        """That line; what comes next is a record of its own."""
        line = self._lines[self._first]
        self._first += 1
        self.position = self._first
        self._ran_out = False
        return line
