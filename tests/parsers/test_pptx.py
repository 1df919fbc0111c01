"""PowerPoint."""

import base64
import io
import zipfile

import pptx
import pytest
from pptx.chart.data import CategoryChartData
from pptx.enum.chart import XL_CHART_TYPE
from pptx.util import Inches

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, TooManyPages
from parsers.media_type import PPTX
from parsers.office import pptx as parser
from tests.documents import word, zipped

TITLE_SLIDE, TITLE_AND_BODY, TITLE_ONLY, BLANK = 0, 1, 5, 6
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII="
)


def parse(data: bytes, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, PPTX, ParseOptions(**options)))


class Deck:
    """A presentation under construction."""

    def __init__(self) -> None:
        self.made = pptx.Presentation()

    def slide(self, layout: int = BLANK, title: str = "", body: str = ""):
        slide = self.made.slides.add_slide(self.made.slide_layouts[layout])
        if title:
            slide.shapes.title.text = title
        if body:
            slide.placeholders[1].text = body
        return slide

    @property
    def data(self) -> bytes:
        out = io.BytesIO()
        self.made.save(out)
        return out.getvalue()


def write(slide, words: str, left: float, top: float) -> None:
    box = slide.shapes.add_textbox(Inches(left), Inches(top), Inches(2), Inches(0.5))
    box.text_frame.text = words


def shown(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def repacked(data: bytes, change) -> bytes:
    """The same zip archive with each part as `change(name, bytes)` returns it; None drops it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            new = change(name, source.read(name))
            if new is not None:
                target.writestr(name, new)
    return out.getvalue()


def test_a_slide_is_a_page_with_its_title_for_a_heading():
    deck = Deck()
    deck.slide(TITLE_SLIDE, "The plan", "in short")
    deck.slide(TITLE_AND_BODY, "Costs", "Rent\nHeat")
    document = parse(deck.data)
    headings = [(b.level, b.label, b.page) for b in document.blocks if b.level]
    assert headings == [(1, "The plan", 1), (2, "Costs", 2)]
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "The plan\n\nin short",
        "Costs\n\nRent\nHeat",
    ]


def test_bullets_are_list_items_by_what_the_layout_says():
    deck = Deck()
    slide = deck.slide(TITLE_AND_BODY, "Costs", "Rent\nHeat")
    write(slide, "No bullet here.", 1, 6)
    assert [kind for kind, _ in shown(parse(deck.data))] == [
        BlockKind.HEADING,
        BlockKind.LIST_ITEM,
        BlockKind.LIST_ITEM,
        BlockKind.PARAGRAPH,
    ]


def test_shapes_are_read_from_top_to_bottom_and_from_left_to_right():
    deck = Deck()
    slide = deck.slide(TITLE_ONLY, "Order")
    write(slide, "bottom", 1, 5)
    write(slide, "right", 5, 2)
    write(slide, "left", 1, 2.1)
    assert [words for _, words in shown(parse(deck.data))] == ["Order", "left", "right", "bottom"]


def test_a_slide_without_a_title_is_named_by_its_first_short_line_or_its_number():
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")
    write(deck.slide(), "A short line", 1, 1)
    write(deck.slide(), "A long one. " * 20, 1, 1)
    labels = [(b.page, b.label) for b in parse(deck.data).blocks if b.level]
    assert labels == [(1, "First"), (2, "A short line"), (3, "Slide 3")]


def test_a_table_keeps_its_rows_and_repeats_its_header():
    deck = Deck()
    table = deck.slide(TITLE_ONLY, "T").shapes.add_table(2, 2, 0, 0, 999, 999).table
    for row, cells in enumerate((("City", "Rent"), ("Linz", "9"))):
        for column, words in enumerate(cells):
            table.cell(row, column).text = words
    document = parse(deck.data)
    assert shown(document)[1] == (BlockKind.TABLE, "City | Rent\nLinz | 9")
    assert document.blocks[1].label == "City | Rent"


def test_words_in_groups_are_read():
    deck = Deck()
    group = deck.slide(TITLE_ONLY, "G").shapes.add_group_shape()
    inner = group.shapes.add_group_shape()
    write(type("Slide", (), {"shapes": inner.shapes}), "deep inside", 1, 1)
    assert (BlockKind.PARAGRAPH, "deep inside") in shown(parse(deck.data))


def test_a_chart_is_its_title_and_its_numbers():
    data = CategoryChartData()
    data.categories = ["Linz", "Graz"]
    data.add_series("Rent", (9.5, 8))
    deck = Deck()
    shapes = deck.slide(TITLE_ONLY, "C").shapes
    chart = shapes.add_chart(XL_CHART_TYPE.PIE, 0, 0, 999, 999, data).chart
    chart.chart_title.text_frame.text = "Rent by city"
    assert shown(parse(deck.data))[1:] == [
        (BlockKind.PARAGRAPH, "Rent by city"),
        (BlockKind.TABLE, "| Rent\nLinz | 9.5\nGraz | 8"),
    ]


def test_notes_follow_the_slide_that_they_are_for():
    deck = Deck()
    slide = deck.slide(TITLE_ONLY, "First")
    slide.notes_slide.notes_text_frame.text = "Say hello."
    deck.slide(TITLE_ONLY, "Second")
    document = parse(deck.data)
    assert document.text == "First\n\nSay hello.\n\nSecond"
    assert [block.page for block in document.blocks] == [1, 1, 2]


def test_a_hidden_slide_is_left_out_unless_asked_for_and_keeps_its_number():
    deck = Deck()
    deck.slide(TITLE_ONLY, "Secret")._element.set("show", "0")
    deck.slide(TITLE_ONLY, "Open")
    document = parse(deck.data)
    assert document.text == "Open"
    assert [page.number for page in document.pages] == [1, 2]
    assert document.blocks[0].page == 2
    assert parse(deck.data, include_hidden=True).text == "Secret\n\nOpen"


def test_footer_date_and_number_of_a_slide_are_left_out():
    deck = Deck()
    slide = deck.slide(TITLE_ONLY, "First")
    for kind in ("ftr", "dt", "sldNum"):
        write(slide, f"running {kind}", 1, 6)
        properties = slide.shapes[-1]._element.nvSpPr.nvPr
        properties.get_or_add_ph().set("type", kind)
    assert parse(deck.data).text == "First"


def test_a_slide_with_only_a_picture_says_so_and_tells_what_a_person_wrote_of_it():
    deck = Deck()
    for description in (
        "",
        "picture.png",
        "A duck on a lake. AI-generated content may be incorrect.",
    ):
        picture = deck.slide().shapes.add_picture(io.BytesIO(PIXEL), 0, 0)
        picture._element.nvPicPr.cNvPr.set("descr", description)
    deck.slide(TITLE_ONLY, "No picture")
    document = parse(deck.data)
    assert [page.has_picture for page in document.pages] == [True, True, True, False]
    assert "picture.png" not in document.text
    assert "A duck on a lake." in document.text
    assert "AI-generated" not in document.text


def test_the_current_one_of_two_alternatives_is_read():
    deck = Deck()
    slide = deck.slide(TITLE_ONLY, "First")
    write(slide, "current", 1, 1)

    def with_alternative(name: str, data: bytes) -> bytes:
        if name != "ppt/slides/slide1.xml":
            return data
        head, shape, tail = data.rpartition(b"<p:sp>")[0], b"", b""
        shape, tail = data[len(head) :].split(b"</p:sp>", 1)
        shape += b"</p:sp>"
        mc = b'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        old = shape.replace(b"current", b"old")
        return (
            head
            + b"<mc:AlternateContent %s><mc:Choice Requires='p14'>%s</mc:Choice>" % (mc, shape)
            + b"<mc:Fallback>%s</mc:Fallback></mc:AlternateContent>%s" % (old, tail)
        )

    assert parse(repacked(deck.data, with_alternative)).text == "First\n\ncurrent"


def test_an_embedded_document_becomes_a_member():
    deck = Deck()
    inner = word(("Normal", "Inside."))
    shapes = deck.slide(TITLE_ONLY, "See inside").shapes
    shapes.add_ole_object(io.BytesIO(inner), "Word.Document.12", 0, 0, 999, 999)
    (member,) = parse(deck.data).members
    assert member.data == inner


@pytest.mark.parametrize("flavour", ["slideshow", "template", "presentation.macroEnabled"])
def test_shows_templates_and_macro_files_are_read(flavour):
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")

    def as_flavour(name: str, data: bytes) -> bytes:
        return data.replace(b"presentation.main+xml", f"{flavour}.main+xml".encode())

    assert parse(repacked(deck.data, as_flavour)).text == "First"


def test_title_author_and_dates_come_from_the_properties():
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")
    deck.made.core_properties.title = "The plan"
    deck.made.core_properties.author = "A. Writer"
    document = parse(deck.data)
    assert document.title == "The plan"
    assert document.properties["author"] == "A. Writer"
    deck.made.core_properties.title = "PowerPoint Presentation"
    assert parse(deck.data).title == "First"


def test_a_presentation_without_slides_is_empty():
    document = parse(Deck().data)
    assert (document.text, document.pages) == ("", ())


def test_too_many_slides_are_refused():
    deck = Deck()
    for _ in range(3):
        deck.slide()
    with pytest.raises(TooManyPages, match="3 slides, 2 are allowed"):
        parse(deck.data, max_pages=2)


def test_a_missing_slide_is_corrupt_and_not_passed_over():
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")
    deck.slide(TITLE_ONLY, "Second")
    with pytest.raises(Corrupt):
        parse(repacked(deck.data, lambda name, data: None if "slide2.xml" in name else data))


def test_half_a_file_is_corrupt():
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")
    with pytest.raises(Corrupt):
        parse(deck.data[: len(deck.data) // 2])


def test_a_bomb_is_not_unpacked():
    with pytest.raises(DecompressionBomb):
        parse(zipped(**{"ppt/presentation.xml": bytes(70 * 1024 * 1024)}))


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    deck = Deck()
    deck.slide(TITLE_ONLY, "First")

    def with_entity(name: str, data: bytes) -> bytes:
        if name != "ppt/slides/slide1.xml":
            return data
        entity = f'?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'.encode()
        return data.replace(b"?>", entity, 1).replace(b"First", b"First &e;")

    assert parse(repacked(deck.data, with_entity)).text == "First"
