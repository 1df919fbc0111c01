"""Delimited text."""

import csv
import io
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import CSV, TSV
from parsers.sheets import delimited as parser
from parsers.sheets.dialect import Dialect, find_dialect
from parsers.sheets.table_header import MAX_HEADER_ROWS
from parsers.sheets.tables import one_line


def parse(data: bytes | str, media_type: str = CSV) -> ParsedDocument:
    data = data.encode() if isinstance(data, str) else data
    return parser.parse(ParseTask(data, media_type, ParseOptions()))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|", "^", "~"])
def test_any_delimiter_is_found(delimiter):
    lines = ["City,Rent,Since", "Linz,9,2020-01-01", "Graz,8,2021-01-01"]
    document = parse("\n".join(line.replace(",", delimiter) for line in lines))
    assert document.text.splitlines() == [line.replace(",", " | ") for line in lines]
    assert document.blocks[0].label == "City | Rent | Since"


def test_a_semicolon_divides_where_commas_are_decimal():
    document = parse("Jahr;Umsatz;Kosten\n2022;1,5;-0,5\n2023;143,1;-814,38\n")
    assert document.text.splitlines()[1] == "2022 | 1,5 | -0,5"


def test_quoted_fields_may_hold_anything():
    document = parse('name,note\nAnn,"one, two\nthree"\nBob,"says ""hi"""\n')
    assert document.text.splitlines() == ["name | note", "Ann | one, two three", 'Bob | says "hi"']


def test_a_first_line_may_say_what_divides():
    document = parse("sep=;\nname;note\nAnn;a,b,c\nBob;d,e,f\n")
    assert document.text.splitlines() == ["name | note", "Ann | a,b,c", "Bob | d,e,f"]


def test_a_tab_file_is_divided_by_tabs():
    assert parse("a\tb, c\n1\t2, 3\n", TSV).text.splitlines() == ["a | b, c", "1 | 2, 3"]


def test_rows_may_be_ragged():
    document = parse("id;name;amount\n1;Ann;1,50\n2;Bob\n3;Carl;99,00;extra\n")
    assert document.text.splitlines()[2:] == ["2 | Bob", "3 | Carl | 99,00 | extra"]


def test_titles_and_notes_are_told_from_rows():
    document = parse(
        "Report of 2024,,\n\nCity,Rent,Since\nLinz,9,2020\nGraz,8,2021\n\n"
        "Source: what the tenants say they pay.,,\n"
    )
    assert document.title == "Report of 2024"
    kinds = [block.kind for block in document.blocks]
    assert kinds == [BlockKind.HEADING, BlockKind.TABLE, BlockKind.PARAGRAPH]
    assert document.blocks[1].label == "City | Rent | Since"


def test_two_tables_in_a_file_are_two():
    document = parse("City,Rent\nLinz,9\n\nTeam,Points\nBlues,1\n")
    tables = [block.label for block in document.blocks if block.kind is BlockKind.TABLE]
    assert tables == ["City | Rent", "Team | Points"]
    assert document.title == ""


def test_a_line_feed_too_many_is_no_gap():
    document = parse("City,Rent\r\r\nLinz,9\r\r\nGraz,8\r\r\n")
    assert document.text.splitlines() == ["City | Rent", "Linz | 9", "Graz | 8"]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_way(newline):
    assert parse(newline.join(["a,b", "1,2", "3,4"])).text == "a | b\n1 | 2\n3 | 4"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
def test_encodings_are_told(encoding):
    text = "Stadt;Straße;Größe\n" + "Köln;Kölner Straße;9\nMünchen;Weißenburger Straße;8\n" * 20
    document = parse(text.encode(encoding))
    assert document.text.splitlines()[1] == "Köln | Kölner Straße | 9"


def test_one_column_is_not_torn_apart():
    document = parse("Opinion\nit is so so\nI do not know\nnever again in my life\nfine\n")
    assert document.text.splitlines()[1:3] == ["it is so so", "I do not know"]


def test_spaces_divide_where_they_do_so_steadily():
    document = parse("x y z\n1 2 3\n4 5 6\n7 8 9\n")
    assert document.text.splitlines()[1] == "1 | 2 | 3"


def test_a_quote_that_never_closes_takes_nothing_with_it():
    lines = ['1,"open'] + [f"{number},row {number}" for number in range(2, 5000)]
    document = parse("id,text\n" + "\n".join(lines) + "\n")
    assert len(document.text.splitlines()) == 5000
    assert document.text.splitlines()[1] == '1 | "open'
    assert document.text.splitlines()[-1] == "4999 | row 4999"


def test_a_quote_within_a_field_is_a_character():
    document = parse('size,what\n5" pipe,long\n6" pipe,short\n')
    assert document.text.splitlines()[1] == '5" pipe | long'


def test_a_field_longer_than_the_csv_module_takes_is_kept():
    document = parse("id,text\n1," + "word " * 40_000 + "\n2,end\n")
    assert document.text.count("word") == 40_000
    assert document.text.endswith("2 | end")


def test_nothing_but_delimiters_is_no_text():
    assert parse(",,,\n,,,\n").text == ""
    assert parse("\n\n \n").text == ""


def test_formulas_are_text():
    document = parse('name,note\nAnn,"=HYPERLINK(""http://127.0.0.1:9/x"")"\n')
    assert '=HYPERLINK("http://127.0.0.1:9/x")' in document.text


@pytest.mark.parametrize(
    "data",
    [
        b'a,"b\n' * 50_000,
        ('"x,y\n' + "a,b\n" * 1500).encode() * 20,
        b"," * 1_000_000,
        b"1" * 1_000_000,
        b"\n".join(b"," * (number % 500) + b"x" for number in range(5000)),
        b"\n\n".join(b"a,1\nb,2" for _ in range(10_000)),
    ],
)
def test_hostile_text_takes_time_in_proportion(data):
    started = time.monotonic()
    parse(data)
    assert time.monotonic() - started < 8


def test_what_was_found_is_told():
    properties = parse("a;b\n1;2\n").properties
    assert properties == {"encoding": "utf-8", "delimiter": ";", "cells": "A1:B2"}


def test_a_dialect_is_found_without_looking_at_everything():
    text = "a;b\n" + "1;2\n" * 1_000_000
    started = time.monotonic()
    assert find_dialect(text) == (Dialect(";"), 0)
    assert time.monotonic() - started < 1


@given(
    st.lists(
        st.lists(
            st.text(st.characters(codec="ascii", categories=["L", "N", "P", "Zs"]), max_size=12),
            min_size=2,
            max_size=4,
        ),
        min_size=1,
        max_size=8,
    ),
    st.sampled_from([",", ";"]),
)
@example([["", "A"], [";", "A"], ["", "0"]], ",")
def test_no_letter_is_lost(rows, delimiter):
    """But those that several rows of a header say of one column, which are written once."""
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    written = _letters(_cells(parse(out.getvalue() or "\n")))
    held = sum((_letters("".join(row)) for row in rows), Counter())
    assert written <= held
    assert held - written <= _letters("".join(_said_above(rows)))


def _said_above(rows: list[list[str]]) -> Iterator[str]:
    """Cells that could be a header's, and say what one above them in it says."""
    filled = [row for row in rows if any(map(one_line, row))]
    for number, row in enumerate(filled):
        for column, cell in enumerate(row):
            above = filled[max(0, number - MAX_HEADER_ROWS + 1) : number]
            if one_line(cell) in [one_line(one[column]) for one in above if column < len(one)]:
                yield cell


def _letters(text: str) -> Counter[str]:
    return Counter(filter(str.isalnum, text))


def _cells(document: ParsedDocument) -> str:
    """The text without the headings that name cells."""
    named = (b for b in document.blocks if b.kind is not BlockKind.HEADING)
    titles = (b for b in document.blocks if b.kind is BlockKind.HEADING)
    words = [document.text[b.start : b.end] for b in named]
    return "".join(words + [parser.without_cells(b.label) for b in titles])
