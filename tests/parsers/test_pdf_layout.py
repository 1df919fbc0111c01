"""Lines, paragraphs, tables and headings of a PDF, from where its words stand."""

import io

import pypdf
import pytest
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import PDF
from parsers.pdf import parser

LOREM = (
    "The quick brown fox jumps over the lazy dog and",
    "runs through the wide green field until evening",
    "comes at last.",
)


def at(x: float, y: float, words: str, size: float = 10) -> str:
    return f"BT /F {size} Tf 1 0 0 1 {x} {y} Tm ({words}) Tj ET"


def lines(x: float, y: float, *words: str, size: float = 10, leading: float = 12) -> str:
    return "\n".join(at(x, y - row * leading, line, size) for row, line in enumerate(words))


def drawn(*pages: str, to_unicode: str = "") -> pypdf.PdfWriter:
    writer = pypdf.PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    if to_unicode:
        font[NameObject("/ToUnicode")] = writer._add_object(stream(to_unicode))
    for contents in pages:
        page = writer.add_blank_page(612, 792)
        page[NameObject("/Contents")] = writer._add_object(stream(contents))
        fonts = DictionaryObject({NameObject("/F"): font})
        page[NameObject("/Resources")] = DictionaryObject({NameObject("/Font"): fonts})
    return writer


def stream(data: str) -> DecodedStreamObject:
    made = DecodedStreamObject()
    made.set_data(data.encode("latin-1"))
    return made


def character_map(**codes: str) -> str:
    """What each letter stands for, as UTF-16 in hexadecimal."""
    entries = "\n".join(f"<{ord(code):02x}> <{text}>" for code, text in codes.items())
    return (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{entries}\nendbfchar endcmap end end"
    )


def parse(writer: pypdf.PdfWriter) -> ParsedDocument:
    out = io.BytesIO()
    writer.write(out)
    return parser.parse(ParseTask(out.getvalue(), PDF, ParseOptions()))


def found(writer: pypdf.PdfWriter) -> list[tuple[BlockKind, str]]:
    document = parse(writer)
    return [(b.kind, document.text[b.start : b.end]) for b in document.blocks]


def texts(writer: pypdf.PdfWriter) -> list[str]:
    return [text for _, text in found(writer)]


def test_lines_of_a_paragraph_are_joined_and_paragraphs_stay_apart():
    page = lines(72, 700, *LOREM) + lines(72, 650, "Another one.")
    assert texts(drawn(page)) == [" ".join(LOREM), "Another one."]


def test_an_indented_first_line_begins_a_paragraph():
    first = lines(90, 700, LOREM[0]) + lines(72, 688, LOREM[1], LOREM[1])
    second = lines(90, 664, LOREM[0]) + lines(72, 652, *LOREM[1:])
    assert len(texts(drawn(first + second))) == 2


def test_a_short_line_that_ends_a_sentence_ends_a_paragraph():
    page = lines(72, 700, *LOREM, *LOREM)
    assert texts(drawn(page)) == [" ".join(LOREM)] * 2


def test_lines_that_end_early_on_purpose_stay_lines():
    address = ("Ada Lovelace", "London", "12 Saint James Square in the west of town")
    assert texts(drawn(lines(72, 700, *address))) == ["\n".join(address)]


def test_items_of_a_list_are_items():
    page = lines(72, 700, "Things to bring:", "- a tent", "- two ropes", "- water")
    assert [text for kind, text in found(drawn(page)) if kind is BlockKind.LIST_ITEM] == [
        "- a tent",
        "- two ropes",
        "- water",
    ]


def test_a_word_cut_at_a_line_end_is_found_whole():
    page = lines(72, 700, "Please read all of this informa-", "tion before you begin to work.")
    assert "information before" in parse(drawn(page)).text


def test_a_title_that_is_drawn_last_is_read_first():
    page = lines(72, 600, *LOREM) + at(72, 720, "Words drawn last")
    assert texts(drawn(page)) == ["Words drawn last", " ".join(LOREM)]


def test_two_columns_are_read_one_after_the_other():
    left = ("Left column starts", "and it goes on", "until it ends.")
    right = ("Right column starts", "and goes on too", "until its own end.")
    page = lines(72, 700, *left) + lines(320, 700, *right)
    text = parse(drawn(page)).text
    assert text.index("until it ends.") < text.index("Right column starts")


def test_two_columns_that_are_drawn_line_by_line_are_still_two():
    left = [f"left column has line number {n} here" for n in range(6)]
    right = [f"right column has line number {n} here" for n in range(6)]
    rows = zip(left, right, strict=True)
    page = "\n".join(
        lines(72, 700 - 12 * n, a) + lines(320, 700 - 12 * n, b) for n, (a, b) in enumerate(rows)
    )
    text = parse(drawn(page)).text
    assert text.index("left column has line number 5") < text.index("right column has line number")


def test_raised_figures_stay_in_their_line():
    page = at(72, 700, "E = mc") + at(104, 704, "2", 6) + at(109, 700, "as is known")
    assert texts(drawn(page)) == ["E = mc2 as is known"]


def test_sideways_pages_are_read_upright():
    page = "\n".join(
        f"BT /F 10 Tf 0 1 -1 0 {100 + 12 * row} 72 Tm ({words}) Tj ET"
        for row, words in enumerate(LOREM)
    )
    assert texts(drawn(page)) == [" ".join(LOREM)]
    page = "\n".join(
        f"BT /F 10 Tf 0 -1 1 0 {400 - 12 * row} 700 Tm ({words}) Tj ET"
        for row, words in enumerate(LOREM)
    )
    assert texts(drawn(page)) == [" ".join(LOREM)]


def test_rows_with_wide_gaps_are_a_table_with_its_header():
    rows = (("City", "Rent", "Year"), ("Linz", "9", "2020"), ("Graz", "", "2021"))
    page = "\n".join(
        at(72 + 120 * column, 700 - 14 * row, cell)
        for row, cells in enumerate(rows)
        for column, cell in enumerate(cells)
        if cell
    )
    document = parse(drawn(page))
    (block,) = document.blocks
    assert block.kind is BlockKind.TABLE
    assert block.label == "City | Rent | Year"
    assert document.text == "City | Rent | Year\nLinz | 9 | 2020\nGraz |  | 2021"


def test_names_and_values_have_no_header():
    page = "\n".join(
        at(72, 700 - 14 * row, name) + at(250, 700 - 14 * row, value)
        for row, (name, value) in enumerate((("City", "Linz"), ("Rent", "9"), ("Year", "2020")))
    )
    (block,) = parse(drawn(page)).blocks
    assert (block.kind, block.label) == (BlockKind.TABLE, "")


def test_outline_titles_mark_the_lines_that_hold_them():
    page = at(72, 720, "1 Methods") + lines(72, 700, *LOREM) + at(72, 640, "1.1 Tools")
    page += lines(72, 620, "We used many tools.") + at(72, 590, "2 Results")
    writer = drawn(page)
    parent = writer.add_outline_item("Methods", 0)
    writer.add_outline_item("1.1  Tools", 0, parent=parent)
    writer.add_outline_item("2 Results", 0)
    writer.add_outline_item("Not on this page", 0)
    document = parse(writer)
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "1 Methods"), (2, "1.1 Tools"), (1, "2 Results")]
    assert "Not on this page" not in document.text


def test_a_title_in_running_text_is_no_heading():
    writer = drawn(lines(72, 700, "Methods are described in another place."))
    writer.add_outline_item("Methods", 0)
    assert [kind for kind, _ in found(writer)] == [BlockKind.PARAGRAPH]


def test_neighbouring_headings_are_two_headings():
    writer = drawn(lines(72, 700, "Part One", "Part Two", "Words.", leading=20))
    for title in ("Part One", "Part Two"):
        writer.add_outline_item(title, 0)
    headings = [text for kind, text in found(writer) if kind is BlockKind.HEADING]
    assert headings == ["Part One", "Part Two"]


def test_without_an_outline_larger_type_is_a_heading_and_the_title():
    page = at(72, 740, "Annual report", 20) + at(72, 710, "Overview", 14)
    page += lines(72, 690, *LOREM * 4)
    document = parse(drawn(page))
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "Annual report"), (2, "Overview")]
    assert document.title == "Annual report"


def test_a_page_in_one_large_type_has_no_headings():
    writer = drawn(lines(72, 700, *LOREM, size=24, leading=28))
    assert {kind for kind, _ in found(writer)} == {BlockKind.PARAGRAPH}


def numbered_pages(n_pages: int, top: str, bottom: str) -> pypdf.PdfWriter:
    bodies = ["Alpha is first.", "Beta follows it.", "Gamma is the third.", "Delta ends it."]
    return drawn(
        *(
            at(72, 760, top.format(n=n + 1))
            + lines(72, 600, bodies[n], f"It says {bodies[n][:3]}.")
            + at(300, 30, bottom.format(n=n + 1))
            for n in range(n_pages)
        )
    )


def test_a_header_is_read_once_and_page_numbers_not_at_all():
    text = parse(numbered_pages(4, "Company handbook", "Page {n} of 4")).text
    assert text.count("Company handbook") == 1
    assert "Page" not in text
    assert text.count("It says") == 4


def test_a_running_title_with_a_page_number_is_read_once():
    assert parse(numbered_pages(4, "Annual report {n}", "-")).text.count("Annual report") == 1


def test_two_pages_are_too_few_for_a_header():
    assert parse(numbered_pages(2, "Company handbook", "{n}")).text.count("Company handbook") == 2


def test_numbered_headings_and_other_numbers_at_the_edge_are_text():
    text = parse(numbered_pages(4, "Day {n}", "Total: {n}7 of 9{n}")).text
    assert all(f"Day {n}" in text and f"Total: {n}7" in text for n in range(1, 5))


def test_pages_that_hold_nothing_but_numbered_lines_keep_them():
    document = parse(drawn(*(at(72, 700, f"Page {n}") for n in range(1, 5))))
    assert [document.text[page.start : page.end] for page in document.pages] == [
        f"Page {n}" for n in range(1, 5)
    ]


def test_a_ligature_is_found_by_its_letters():
    writer = drawn(at(72, 700, "eAcient work"), to_unicode=character_map(A="fb03"))
    assert "ffi" in parse(writer).text


def test_arabic_is_in_reading_order_with_its_ligatures():
    codes = character_map(A="0633", B="06440627", C="0645")
    assert parse(drawn(at(72, 700, "CBA"), to_unicode=codes)).text == "سلام"


def test_characters_without_a_meaning_are_not_lost_in_silence():
    codes = character_map(A="0000", B="0001")
    text = parse(drawn(at(72, 700, "ABBABABBAB"), to_unicode=codes)).text
    assert text.strip("\ufffd") == ""
    assert text


@pytest.mark.parametrize("n_lines", [3_000])
def test_a_page_of_many_scattered_words_is_read(n_lines):
    page = "\n".join(at(50 + (n * 37) % 400, 20 + (n * 91) % 750, f"w{n}") for n in range(n_lines))
    text = parse(drawn(page)).text
    assert all(f"w{n}" in text for n in range(0, n_lines, 100))


def test_spaced_letters_are_one_word_and_spaces_between_words_stay():
    page = "BT /F 10 Tf 3 Tc 1 0 0 1 72 700 Tm (Nort) Tj (h ) Tj (s) Tj (ide ) Tj (here) Tj ET"
    assert texts(drawn(page)) == ["North side here"]
    apart = at(72, 700, "I") + at(79, 700, "am") + at(97, 700, "here")
    assert texts(drawn(apart)) == ["I am here"]
