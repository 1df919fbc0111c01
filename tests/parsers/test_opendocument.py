"""OpenDocument texts and presentations."""

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, Encrypted, TooManyPages
from parsers.media_type import ODP, ODT
from parsers.opendocument import text as parser
from tests.documents import zipped

ROOT = " ".join(
    f'xmlns:{prefix}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
    for prefix, name in {
        "office": "office",
        "text": "text",
        "table": "table",
        "draw": "drawing",
        "style": "style",
        "meta": "meta",
        "presentation": "presentation",
        "svg": "svg-compatible",
        "manifest": "manifest",
    }.items()
)
ROOT += ' xmlns:dc="http://purl.org/dc/elements/1.1/"'


def content(inner: str, kind: str, automatic_styles: str = "", **parts: str) -> bytes:
    styles = f"<office:automatic-styles>{automatic_styles}</office:automatic-styles>"
    body = f"<office:body><office:{kind}>{inner}</office:{kind}></office:body>"
    whole = f"<office:document-content {ROOT}>{styles}{body}</office:document-content>"
    named = {"content.xml": whole, **{name.replace("_", "."): part for name, part in parts.items()}}
    return zipped(**{name: part.encode() for name, part in named.items()})


def text(inner: str, automatic_styles: str = "", **parts: str) -> bytes:
    return content(inner, "text", automatic_styles, **parts)


def slides(inner: str, automatic_styles: str = "") -> bytes:
    return content(inner, "presentation", automatic_styles)


def parse(data: bytes, media_type: str = ODT, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, media_type, ParseOptions(**options)))


def shown(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def frame(words: str, place: str = "", kind: str = "outline") -> str:
    box = f"<draw:text-box><text:p>{words}</text:p></draw:text-box>"
    return f'<draw:frame presentation:class="{kind}" {place}>{box}</draw:frame>'


def test_headings_paragraphs_and_list_items():
    document = parse(
        text(
            '<text:h text:outline-level="2">Rent</text:h><text:p>Words.</text:p>'
            "<text:list><text:list-item><text:p>one</text:p>"
            "<text:list><text:list-item><text:p>below</text:p></text:list-item></text:list>"
            "</text:list-item></text:list>"
        )
    )
    assert shown(document) == [
        (BlockKind.HEADING, "Rent"),
        (BlockKind.PARAGRAPH, "Words."),
        (BlockKind.LIST_ITEM, "one"),
        (BlockKind.LIST_ITEM, "below"),
    ]
    assert document.blocks[0].level == 2


def test_a_style_based_on_a_heading_is_a_heading():
    style = (
        '<style:style style:name="P1" style:family="paragraph"'
        ' style:parent-style-name="Heading_20_3"/>'
    )
    (block,) = parse(text('<text:p text:style-name="P1">Rent</text:p>', style)).blocks
    assert (block.kind, block.level) == (BlockKind.HEADING, 3)


def test_spaces_tabs_and_line_breaks_are_those_of_the_text_and_not_of_the_file():
    words = (
        '<text:p>one\n   two<text:s text:c="2"/>three<text:tab/>four<text:line-break/>five</text:p>'
    )
    assert parse(text(words)).text == "one two  three\tfour\nfive"


def test_a_table_keeps_its_rows_and_repeats_its_header():
    cell = "<table:table-cell><text:p>{}</text:p></table:table-cell>"
    row = "<table:table-row>{}</table:table-row>"
    header = row.format(cell.format("City") + cell.format("Rent"))
    rows = row.format(cell.format("Linz") + cell.format("9"))
    table = f"<table:table-header-rows>{header}</table:table-header-rows>{rows}"
    document = parse(text(f"<table:table>{table}</table:table>"))
    assert shown(document) == [(BlockKind.TABLE, "City | Rent\nLinz | 9")]
    assert document.blocks[0].label == "City | Rent"


def test_a_claimed_million_of_cells_and_rows_is_not_written():
    cells = '<table:table-cell table:number-columns-repeated="999999999"/>' * 2
    filled = "<table:table-cell><text:p>x</text:p></table:table-cell>"
    empty = f'<table:table-row table:number-rows-repeated="999999999">{cells}</table:table-row>'
    table = f"<table:table>{empty}<table:table-row>{filled}{cells}</table:table-row></table:table>"
    assert parse(text(table)).text == "x"


def test_a_footnote_and_a_text_box_follow_the_paragraph_that_they_are_anchored_in():
    note = (
        "<text:note><text:note-citation>1</text:note-citation>"
        "<text:note-body><text:p>Proof.</text:p></text:note-body></text:note>"
    )
    box = "<draw:frame><draw:text-box><text:p>Boxed.</text:p></draw:text-box></draw:frame>"
    document = parse(text(f"<text:p>Claim{note}{box} made.</text:p><text:p>Next.</text:p>"))
    assert document.text == "Claim made.\n\nBoxed.\n\nProof.\n\nNext."


def test_deleted_text_comments_and_hidden_text_are_left_out():
    tracked = "<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
    comment = "<office:annotation><text:p>comment</text:p></office:annotation>"
    hidden_section = '<text:section text:display="none"><text:p>hidden</text:p></text:section>'
    style = (
        '<style:style style:name="T1" style:family="text">'
        '<style:text-properties text:display="none"/></style:style>'
    )
    hidden = '<text:span text:style-name="T1"> and hidden</text:span>'
    data = text(f"{tracked}{hidden_section}<text:p>Plain{comment}{hidden}</text:p>", style)
    assert parse(data).text == "Plain"
    assert parse(data, include_hidden=True).text == "hidden\n\nPlain and hidden"


def test_properties_come_from_the_meta_part():
    meta = (
        f"<office:document-meta {ROOT}><office:meta><dc:title>Rent law</dc:title>"
        "<meta:initial-creator>A. Writer</meta:initial-creator>"
        "<meta:creation-date>2024-05-01T10:00:00</meta:creation-date>"
        "<dc:date>yesterday</dc:date></office:meta></office:document-meta>"
    )
    document = parse(text("<text:p>Words.</text:p>", meta_xml=meta))
    assert document.title == "Rent law"
    assert document.properties == {"author": "A. Writer", "created": "2024-05-01T10:00:00"}


def test_a_slide_is_a_page_with_its_title_first_and_its_notes_last():
    page = (
        "<draw:page>"
        + frame("below", 'svg:y="9cm" svg:x="1cm"')
        + frame("right", 'svg:y="5cm" svg:x="9cm"')
        + frame("left", 'svg:y="51mm" svg:x="1cm"')
        + frame("Costs", 'svg:y="1cm"', "title")
        + f"<presentation:notes>{frame('Say hello.', kind='notes')}"
        + f"{frame('7', kind='page-number')}</presentation:notes></draw:page>"
    )
    document = parse(slides(page + "<draw:page/>"), ODP)
    assert document.text == "Costs\n\nleft\n\nright\n\nbelow\n\nSay hello."
    assert (document.blocks[0].level, document.blocks[0].page) == (2, 1)
    assert [(page.number, page.start, page.end) for page in document.pages] == [
        (1, 0, len(document.text)),
        (2, len(document.text), len(document.text)),
    ]


def test_a_slide_without_a_title_is_named_by_its_number():
    document = parse(slides(f"<draw:page/><draw:page>{frame('Words.')}</draw:page>"), ODP)
    assert document.text == "Slide 2\n\nWords."


def test_a_hidden_slide_is_left_out_unless_asked_for():
    style = (
        '<style:style style:name="dp1" style:family="drawing-page">'
        '<style:drawing-page-properties presentation:visibility="hidden"/></style:style>'
    )
    page = f'<draw:page draw:style-name="dp1">{frame("Secret", kind="title")}</draw:page>'
    assert parse(slides(page, style), ODP).text == ""
    assert parse(slides(page, style), ODP, include_hidden=True).text == "Secret"


def test_too_many_slides_are_refused():
    with pytest.raises(TooManyPages, match="3 slides, 2 are allowed"):
        parse(slides("<draw:page/>" * 3), ODP, max_pages=2)


def test_a_file_with_a_password_is_encrypted():
    manifest = (
        f"<manifest:manifest {ROOT}><manifest:file-entry><manifest:encryption-data/>"
        "</manifest:file-entry></manifest:manifest>"
    )
    with pytest.raises(Encrypted):
        parse(zipped(**{"content.xml": b"\x00sealed", "META-INF/manifest.xml": manifest.encode()}))


@pytest.mark.parametrize("data", [b"", b"<office:document", b"<a/>"])
def test_content_that_is_no_document_is_corrupt(data):
    with pytest.raises(Corrupt):
        parse(zipped(**{"content.xml": data}))


def test_half_a_file_is_corrupt():
    whole = text("<text:p>Words.</text:p>")
    with pytest.raises(Corrupt):
        parse(whole[: len(whole) // 2])


def test_lists_nested_without_end_are_corrupt():
    with pytest.raises(Corrupt):
        parse(text("<text:section>" * 5000 + "</text:section>" * 5000))


def test_a_bomb_is_not_unpacked():
    with pytest.raises(DecompressionBomb):
        parse(zipped(**{"content.xml": bytes(70 * 1024 * 1024)}))


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'
    body = "<office:body><office:text><text:p>Plain &e;</text:p></office:text></office:body>"
    whole = f"{entity}<office:document-content {ROOT}>{body}</office:document-content>"
    assert parse(zipped(**{"content.xml": whole.encode()})).text == "Plain"
