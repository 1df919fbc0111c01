"""Spreadsheets: XLSX, XLSM, XLSB, XLS and ODS. Each sheet is a section of tables.

Formulas count for their last result, dates are ISO dates, numbers have no more digits than they
were given. Hidden sheets, rows and columns are left out unless asked for, and
`properties["left_out"]` says how many. Of XLSB, and of XLS files that only the second engine opens,
neither hidden rows nor number formats are known. Comments, text boxes and the titles of charts
follow their sheet (not in XLSB; of XLS only comments); pictures are not looked at.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from parsers.contract import ParseTask
from parsers.document import Block, BlockKind, ParsedDocument, TextBuilder
from parsers.media_type import ODS, XLS, XLSB, XLSX
from parsers.office.encryption import VERSION as DECRYPTION_VERSION
from parsers.office.encryption import decrypt
from parsers.office.properties import best_title, one_line
from parsers.opendocument.sheets import read_opendocument
from parsers.sheets.excel_binary import VERSION as BINARY_VERSION
from parsers.sheets.excel_binary import read_xls, read_xlsb
from parsers.sheets.excel_workbook import read_workbook
from parsers.sheets.grid import Workbook
from parsers.sheets.tables import n_hidden, without_cells, write_sheet
from parsers.zipped_xml import VERSION as XML_VERSION
from parsers.zipped_xml import Archive

NAME: Final = "spreadsheet"
VERSION: Final = f"1+{XML_VERSION}+{BINARY_VERSION}+{DECRYPTION_VERSION}"

_NAME_OF_NO_MEANING: Final = re.compile(
    r"(?:sheet|tabelle|feuil|hoja|foglio|blad|planilha|arkusz|лист|list|munka|ark)\s?\d*", re.I
)
"""What programs call a sheet that nobody named: no title for a document."""
_MAX_LISTED_SHEETS: Final = 50


def parse(task: ParseTask) -> ParsedDocument:
    workbook = _READERS[task.media_type](task)
    builder = TextBuilder()
    properties = dict(workbook.properties) | _write(builder, workbook)
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=best_title(workbook.title, _titles(builder.blocks)),
        properties=properties,
        members=tuple(workbook.members),
    )


def _titles(blocks: Sequence[Block]) -> Iterator[Block]:
    """The headings that somebody thought of."""
    for block in blocks:
        if block.kind is BlockKind.HEADING:
            label = without_cells(block.label)
            if label and not _NAME_OF_NO_MEANING.fullmatch(label):
                yield replace(block, label=label)


def _write(builder: TextBuilder, workbook: Workbook) -> dict[str, str]:
    """Write all sheets; the properties say which cells that were, and how many were left out."""
    written = []
    n_rows = n_columns = 0
    for sheet in workbook.sheets:
        area = write_sheet(builder, sheet)
        written.append(f"{sheet.name} {area or '(empty)'}")
        rows, columns = n_hidden(sheet)
        n_rows, n_columns = n_rows + rows, n_columns + columns
    left_out = {"sheets": workbook.n_hidden, "rows": n_rows, "columns": n_columns}
    hidden = ", ".join(f"{n} hidden {what}" for what, n in left_out.items() if n)
    return {"sheets": _listing(written)} | ({"left_out": hidden} if hidden else {})


def _listing(written: Sequence[str]) -> str:
    shown = [*written[:_MAX_LISTED_SHEETS]]
    if len(written) > len(shown):
        shown.append(f"{len(written) - len(shown)} more")
    return one_line("; ".join(shown))


def _read_ooxml(task: ParseTask) -> Workbook:
    archive = Archive(task.data, task.options)
    return read_workbook(archive, include_hidden=task.options.include_hidden)


def _read_xlsb(task: ParseTask) -> Workbook:
    archive = Archive(task.data, task.options)
    return read_xlsb(task.data, archive, include_hidden=task.options.include_hidden)


def _read_xls(task: ParseTask) -> Workbook:
    data = decrypt(task.data, task.passwords)
    return read_xls(data, include_hidden=task.options.include_hidden)


def _read_opendocument(task: ParseTask) -> Workbook:
    archive = Archive(task.data, task.options)
    return read_opendocument(archive, include_hidden=task.options.include_hidden)


_READERS: Final[Mapping[str, Callable[[ParseTask], Workbook]]] = MappingProxyType(
    {XLSX: _read_ooxml, XLSB: _read_xlsb, XLS: _read_xls, ODS: _read_opendocument}
)
