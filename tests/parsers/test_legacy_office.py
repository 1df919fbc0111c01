"""Word and PowerPoint files from before 2007."""

from dataclasses import replace
from pathlib import Path

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, Encrypted, TooManyPages
from parsers.media_type import DOC, PPT
from parsers.office import legacy as parser

FIXTURES = Path(__file__).parents[1] / "fixtures"


def task(name: str, **options: int) -> ParseTask:
    media_type = PPT if name.endswith(".ppt") else DOC
    return ParseTask((FIXTURES / name).read_bytes(), media_type, ParseOptions(**options))


def parse(name: str, **options: int) -> ParsedDocument:
    return parser.parse(task(name, **options))


def test_headings_of_a_word_file_come_from_styles_in_any_language():
    document = parse("heading_styles.doc")
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [
        (1, "Überschriften in nicht\u2011englischer Sprache"),
        (2, "Problem mit lokalisierten Dokumenten"),
        (2, "Vorgeschlagene Änderung"),
        (2, "Verifizierung"),
    ]
    assert document.pages == ()


def test_a_table_of_a_word_file_keeps_its_rows():
    document = parse("table.doc")
    (table,) = (block for block in document.blocks if block.kind is BlockKind.TABLE)
    assert " | " in document.text[table.start : table.end]
    assert table.label


def test_blocks_are_spans_of_the_text():
    document = parse("table.doc")
    for block in document.blocks:
        assert document.text[block.start : block.end].strip()


def test_a_slide_is_a_page_with_its_title_for_a_heading():
    document = parse("two_slides.ppt")
    assert [page.number for page in document.pages] == [1, 2]
    assert [(b.level, b.label, b.page) for b in document.blocks if b.level] == [
        (2, "Power Point", 1),
        (2, "Slide 2", 2),
    ]
    second = document.pages[1]
    assert document.text[second.start : second.end].startswith("Slide 2\n\n")


def test_a_slide_is_read_in_order():
    document = parse("one_slide.ppt")
    assert document.text.startswith("This is a title, it’s in black\n\nThis is the subtitle")


def test_author_and_dates_come_from_the_properties():
    assert parse("one_slide.ppt").properties == {
        "author": "Hogwarts",
        "created": "2005-07-31T16:35:16+00:00",
        "modified": "2005-08-07T15:07:32+00:00",
    }


def test_a_word_file_from_before_ole_is_read():
    assert "3GPP" in parse("word2.doc").text


@pytest.mark.parametrize("name", ["encrypted_rc4.doc", "encrypted.ppt"])
def test_without_its_password_it_is_encrypted(name):
    with pytest.raises(Encrypted):
        parse(name)


@pytest.mark.parametrize(
    ("name", "password"), [("encrypted_rc4.doc", "tika"), ("encrypted.ppt", "hello")]
)
def test_with_its_password_it_is_read(name, password):
    sealed = replace(task(name), passwords=("wrong", password))
    assert parser.parse(sealed).text


def test_too_many_slides_are_refused():
    with pytest.raises(TooManyPages, match="2 slides, 1 are allowed"):
        parse("two_slides.ppt", max_pages=1)


@pytest.mark.parametrize("name", ["heading_styles.doc", "two_slides.ppt"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_part_of_a_file_is_corrupt_or_read_as_far_as_it_goes(name, share):
    whole = task(name)
    try:
        document = parser.parse(replace(whole, data=whole.data[: int(len(whole.data) * share)]))
    except Corrupt:
        return
    assert document.text == "" or document.text in parse(name).text


@pytest.mark.parametrize("media_type", [DOC, PPT])
@pytest.mark.parametrize("data", [b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), b"words"])
def test_bytes_that_are_no_office_file_are_corrupt(media_type, data):
    with pytest.raises(Corrupt):
        parser.parse(ParseTask(data, media_type, ParseOptions()))


def test_flipped_bytes_do_no_harm():
    whole = task("two_slides.ppt")
    for position in range(512, len(whole.data), 97):
        data = bytearray(whole.data)
        data[position] ^= 0xFF
        try:
            parser.parse(replace(whole, data=bytes(data)))
        except (Corrupt, Encrypted):
            continue
