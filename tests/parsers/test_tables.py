"""From cells to tables."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parsers.document import Block, BlockKind, TextBuilder
from parsers.sheets.grid import Area, Sheet, Spans, column_name
from parsers.sheets.table_header import is_value
from parsers.sheets.tables import n_hidden, write_sheet


def sheet(*lines: str, first_row: int = 0, first_column: int = 0, **more) -> Sheet:
    """A sheet drawn with `|` between its cells."""
    rows = {
        first_row + number: {
            first_column + column: words.strip()
            for column, words in enumerate(line.split("|"))
            if words.strip()
        }
        for number, line in enumerate(lines)
    }
    return Sheet(more.pop("name", ""), {n: cells for n, cells in rows.items() if cells}, **more)


def written(drawn: Sheet) -> tuple[str, list[Block]]:
    builder = TextBuilder()
    write_sheet(builder, drawn)
    return builder.text, builder.blocks


def tables(drawn: Sheet) -> list[str]:
    text, blocks = written(drawn)
    return [text[b.start : b.end] for b in blocks if b.kind is BlockKind.TABLE]


def headers(drawn: Sheet) -> list[str]:
    return [b.label for b in written(drawn)[1] if b.kind is BlockKind.TABLE]


def headings(drawn: Sheet) -> list[tuple[int, str]]:
    return [(b.level, b.label) for b in written(drawn)[1] if b.kind is BlockKind.HEADING]


def test_a_table_is_a_line_for_each_row_under_its_header():
    drawn = sheet("City | Rent", "Linz | 9", "Graz | 8")
    assert tables(drawn) == ["City | Rent\nLinz | 9\nGraz | 8"]
    assert headers(drawn) == ["City | Rent"]


def test_the_name_of_the_sheet_is_its_heading():
    assert headings(sheet("a | b", "c | 1", name="Costs")) == [(1, "Costs")]
    assert written(sheet("", name="Costs")) == ("", [])


def test_titles_and_notes_are_not_rows():
    drawn = sheet(
        "Rents in 2024",
        "",
        "City | Rent | Since",
        "Linz | 9 | 2020",
        "Graz | 8 | 2021",
        "Source: what the tenants say they pay",
    )
    text, blocks = written(drawn)
    assert headings(drawn) == [(1, "Rents in 2024")]
    assert tables(drawn) == ["City | Rent | Since\nLinz | 9 | 2020\nGraz | 8 | 2021"]
    assert text[blocks[-1].start :] == "Source: what the tenants say they pay"
    assert blocks[-1].kind is BlockKind.PARAGRAPH


def test_a_title_without_a_gap_is_a_title_too():
    drawn = sheet("Teams", "Name | Points", "Blues | 1", name="Sports")
    assert headings(drawn) == [(1, "Sports"), (2, "Teams")]
    assert headers(drawn) == ["Name | Points"]


def test_a_line_that_ends_as_a_sentence_is_no_title():
    drawn = sheet("All values are estimates.", "Name | Points", "Blues | 1")
    assert headings(drawn) == []
    assert written(drawn)[1][0].kind is BlockKind.PARAGRAPH


def test_empty_rows_set_tables_with_headers_apart():
    drawn = sheet("City | Rent", "Linz | 9", "", "Team | Points", "Blues | 1", name="S")
    assert headers(drawn) == ["City | Rent", "Team | Points"]
    assert headings(drawn) == [(1, "S"), (2, "A1:B2"), (2, "A4:B5")]


def test_empty_columns_set_tables_apart():
    drawn = sheet("City | Rent | | Team | Points", "Linz | 9 | | Blues | 1")
    assert tables(drawn) == ["City | Rent\nLinz | 9", "Team | Points\nBlues | 1"]
    assert headings(drawn) == [(1, "A1:B2"), (1, "D1:E2")]


def test_tables_that_touch_at_a_corner_are_two():
    drawn = sheet("City | Rent", "Linz | 9", "| | Team | Points", "| | Blues | 1")
    assert headers(drawn) == ["City | Rent", "Team | Points"]


def test_several_tables_keep_their_titles_and_their_cells():
    drawn = sheet("Rents", "City | Rent", "Linz | 9", "", "Sports", "Team | Points", "Blues | 1")
    assert headings(drawn) == [(1, "Rents (A2:B3)"), (1, "Sports (A6:B7)")]


def test_a_column_left_empty_for_looks_divides_nothing():
    drawn = sheet("Voltage | | kV | 130", "Frequency | | Hz | 50")
    assert tables(drawn) == ["Voltage | kV | 130\nFrequency | Hz | 50"]


def test_a_row_left_empty_above_a_total_divides_nothing():
    drawn = sheet("City | Rent", "Linz | 9", "Graz | 8", "", "Total | 17")
    assert tables(drawn) == ["City | Rent\nLinz | 9\nGraz | 8\nTotal | 17"]


def test_a_row_left_empty_below_a_header_divides_nothing():
    drawn = sheet("City | Rent", "", "Linz | 9", "Graz | 8")
    assert headers(drawn) == ["City | Rent"]


def test_a_note_belongs_to_the_nearer_table():
    drawn = sheet("City | Rent", "Linz | 9", "", "Estimated", "", "", "Team | Points", "Blues | 1")
    assert headings(drawn) == [(1, "A1:B2"), (1, "A7:B8")]
    assert "Estimated" in written(drawn)[0]


@pytest.mark.parametrize(
    ("lines", "header"),
    [
        (["City | 2023 | 2024", "Linz | 9 | 10"], "City | 2023 | 2024"),
        (["1 | 2", "a | b", "c | d"], "1 | 2"),
        (["Name | Colour", "Ann | red", "Bob | blue"], "Name | Colour"),
        (["1 | Ann", "2 | Bob"], ""),
        (["Name: | Ann", "Born: | 2001-02-03"], ""),
        (["a | b"], ""),
    ],
)
def test_a_header_is_told_by_what_is_below_it(lines, header):
    (found,) = headers(sheet(*lines)) or [""]
    assert found == header


def test_a_header_of_two_rows_becomes_one_name_a_column():
    merged = [Area(0, 1, 0, 2), Area(0, 3, 0, 4)]
    drawn = sheet("City | Rent | | Size", "| 2023 | 2024 | 2023 | 2024", "Linz | 9 | 10 | 40 | 41")
    (found,) = headers(Sheet("", drawn.rows, merged))
    assert found == "City | Rent 2023 | Rent 2024 | Size 2023 | Size 2024"


def test_merged_cells_repeat_their_words():
    drawn = sheet("Land | City | Rent", "Austria | Linz | 9", "| Graz | 8")
    assert tables(Sheet("", drawn.rows, [Area(1, 0, 2, 0)])) == [
        "Land | City | Rent\nAustria | Linz | 9\nAustria | Graz | 8"
    ]


def test_a_cell_merged_across_the_table_is_written_once():
    drawn = sheet("City | Rent | Since", "Austria", "Linz | 9 | 2020", "Graz | 8 | 2021")
    assert tables(Sheet("", drawn.rows, [Area(1, 0, 1, 2)])) == [
        "City | Rent | Since\nAustria\nLinz | 9 | 2020\nGraz | 8 | 2021"
    ]


def test_a_merged_title_does_not_glue_tables_together():
    drawn = sheet("Everything", "City | Rent | | Team | Points", "Linz | 9 | | Blues | 1")
    assert len(tables(Sheet("", drawn.rows, [Area(0, 0, 0, 4)]))) == 2


def test_hidden_rows_and_columns_are_left_out_without_a_gap():
    drawn = sheet("City | Key | Rent", "Linz | x | 9", "Graz | y | 8", "Wien | z | 12")
    hidden = Sheet("", drawn.rows, (), Spans([(2, 2)]), Spans([(1, 1)]))
    assert tables(hidden) == ["City | Rent\nLinz | 9\nWien | 12"]
    assert n_hidden(hidden) == (1, 1)


def test_rows_are_always_one_line_and_as_long_as_they_need_be():
    drawn = sheet("a | b | c", "1 | | 3", "4", "5 | 6 | 7")
    assert tables(drawn) == ["a | b | c\n1 |  | 3\n4\n5 | 6 | 7"]


def test_a_list_of_one_column_is_a_table_with_a_header():
    assert headers(sheet("Industry", "Health", "Sales", "Other")) == ["Industry"]


def test_prose_in_cells_is_prose():
    drawn = sheet("A sentence that is quite long. " * 5, "Another one that is as long. " * 5)
    assert [b.kind for b in written(drawn)[1]] == [BlockKind.PARAGRAPH] * 2


def test_remarks_follow_the_cells():
    text, _ = written(sheet("a | b", "1 | 2", remarks=["Comment on A1: why?"]))
    assert text.endswith("\n\nComment on A1: why?")


def test_two_cells_far_apart_cost_as_much_as_two_cells():
    started = time.monotonic()
    builder = TextBuilder()
    area = write_sheet(builder, Sheet("", {0: {0: "1"}, 1_048_575: {16_383: "2"}}))
    assert (builder.text, str(area)) == ("1\n\n2", "A1:XFD1048576")
    assert time.monotonic() - started < 1


def test_a_diagonal_of_cells_is_not_laid_out_as_a_square():
    rows = {n: {n: "1", n + 1: "2"} for n in range(5000)}
    assert len(written(Sheet("", rows))[0]) < 100_000


def test_merged_cells_that_cover_everything_are_not_filled_in():
    rows = {0: {0: "x"}, 1_048_575: {16_383: "y"}}
    everything = [Area(0, 0, 1_048_575, 16_383)] * 1000
    assert written(Sheet("", rows, everything))[0] == "x\n\ny"


def test_many_groups_of_rows_take_time_in_proportion():
    rows = {number: {0: "a", 1: str(number)} for number in range(60_000) if number % 3}
    started = time.monotonic()
    (table,) = tables(Sheet("", rows))
    assert table.count("\n") == len(rows) - 1
    assert time.monotonic() - started < 5


@settings(max_examples=200)
@given(
    st.dictionaries(
        st.integers(0, 12),
        st.dictionaries(st.integers(0, 8), st.sampled_from(["x", "Name of it", "1", "2024"])),
    ),
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 6), st.integers(0, 3), st.integers(0, 3))),
)
def test_no_word_is_lost_and_blocks_are_in_order(rows, merges):
    rows = {number: cells for number, cells in rows.items() if cells}
    merged = [Area(row, column, row + n, column + m) for row, column, n, m in merges]
    text, blocks = written(Sheet("", rows, merged))
    for words in {words for cells in rows.values() for words in cells.values()}:
        assert words in text
    assert all(a.end <= b.start for a, b in pairwise(blocks))
    assert all(text[b.start : b.end].strip() for b in blocks)


@settings(max_examples=100)
@given(
    st.dictionaries(
        st.integers(0, 9), st.sets(st.integers(0, 6), min_size=1), min_size=1, max_size=9
    )
)
def test_every_cell_is_written_once(places):
    rows = {r: {c: f"r{r}c{c}x" for c in sorted(columns)} for r, columns in places.items()}
    text, _ = written(Sheet("", rows))
    for cells in rows.values():
        for words in cells.values():
            assert text.count(words) == 1


@pytest.mark.parametrize(
    "text",
    ["1", "-1.5", "1,234.50", "12 %", "€ 5", "CHF 12", "5 kg", "2024-05-01", "1.5.2024", "13:45",
     "TRUE", "#N/A", "(12)", "1e-5", "2024-05-01 13:45", "-"],
)  # fmt: skip
def test_values_are_told_from_words(text):
    assert is_value(text)


@pytest.mark.parametrize("text", ["Q1", "Name", "AI 3", "CD8 cells", "", "1st of May", "1" * 50])
def test_words_are_told_from_values(text):
    assert not is_value(text)


def test_stretches_are_merged_and_counted():
    spans = Spans([(5, 6), (2, 3), (4, 4), (10, 99)])
    assert [n for n in range(12) if n in spans] == [2, 3, 4, 5, 6, 10, 11]
    assert spans.n_others_between(1, 8) == 1
    assert spans.n_others_between(7, 200) == 102
    assert spans.n_others_between(3, 4) == 0


def test_columns_are_named_as_in_a_spreadsheet():
    assert [column_name(n) for n in (0, 25, 26, 701, 702, 16_383)] == [
        "A", "Z", "AA", "ZZ", "AAA", "XFD",
    ]  # fmt: skip
