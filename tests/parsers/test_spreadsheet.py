"""Spreadsheets of all kinds."""

import io
import time
import zipfile
from datetime import date, datetime
from pathlib import Path

import openpyxl
import pytest
import xlwt
from msoffcrypto.format.ooxml import OOXMLFile
from openpyxl.comments import Comment

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, Encrypted, ParseError
from parsers.media_type import ODS, XLS, XLSB, XLSX
from parsers.office.encryption import decrypt
from parsers.sheets import spreadsheet as parser
from tests.documents import word

FIXTURES = Path(__file__).parent.parent / "fixtures"
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def parse(
    data: bytes, media_type: str = XLSX, passwords: tuple[str, ...] = (), **options: bool
) -> ParsedDocument:
    return parser.parse(ParseTask(data, media_type, ParseOptions(**options), passwords))


def saved(book: openpyxl.Workbook | xlwt.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def xlsx(*rows: tuple[object, ...], title: str = "Costs") -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.active.title = title
    for row in rows:
        book.active.append(row)
    return book


def replaced(data: bytes, **parts: bytes) -> bytes:
    """A zip archive with other parts of these names: `__` for `/`, `_` for `.`."""
    wanted = {name.replace("__", "/").replace("_", "."): part for name, part in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w", 8) as target:
        for name in {**dict.fromkeys(source.namelist()), **wanted}:
            target.writestr(name, wanted[name] if name in wanted else source.read(name))
    return out.getvalue()


def raw_sheet(body: str) -> bytes:
    head = f'<?xml version="1.0"?><worksheet xmlns="{MAIN}">'
    return replaced(
        saved(xlsx((1,))), xl__worksheets__sheet1_xml=f"{head}{body}</worksheet>".encode()
    )


def ods(*tables: str, styles: str = "", manifest: str = "") -> bytes:
    urn = "urn:oasis:names:tc:opendocument:xmlns:"
    spaces = " ".join(
        f'xmlns:{name}="{urn}{name}:1.0"' for name in ("office", "table", "text", "style")
    )
    content = (
        f"<office:document-content {spaces}><office:automatic-styles>{styles}"
        f"</office:automatic-styles><office:body><office:spreadsheet>{''.join(tables)}"
        "</office:spreadsheet></office:body></office:document-content>"
    )
    meta = (
        f'<office:document-meta {spaces} xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<office:meta><dc:title>Rents of Linz</dc:title></office:meta></office:document-meta>"
    )
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("mimetype", ODS)
        archive.writestr("content.xml", content)
        archive.writestr("meta.xml", meta)
        archive.writestr("META-INF/manifest.xml", f"<manifest>{manifest}</manifest>")
    return out.getvalue()


def ods_table(*rows: str, name: str = "Costs", attributes: str = "", columns: str = "") -> str:
    return f'<table:table table:name="{name}" {attributes}>{columns}{"".join(rows)}</table:table>'


def ods_row(*cells: str, attributes: str = "") -> str:
    written = (
        cell if cell.startswith("<") else f"<table:table-cell><text:p>{cell}</text:p>"
        "</table:table-cell>"
        for cell in cells
    )  # fmt: skip
    return f"<table:table-row {attributes}>{''.join(written)}</table:table-row>"


def old_excel(*rows: tuple[object, ...]) -> tuple[xlwt.Workbook, xlwt.Worksheet]:
    book = xlwt.Workbook()
    sheet = book.add_sheet("Costs")
    for number, row in enumerate(rows):
        for column, value in enumerate(row):
            sheet.write(number, column, value)
    return book, sheet


ROWS = (("City", "Rent"), ("Linz", 9.5), ("Graz", 8))
TEXT = "Costs\n\nCity | Rent\nLinz | 9.5\nGraz | 8"
ODS_CELLS = ods_table(*(ods_row(*map(str, row)) for row in ROWS))


@pytest.mark.parametrize(
    ("data", "media_type"),
    [(saved(xlsx(*ROWS)), XLSX), (saved(old_excel(*ROWS)[0]), XLS), (ods(ODS_CELLS), ODS)],
)
def test_all_kinds_read_alike(data, media_type):
    document = parse(data, media_type)
    assert document.text == TEXT
    assert [b.kind for b in document.blocks] == [BlockKind.HEADING, BlockKind.TABLE]
    assert document.blocks[1].label == "City | Rent"
    assert document.properties["sheets"] == "Costs A1:B3"
    assert document == parse(data, media_type)


def test_a_binary_workbook_is_read():
    document = parse((FIXTURES / "various.xlsb").read_bytes(), XLSB)
    assert "String | This is a string" in document.text
    assert "integer | 13" in document.text


def test_a_workbook_that_one_engine_refuses_is_read_by_the_other():
    document = parse((FIXTURES / "odd_records.xls").read_bytes(), XLS)
    assert len(document.text) > 1000


def test_values_are_shown_as_they_are_meant():
    book = xlsx(
        ("What", "Value"),
        ("sum", 0.1 + 0.2),
        ("whole", 3.0),
        ("day", date(2024, 5, 1)),
        ("moment", datetime(2024, 5, 1, 13, 45)),
        ("truth", True),
        ("share", 0.125),
        ("error", "#N/A"),
        ("money", 1200),
        ("lines", "one\ntwo"),
    )
    book.active["B7"].number_format = "0.00%"
    book.active["B9"].number_format = "[$€-407] #,##0.00"
    lines = parse(saved(book)).text.splitlines()[3:]
    assert [line.split(" | ")[1] for line in lines] == [
        "0.3", "3", "2024-05-01", "2024-05-01 13:45", "TRUE", "12.5%", "#N/A", "€1200", "one two",
    ]  # fmt: skip


def test_days_since_1904_are_counted_from_there():
    book = xlsx(("Day", "n"), (date(2024, 5, 1), 1))
    book.epoch = openpyxl.utils.datetime.CALENDAR_MAC_1904
    book.active["A2"].value = date(2024, 5, 1)
    assert "2024-05-01 | 1" in parse(saved(book)).text


def test_old_workbooks_know_dates_percentages_and_errors():
    book, sheet = old_excel(("What", "Value"))
    sheet.write(1, 0, "day")
    sheet.write(1, 1, date(2024, 5, 1), xlwt.easyxf(num_format_str="DD.MM.YYYY"))
    sheet.write(2, 0, "share")
    sheet.write(2, 1, 0.125, xlwt.easyxf(num_format_str="0%"))
    sheet.write(3, 0, True)
    sheet.write(3, 1, 1e-3)
    text = parse(saved(book), XLS).text
    assert text.splitlines()[3:] == ["day | 2024-05-01", "share | 12.5%", "TRUE | 0.001"]


def test_a_formula_counts_for_its_result():
    cells = '<row r="1"><c r="A1"><f>1+1</f><v>2</v></c><c r="B1" t="str"><f>"a"</f><v>a</v></c>'
    assert parse(raw_sheet(f"<sheetData>{cells}</row></sheetData>")).text == "Costs\n\n2 | a"


def test_a_formula_that_was_never_calculated_shows_itself():
    assert "=SUM(B2:B3)" in parse(saved(xlsx(*ROWS, ("Total", "=SUM(B2:B3)")))).text


def test_cells_without_a_place_follow_each_other():
    cells = "<row><c><v>1</v></c><c><v>2</v></c></row><row><c><v>3</v></c><c><v>4</v></c></row>"
    assert parse(raw_sheet(f"<sheetData>{cells}</sheetData>")).text == "Costs\n\n1 | 2\n3 | 4"


def test_words_are_read_however_they_are_kept():
    cells = (
        '<c r="A1" t="inlineStr"><is><r><t>one </t></r><r><t>word</t></r>'
        '<rPh sb="0" eb="1"><t>no</t></rPh></is></c>'
        '<c r="B1" t="str"><v>a_x000D_b</v></c><c r="C1" t="e"><v>#DIV/0!</v></c>'
        '<c r="D1" t="d"><v>2024-05-01T00:00:00</v></c><c r="E1" t="b"><v>0</v></c>'
    )
    document = parse(raw_sheet(f'<sheetData><row r="1">{cells}</row></sheetData>'))
    assert document.text.splitlines()[2] == "one word | a b | #DIV/0! | 2024-05-01 | FALSE"


def test_what_is_hidden_is_left_out_and_counted():
    book = xlsx(("City", "Key", "Rent"), ("Linz", "x", 9), ("Graz", "y", 8), ("Wien", "z", 12))
    book.active.row_dimensions[3].hidden = True
    book.active.column_dimensions["B"].hidden = True
    book.create_sheet("Secret").append(["hidden words"])
    book["Secret"].sheet_state = "veryHidden"
    document = parse(saved(book))
    assert document.text == "Costs\n\nCity | Rent\nLinz | 9\nWien | 12"
    assert document.properties["left_out"] == "1 hidden sheets, 1 hidden rows, 1 hidden columns"


def test_what_is_hidden_is_read_when_asked_for():
    book = xlsx(("City", "Rent"), ("Linz", 9))
    book.active.row_dimensions[2].hidden = True
    book.create_sheet("Secret").append(["hidden words"])
    book["Secret"].sheet_state = "hidden"
    document = parse(saved(book), include_hidden=True)
    assert "Linz | 9" in document.text
    assert "hidden words" in document.text
    assert "left_out" not in document.properties


def test_old_workbooks_hide_too():
    book, sheet = old_excel(("City", "Key", "Rent"), ("Linz", "x", 9), ("Graz", "y", 8))
    sheet.row(1).hidden = True
    sheet.col(1).hidden = True
    other = book.add_sheet("Secret")
    other.write(0, 0, "hidden words")
    other.visibility = 1
    document = parse(saved(book), XLS)
    assert document.text == "Costs\n\nCity | Rent\nGraz | 8"
    assert "hidden words" in parse(saved(book), XLS, include_hidden=True).text


def test_opendocument_hides_too():
    hidden = '<style:style style:name="h"><style:table-properties table:display="false"/>'
    column = '<table:table-column/><table:table-column table:visibility="collapse"/>'
    data = ods(
        ods_table(
            ods_row("City", "Key", "Rent"),
            ods_row("Linz", "x", "9", attributes='table:visibility="filter"'),
            ods_row("Graz", "y", "8"),
            columns=column,
        ),
        ods_table(ods_row("hidden words"), name="Secret", attributes='table:style-name="h"'),
        styles=hidden + "</style:style>",
    )
    document = parse(data, ODS)
    assert document.text == "Costs\n\nCity | Rent\nGraz | 8"
    assert document.properties["left_out"] == "1 hidden sheets, 1 hidden rows, 1 hidden columns"
    assert "hidden words" in parse(data, ODS, include_hidden=True).text


def test_merged_cells_are_filled_in():
    book = xlsx(("Land", "City", "Rent"), ("Austria", "Linz", 9), (None, "Graz", 8))
    book.active.merge_cells("A2:A3")
    assert parse(saved(book)).text.endswith("Austria | Linz | 9\nAustria | Graz | 8")
    old, sheet = old_excel(("Land", "City", "Rent"))
    for row, (city, rent) in enumerate((("Linz", 9), ("Graz", 8)), 1):
        sheet.write(row, 1, city)
        sheet.write(row, 2, rent)
    sheet.write_merge(1, 2, 0, 0, "Austria")
    assert parse(saved(old), XLS).text.endswith("Austria | Linz | 9\nAustria | Graz | 8")
    spanned = (
        '<table:table-cell table:number-rows-spanned="2"><text:p>Austria</text:p>'
        "</table:table-cell>"
    )
    rows = (
        ods_row("Land", "City", "Rent"),
        ods_row(spanned, "Linz", "9"),
        ods_row("<table:covered-table-cell/>", "Graz", "8"),
    )
    assert parse(ods(ods_table(*rows)), ODS).text.endswith("Austria | Graz | 8")


def test_opendocument_values_are_shown_as_they_are_meant():
    def cell(kind: str, value: str, shown: str = "shown") -> str:
        return (
            f'<table:table-cell office:value-type="{kind}" {value}><text:p>{shown}</text:p>'
            "</table:table-cell>"
        )

    row = ods_row(
        cell("float", 'office:value="0.30000000000000004"'),
        cell("percentage", 'office:value="0.125"'),
        cell("currency", 'office:value="12" office:currency="EUR"'),
        cell("date", 'office:date-value="2024-05-01"'),
        cell("date", 'office:date-value="2024-05-01T13:45:00"'),
        cell("time", 'office:time-value="PT27H05M00S"'),
        cell("boolean", 'office:boolean-value="true"'),
        cell("string", "", "#N/A"),
        cell("float", 'office:value="none"', "as shown"),
    )
    assert parse(ods(ods_table(row)), ODS).text.splitlines()[2] == (
        "0.3 | 12.5% | 12 EUR | 2024-05-01 | 2024-05-01 13:45 | 27:05 | TRUE | #N/A | as shown"
    )


def test_repeated_cells_of_opendocument_stand_where_they_belong():
    gap = '<table:table-cell table:number-columns-repeated="16000"/>'
    far = "<table:table-cell><text:p>far</text:p></table:table-cell>"
    empty = ods_row("<table:table-cell/>", attributes='table:number-rows-repeated="1048000"')
    document = parse(ods(ods_table(ods_row("a", gap, far), empty, ods_row("end"))), ODS)
    assert document.properties["sheets"] == "Costs A1:WQL1048002"


def test_properties_and_title_are_read():
    book = xlsx(*ROWS)
    book.properties.title, book.properties.creator = "Rents of Linz", "Ann"
    document = parse(saved(book))
    assert (document.title, document.properties["author"]) == ("Rents of Linz", "Ann")
    assert parse(ods(ODS_CELLS), ODS).title == "Rents of Linz"


@pytest.mark.parametrize(
    ("name", "rows", "title"),
    [
        ("Costs", ROWS, "Costs"),
        ("Sheet1", ROWS, ""),
        ("Tabelle 2", (("Rents of Linz",), *ROWS), "Rents of Linz"),
        ("Sheet1", (*ROWS, (), ("Team", "Points"), ("Blues", 1)), ""),
    ],
)
def test_a_name_that_nobody_gave_is_no_title(name, rows, title):
    assert parse(saved(xlsx(*rows, title=name))).title == title


def test_several_tables_are_named_by_their_cells():
    document = parse(saved(xlsx(*ROWS, (), ("Team", "Points"), ("Blues", 1))))
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "Costs"), (2, "A1:B3"), (2, "A5:B6")]


def test_an_empty_sheet_is_named_and_no_more():
    book = xlsx(*ROWS)
    book.create_sheet("Notes")
    document = parse(saved(book))
    assert document.properties["sheets"] == "Costs A1:B3; Notes (empty)"
    assert "Notes" not in document.text
    assert parse(saved(xlsx())).text == ""


def test_comments_are_kept():
    book = xlsx(*ROWS)
    book.active["B2"].comment = Comment("why so much?", "Ann")
    assert parse(saved(book)).text.endswith("Comment on B2: why so much?")


def test_embedded_documents_are_members():
    inside = word(("Normal", "Words."))
    rels = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        f'<Relationship Id="r1" Type="{OFFICE}/package" Target="../embeddings/letter.docx"/>'
        "</Relationships>"
    )
    out = io.BytesIO(saved(xlsx(*ROWS)))
    with zipfile.ZipFile(out, "a") as archive:
        archive.writestr("xl/worksheets/_rels/sheet1.xml.rels", rels)
        archive.writestr("xl/embeddings/letter.docx", inside)
    (member,) = parse(out.getvalue()).members
    assert (member.name, member.data) == ("xl/embeddings/letter.docx", inside)


def test_a_password_opens_an_old_workbook():
    sealed = (FIXTURES / "encrypted_xor.xls").read_bytes()
    with pytest.raises(Encrypted):
        parse(sealed, XLS)
    assert parse(sealed, XLS, ("abc",)).text


def test_excels_own_password_needs_nobody():
    document = parse((FIXTURES / "encrypted_default_password.xls").read_bytes(), XLS)
    assert "date | temperature | place" in document.text


def test_a_sealed_opendocument_is_encrypted():
    with pytest.raises(Encrypted):
        parse(ods(ODS_CELLS, manifest="<encryption-data/>"), ODS)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
@pytest.mark.parametrize(
    ("data", "media_type"),
    [(saved(xlsx(*ROWS)), XLSX), (ods(ODS_CELLS), ODS), (saved(old_excel(*ROWS)[0]), XLS)],
)
def test_a_part_of_a_file_is_corrupt(data, media_type, share):
    with pytest.raises(Corrupt):
        parse(data[: int(len(data) * share)], media_type)


def test_damage_anywhere_is_an_outcome():
    for data, media_type in ((saved(xlsx(*ROWS)), XLSX), (saved(old_excel(*ROWS)[0]), XLS)):
        for place in range(0, len(data), len(data) // 60):
            damaged = data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]
            try:
                assert isinstance(parse(damaged, media_type).text, str)
            except ParseError as error:
                assert "Linz" not in error.detail


@pytest.mark.parametrize(
    "body",
    [
        '<sheetData><row r="x"><c><v>1</v></c></row></sheetData>',
        '<sheetData><row r="0"><c><v>1</v></c></row></sheetData>',
        '<sheetData><row r="1"><c r="AAAA1"><v>1</v></c></row></sheetData>',
        '<sheetData><row r="1"><c r="Ä1"><v>1</v></c></row></sheetData>',
        '<sheetData><row r="1"><c t="s"><v>99</v></c></row></sheetData>',
        '<sheetData/><mergeCells><mergeCell ref="nowhere"/></mergeCells>',
        "<sheetData>",
    ],
)
def test_a_sheet_that_makes_no_sense_is_corrupt(body):
    with pytest.raises(Corrupt):
        parse(raw_sheet(body))


def test_a_sheet_that_is_named_and_missing_is_corrupt():
    data = saved(xlsx(*ROWS))
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            if name != "xl/worksheets/sheet1.xml":
                target.writestr(name, source.read(name))
    with pytest.raises(Corrupt):
        parse(out.getvalue())


def test_no_entity_multiplies_or_reads_a_file(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    entities = f'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY b SYSTEM "file://{secret}">]>'
    sheet = (
        f'<?xml version="1.0"?>{entities}<worksheet xmlns="{MAIN}"><sheetData><row r="1">'
        '<c r="A1" t="str"><v>&a;&b;</v></c></row></sheetData></worksheet>'
    )
    with pytest.raises(Corrupt):
        parse(replaced(saved(xlsx(*ROWS)), xl__worksheets__sheet1_xml=sheet.encode()))


def test_a_bomb_is_not_unpacked():
    with pytest.raises(DecompressionBomb):
        parse(replaced(saved(xlsx(*ROWS)), xl__media__image1_png=bytes(70 * 1024 * 1024)))


def test_a_cell_repeated_a_billion_times_is_a_bomb():
    cell = '<table:table-cell table:number-columns-repeated="16384"><text:p>x</text:p>'
    row = ods_row(f"{cell}</table:table-cell>", attributes='table:number-rows-repeated="1048576"')
    with pytest.raises(DecompressionBomb):
        parse(ods(ods_table(row)), ODS)


def test_a_sheet_costs_what_its_cells_cost():
    far = (
        '<dimension ref="A1:XFD1048576"/><sheetData><row r="1"><c r="A1"><v>1</v></c></row>'
        '<row r="1048576"><c r="XFD1048576"><v>2</v></c></row></sheetData>'
    )
    started = time.monotonic()
    document = parse(raw_sheet(far))
    assert document.text == "Costs\n\n1\n\n2"
    assert document.properties["sheets"] == "Costs A1:XFD1048576"
    assert time.monotonic() - started < 1


def test_a_workbook_reads_the_same_once_it_was_sealed():
    out = io.BytesIO()
    OOXMLFile(io.BytesIO(saved(xlsx(*ROWS)))).encrypt("VelvetSweatshop", out)
    assert parse(decrypt(out.getvalue(), ())).text == TEXT
