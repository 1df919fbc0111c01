"""Excel workbooks of binary records: XLS by xlrd, XLSB and what xlrd does not open by calamine."""

import io
import struct
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, time, timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Final, cast

import olefile

from parsers.errors import Corrupt, Encrypted
from parsers.office.packaging import core_properties
from parsers.office.properties import without_blanks
from parsers.sheets.grid import Area, Sheet, Spans, Workbook, column_name
from parsers.sheets.number_formats import (
    GENERAL,
    NumberFormat,
    plain,
    read_format,
    show,
    show_duration,
    show_moment,
)
from parsers.sheets.tables import one_line
from parsers.zipped_xml import Archive

if TYPE_CHECKING:
    from python_calamine import CalamineSheet
    from xlrd.book import Book
    from xlrd.sheet import Sheet as XlrdSheet

VERSION: Final = f"xlrd-{version('xlrd')}+calamine-{version('python-calamine')}"

_MALFORMED: Final = (
    zipfile.BadZipFile,
    struct.error,
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    OSError,
    OverflowError,
    RecursionError,
    TypeError,
    ValueError,
    ZeroDivisionError,
)
"""How xlrd and olefile fail on files that are not what they claim, besides errors of their own."""
_TEXT, _NUMBER, _DATE, _BOOLEAN, _ERROR = 1, 2, 3, 4, 5
"""Types of cells in xlrd."""


def read_xls(data: bytes, *, include_hidden: bool) -> Workbook:
    """The sheets of a workbook of Excel 2 to 2003, which is not under a password any more.

    Raises:
        Corrupt: Neither engine reads it.
        Encrypted: It is sealed in a way that could not be undone.
    """
    try:
        book = _xlrd_book(data)
    except Corrupt as error:
        return _by_second_engine(data, error, include_hidden=include_hidden)
    visible = [s for s in book.sheets() if include_hidden or not s.visibility]
    formats = [read_format(code) for code in _codes(book)]
    sheets = (_from_xlrd(s, book, formats, include_hidden=include_hidden) for s in visible)
    title, properties = _stated(data)
    return Workbook(sheets, book.nsheets - len(visible), title, properties)


def read_xlsb(data: bytes, archive: Archive, *, include_hidden: bool) -> Workbook:
    """The sheets of a workbook of Excel 2007 and later in binary form.

    Raises:
        Corrupt: calamine does not read it.
        Encrypted: It is sealed.
    """
    sheets, n_hidden = _by_calamine(data, include_hidden=include_hidden)
    title, properties = core_properties(archive)
    return Workbook(sheets, n_hidden, title, properties)


def _xlrd_book(data: bytes) -> "Book":
    import xlrd
    from xlrd.compdoc import CompDocError
    from xlrd.formula import FormulaError

    try:
        return xlrd.open_workbook(
            file_contents=data, formatting_info=True, ragged_rows=True, logfile=io.StringIO()
        )
    except xlrd.XLRDError as error:
        if "encrypted" in str(error):
            raise Encrypted("xlrd: a password that is not known") from error
        raise Corrupt("xlrd: XLRDError") from error
    except (*_MALFORMED, CompDocError, FormulaError) as error:
        raise Corrupt(f"xlrd: {type(error).__name__}") from error


def _by_second_engine(data: bytes, error: Corrupt, *, include_hidden: bool) -> Workbook:
    """What calamine reads; nothing is no success, as it stays silent about much that is broken."""
    sheets, n_hidden = _by_calamine(data, include_hidden=include_hidden)
    if not any(sheet.rows for sheet in sheets):
        raise error
    title, properties = _stated(data)
    return Workbook(sheets, n_hidden, title, properties)


def _codes(book: "Book") -> Iterator[str]:
    """The number format of each cell style, as it is spelled."""
    for style in book.xf_list:
        form = book.format_map.get(style.format_key)
        yield form.format_str if form is not None else ""


def _from_xlrd(
    source: "XlrdSheet", book: "Book", formats: list[NumberFormat], *, include_hidden: bool
) -> Sheet:
    rows = {}
    for number in range(source.nrows):
        cells = {}
        for column, kind in enumerate(source.row_types(number)):
            style = source.cell_xf_index(number, column)
            form = formats[style] if 0 <= style < len(formats) else GENERAL
            value = source.cell_value(number, column)
            text = one_line(_xlrd_words(kind, value, form, book.datemode))
            if text:
                cells[column] = text
        if cells:
            rows[number] = cells
    notes = getattr(source, "cell_note_map", {})
    hidden_rows = [(n, n) for n, info in source.rowinfo_map.items() if info.hidden]
    hidden_columns = [(n, n) for n, info in source.colinfo_map.items() if info.hidden]
    return Sheet(
        name=source.name,
        rows=rows,
        merged=[Area(r, c, r_end - 1, c_end - 1) for r, r_end, c, c_end in source.merged_cells],
        hidden_rows=Spans(() if include_hidden else hidden_rows),
        hidden_columns=Spans(() if include_hidden else hidden_columns),
        remarks=[_remark(place, note.text) for place, note in sorted(notes.items())],
    )


def _xlrd_words(kind: int, value: object, form: NumberFormat, epoch: int) -> str:
    from xlrd import error_text_from_code

    if kind == _TEXT:
        return str(value)
    if kind in (_NUMBER, _DATE):
        return show(cast(float, value), form, since_1904=epoch == 1)
    if kind == _BOOLEAN:
        return "TRUE" if value else "FALSE"
    if kind == _ERROR:
        return str(error_text_from_code.get(cast(int, value), "#ERROR!"))
    return ""


def _remark(place: tuple[int, int], text: str) -> str:
    row, column = place
    return f"Comment on {column_name(column)}{row + 1}: {one_line(text)}"


def _stated(data: bytes) -> tuple[str, Mapping[str, str]]:
    """The title and other properties that the file states; nothing where they are damaged."""
    if not data.startswith(olefile.MAGIC):
        return "", {}
    try:
        with olefile.OleFileIO(data) as container:
            stated = container.get_metadata()
    except _MALFORMED:
        return "", {}
    charset = f"cp{stated.codepage}" if isinstance(stated.codepage, int) else "cp1252"
    texts = {
        "title": _decoded(stated.title, charset),
        "author": _decoded(stated.author, charset),
        "subject": _decoded(stated.subject, charset),
        "keywords": _decoded(stated.keywords, charset),
    }
    dates = {"created": stated.create_time, "modified": stated.last_saved_time}
    dated = {name: day.isoformat() for name, day in dates.items() if isinstance(day, date)}
    properties = without_blanks(texts | dated)
    return properties.pop("title", ""), properties


def _decoded(text: object, charset: str) -> str:
    if not isinstance(text, bytes):
        return str(text or "")
    try:
        return text.decode("utf-8" if charset == "cp65001" else charset, "replace")
    except LookupError:
        return text.decode("cp1252", "replace")


def _by_calamine(data: bytes, *, include_hidden: bool) -> tuple[list[Sheet], int]:
    """The sheets, and how many were left out because they are hidden."""
    from python_calamine import (
        CalamineError,
        CalamineWorkbook,
        PasswordError,
        SheetTypeEnum,
        SheetVisibleEnum,
    )

    try:
        workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
        listed = [s for s in workbook.sheets_metadata if s.typ == SheetTypeEnum.WorkSheet]
        visible = [s for s in listed if include_hidden or s.visible == SheetVisibleEnum.Visible]
        sheets = [_from_calamine(workbook.get_sheet_by_name(sheet.name)) for sheet in visible]
    except PasswordError as error:
        raise Encrypted("calamine: PasswordError") from error
    except (CalamineError, OSError, ValueError) as error:
        raise Corrupt(f"calamine: {type(error).__name__}") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # Its class cannot be imported.
            raise
        raise Corrupt("calamine: PanicException") from error
    return sheets, len(listed) - len(visible)


def _from_calamine(source: "CalamineSheet") -> Sheet:
    rows = {}
    first_row, first_column = source.start or (0, 0)
    for number, values in enumerate(source.to_python(), first_row):
        words = ((column, one_line(_words(value))) for column, value in enumerate(values))
        cells = {first_column + column: text for column, text in words if text}
        if cells:
            rows[number] = cells
    merged = [Area(*first, *last) for first, last in source.merged_cell_ranges or ()]
    return Sheet(source.name, rows, merged)


def _words(value: object) -> str:
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int | float):
        return plain(value)
    if isinstance(value, date):
        return show_moment(value)
    if isinstance(value, timedelta):
        return show_duration(value)
    return value.isoformat("auto") if isinstance(value, time) else str(value)
