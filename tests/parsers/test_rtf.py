"""Rich Text Format."""

import time

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt
from parsers.media_type import RTF
from parsers.rtf import parser


def parse(inner: str | bytes, **options: int) -> ParsedDocument:
    """An RTF document with this in it."""
    data = inner if isinstance(inner, bytes) else inner.encode("ascii")
    whole = rb"{\rtf1\ansi\ansicpg1252\deff0 " + data + b"}"
    return parser.parse(ParseTask(whole, RTF, ParseOptions(**options)))


def shown(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def test_paragraphs_end_where_they_say():
    assert parse(r"One\line still one.\par Two.\par\pard Three").text == (
        "One\nstill one.\n\nTwo.\n\nThree"
    )


def test_headings_come_from_styles_and_outline_levels():
    styles = r"{\stylesheet{\s0 Normal;}{\s1\sbasedon0 heading 1;}{\s7\outlinelevel2 Kapitel;}}"
    document = parse(
        styles
        + r"\pard\s1 Top\par\pard Words.\par\pard\s7 Below\par\pard\outlinelevel1 Own\par"
        + r"\pard\s1\outlinelevel9 Not one\par"
    )
    assert [(b.level, b.label) for b in document.blocks if b.level] == [
        (1, "Top"),
        (3, "Below"),
        (2, "Own"),
    ]
    assert "Normal" not in document.text


def test_list_items_come_without_their_marks():
    listed = (
        r"\pard{\listtext\'b7\tab}\ls1 one\par{\pntext\f1 2.\tab}\pard\ls1 two\par\pard After.\par"
    )
    assert shown(parse(listed)) == [
        (BlockKind.LIST_ITEM, "one"),
        (BlockKind.LIST_ITEM, "two"),
        (BlockKind.PARAGRAPH, "After."),
    ]


def test_a_table_keeps_its_rows_and_repeats_its_header():
    row = r"\trowd\cellx1\cellx2\pard\intbl {}\cell {}\cell\row "
    table = row.format("City", "Rent") + row.format(r"Linz\par old town", "9")
    document = parse(rf"Before.\par {table}\pard After.\par")
    assert shown(document) == [
        (BlockKind.PARAGRAPH, "Before."),
        (BlockKind.TABLE, "City | Rent\nLinz old town | 9"),
        (BlockKind.PARAGRAPH, "After."),
    ]
    assert document.blocks[1].label == "City | Rent"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (rb"caf\'e9", "café"),
        (b"caf\xe9", "café"),
        (rb"\u8364?5", "€5"),
        (rb"\uc2\u8364\'80\'80 5", "€ 5"),
        (rb"\uc0\u8364 5", "€5"),
        (rb"\u-10179?\u-8704?", "\U0001f600"),
        (rb"a\~b\_c\emdash d", "a\xa0b\u2011c—d"),
        (rb"\{\\\}", r"{\}"),
        (rb"{\fonttbl{\f1\fcharset204 Arial;}}\f1\'cf\'f0\'e0", "Пра"),
        (rb"{\fonttbl{\f1\fcharset128 MS;}}\f1\'83A\'83\'42", "アィ"),
    ],
)
def test_characters_are_those_that_were_meant(written, read):
    assert parse(written).text == read


def test_the_code_page_of_the_document_counts():
    whole = rb"{\rtf1\ansi\ansicpg1251 \'cf\'f0\'e0}"
    assert parser.parse(ParseTask(whole, RTF, ParseOptions())).text == "Пра"


def test_what_is_no_text_of_the_document_is_left_out():
    assert (
        parse(
            r"{\fonttbl{\f0 Times;}}{\colortbl;\red0;}{\*\generator Word;}{\header Running}"
            r"{\pict\pngblip 89504e47}{\field{\*\fldinst HYPERLINK http://x}{\fldrslt a link}}"
            r"{\*\bkmkstart mark}{\deleted gone}"
        ).text
        == "a link"
    )


def test_hidden_text_is_left_out_unless_asked_for():
    assert parse(r"Plain{\v  hidden}\v  too\v0  shown").text == "Plain shown"
    assert parse(r"Plain{\v  hidden}", include_hidden=True).text == "Plain hidden"


def test_a_footnote_and_a_text_box_follow_the_paragraph_that_they_are_anchored_in():
    note = r"{\super\chftn{\footnote\pard\chftn Proof.\par}}"
    box = r"{\shp{\*\shpinst{\sp{\sn name}{\sv value}}{\shptxt\pard Boxed.\par}}{\shprslt Boxed.}}"
    document = parse(rf"Claim{note}{box} made.\par Next.\par")
    assert document.text == "Claim made.\n\nProof.\n\nBoxed.\n\nNext."


def test_braces_in_a_binary_picture_do_not_count():
    assert parse(rb"Before {\pict\bin6 }}}{{{}after.").text == "Before after."


def test_properties_come_from_the_info_group():
    document = parse(
        r"{\info{\title Rent law}{\author A. Writer}{\creatim\yr2024\mo5\dy1\hr10\min7}"
        r"{\revtim\yr2024\mo99\dy1}}Words."
    )
    assert document.title == "Rent law"
    assert document.properties == {"author": "A. Writer", "created": "2024-05-01T10:07:00"}
    assert document.text == "Words."


def test_the_text_of_a_file_that_was_cut_off_is_kept():
    for cut in (rb"{\b Second", rb"\intbl Second", rb"{\footnote Second"):
        whole = rb"{\rtf1 First.\par" + cut
        assert parser.parse(ParseTask(whole, RTF, ParseOptions())).text == "First.\n\nSecond"


@pytest.mark.parametrize("data", [b"plain words", b"{\\urtf1 x}", b"\\rtf1"])
def test_what_does_not_start_as_rtf_is_corrupt(data):
    with pytest.raises(Corrupt):
        parser.parse(ParseTask(data, RTF, ParseOptions()))


def test_groups_nested_without_end_are_corrupt():
    with pytest.raises(Corrupt):
        parse("{" * 100_000)


@pytest.mark.parametrize(
    "hostile",
    [r"\bin99999999999 x", r"\u99999999999 ", r"\uc99999999 \u65 ", r"\ansicpg0 x", "}}}{"],
)
def test_absurd_numbers_do_no_harm(hostile):
    assert "Before." in parse(rf"Before.\par {hostile}").text


def test_a_large_file_takes_time_in_proportion():
    started = time.process_time()
    parse(rb"{\field{\fldinst HYPERLINK}{\fldrslt x}} word \'e9\par " * 20_000)
    assert time.process_time() - started < 8
