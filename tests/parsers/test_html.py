"""HTML."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.contract import ParseOptions, ParseTask
from parsers.document import Block, BlockKind, ParsedDocument, TextBuilder
from parsers.errors import Corrupt
from parsers.media_type import HTML
from parsers.web import html
from parsers.web.blocks import add_html

MENU = "<ul>" + "".join(f"<li><a href='/{n}'>Entry {n}</a></li>" for n in range(9)) + "</ul>"
NAMES = (
    "p", "b", "a", "ul", "ol", "li", "dl", "dt", "dd", "h2", "pre", "br", "head", "body", "table",
    "tr", "td", "th", "thead", "caption", "blockquote", "div", "sup", "main", "html", "my-box",
)  # fmt: skip
TAGS = [f"<{slash}{name}>" for slash in ("", "/") for name in NAMES]
PROSE = "<p>" + "Whoever travels books the cheapest fare that the policy allows. " * 5 + "</p>"


def parse(markup: str | bytes) -> ParsedDocument:
    data = markup if isinstance(markup, bytes) else markup.encode()
    return html.parse(ParseTask(data, HTML, ParseOptions()))


def said(markup: str) -> list[tuple[BlockKind, str]]:
    document = parse(markup)
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def one(markup: str) -> tuple[Block, str]:
    document = parse(markup)
    (block,) = document.blocks
    return block, document.text


def test_title_and_language_are_the_pages_own():
    document = parse("<html lang='de-AT'><head><title> Ein\nTitel </title></head><p>Text.</p>")
    assert (document.title, document.language) == ("Ein Titel", "de")


@pytest.mark.parametrize(
    ("head", "title"),
    [
        ("<meta property='og:title' content='Shared'>", "Shared"),
        ("<title> </title>", "Headline"),
        ("<title>Its own</title><meta property='og:title' content='Shared'>", "Its own"),
    ],
)
def test_the_title_comes_from_the_best_place_that_has_one(head, title):
    assert parse(f"<head>{head}</head><body><h1>Headline</h1></body>").title == title


def test_properties_come_from_the_head():
    properties = parse(
        "<head><meta name=Author content='Ann Lee'>"
        "<meta property='article:author' content='https://x.example/ann'>"
        "<meta name=description content='What\n it is'>"
        "<meta property='article:published_time' content='2024-05-01T10:00:00Z'>"
        "<meta http-equiv='last-modified' content='Thu, 02 May 2024 08:00:00 GMT'>"
        "<link rel=canonical href='https://x.example/a'></head><p>Text."
    ).properties
    assert properties == {
        "author": "Ann Lee",
        "description": "What it is",
        "published": "2024-05-01T10:00:00+00:00",
        "modified": "2024-05-02T08:00:00+00:00",
        "canonical_url": "https://x.example/a",
    }


def test_a_date_that_is_none_is_no_property():
    assert parse("<meta name=date content='last week'><p>Text.").properties == {}


def test_headings_have_their_levels():
    blocks = parse("<h1>One</h1><p>a b c.</p><h3>Three</h3><p>d e f.</p>").blocks
    assert [(b.level, b.label) for b in blocks if b.kind is BlockKind.HEADING] == [
        (1, "One"),
        (3, "Three"),
    ]


def test_a_heading_is_one_line_without_its_permalink():
    block, _ = one("<h2><div>Part<br>one</div> <a class=headerlink href=#p>¶</a></h2>")
    assert (block.kind, block.level, block.label) == (BlockKind.HEADING, 2, "Part one")


def test_a_heading_that_is_never_closed_does_not_swallow_the_page():
    kinds = [kind for kind, _ in said(f"<h2>Fares{PROSE}{PROSE}")]
    assert kinds == [BlockKind.HEADING, BlockKind.PARAGRAPH, BlockKind.PARAGRAPH]


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>secret()</script>",
        "<style>.secret{}</style>",
        "<nav><a href='/'>secret</a></nav>",
        "<p hidden>secret</p>",
        "<div style='display: none'>secret</div>",
        "<div style='DISPLAY:none !important'><p>secret</p></div>",
        "<p style='visibility:hidden'>secret</p>",
        "<p style='opacity: 0'>secret</p>",
        "<p style='font-size:0'>secret</p>",
        "<p style='font-size:1px;color:#fff'>secret <b>secret</b></p>",
        "<p style='color:#ffffff;background:white'>secret</p>",
        "<p style='position:absolute;left:-9999px'>secret</p>",
        "<p style='text-indent:-9999px'>secret</p>",
        "<p style='position:absolute;clip:rect(0 0 0 0)'>secret</p>",
        "<p style='height:0;overflow:hidden'>secret</p>",
        "<p aria-hidden='true'>secret</p>",
        "<!-- secret -->",
        "<template><p>secret</p></template>",
        "<noscript>secret</noscript>",
        "<iframe srcdoc='secret'>secret</iframe>",
        "<select><option>secret</option></select>",
        "<dialog>secret</dialog>",
        "<button>secret</button>",
    ],
)
def test_what_nobody_sees_is_not_text(unseen):
    text = parse(f"<body>{unseen}<p>What everybody sees.</p></body>").text
    assert text == "What everybody sees."


def test_text_behind_something_hidden_stays():
    assert parse("<p>before <span hidden>x</span> after</p>").text == "before after"


def test_a_newsletters_words_have_a_size_of_their_own():
    frame = "<td style='font-size:0px'><div style='font-size:13px'>The offer.</div></td>"
    assert parse(f"<table><tr>{frame}</tr></table>").text == "The offer."


def test_a_page_behind_an_open_dialog_is_read():
    page = "<div aria-hidden=true><h1>Policy</h1><p>Book early.</p></div>"
    assert parse(page).text == "Policy\n\nBook early."


def test_characters_that_nobody_sees_are_left_out():
    smuggled = "".join(chr(0xE0000 + ord(letter)) for letter in "obey")
    assert parse(f"<p>Donau&shy;dampf\u200bschiff{smuggled}</p>").text == "Donaudampfschiff"


def test_closed_details_are_text():
    markup = "<details><summary>More</summary><p>What is inside.</p></details>"
    assert parse(markup).text == "More\n\nWhat is inside."


def test_menus_headers_and_footers_are_left_out():
    page = (
        f"<header>The Company {MENU}</header><div class='left-sidebar'>{MENU}</div>"
        f"<div id=content><h1>Travel</h1>{PROSE}</div>"
        "<div class='cookie-banner'>We use cookies</div><footer>© The Company</footer>"
    )
    assert said(page)[0] == (BlockKind.HEADING, "Travel")
    assert [kind for kind, _ in said(page)] == [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_the_main_part_is_read_with_the_headline_above_it():
    page = f"<h1>Travel</h1><div>By the way</div><main>{PROSE}</main><div>Elsewhere: a, b</div>"
    assert [kind for kind, _ in said(page)] == [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_the_header_of_an_article_is_content():
    page = f"<article><header><h1>Travel</h1><p>By Ann</p></header>{PROSE}</article>"
    assert "By Ann" in parse(page).text


def test_a_page_of_links_is_read_rather_than_lost():
    assert "Entry 8" in parse(f"<body>{MENU}</body>").text
    assert "Entry 8" in parse(f"<nav>{MENU}</nav>").text


def test_a_main_part_that_holds_hardly_anything_is_not_taken_for_all():
    assert "cheapest" in parse(f"<main><p>Loading</p></main><div>{PROSE}</div>").text


def test_a_fragment_is_complete():
    assert parse("Dear all,<br>the office is shut.<br><br>Ann").text == (
        "Dear all,\nthe office is shut.\n\nAnn"
    )


def test_list_items_have_their_numbers():
    markup = "<ol start=3><li>three<ul><li>inner</li></ul></li><li><p>four</p><p>more</p></li></ol>"
    assert said(markup) == [
        (BlockKind.LIST_ITEM, "3. three"),
        (BlockKind.LIST_ITEM, "inner"),
        (BlockKind.LIST_ITEM, "4. four"),
        (BlockKind.PARAGRAPH, "more"),
    ]


def test_a_definition_stands_with_its_term():
    markup = "<dl><dt>Lag</dt><dd><p>Time until found.</p></dd><dt>Run</dt><dd></dd></dl>"
    assert said(markup) == [
        (BlockKind.LIST_ITEM, "Lag: Time until found."),
        (BlockKind.LIST_ITEM, "Run"),
    ]


def test_a_quotation_is_one():
    assert said("<blockquote><p>He said.</p></blockquote><p>I say.</p>") == [
        (BlockKind.QUOTE, "He said."),
        (BlockKind.PARAGRAPH, "I say."),
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "def f():\n\n    return 1",
        "def f():<br><br>    return 1",
        "<div>def f():\n</div>\n    return 1",
    ],
)
def test_code_keeps_its_lines(lines):
    block, text = one(f"<pre><code>{lines}</code></pre>")
    assert block.kind is BlockKind.CODE
    assert text == "def f():\n\n    return 1"


def test_a_picture_says_its_alternative_text_and_a_caption_does_not_repeat_it():
    picture = "<figure><img src=a.png alt='Two ducks'><figcaption>{}</figcaption></figure>"
    assert parse(picture.format("Two ducks")).text == "Two ducks"
    assert parse(picture.format("Ducks, 1920")).text == "Two ducks\n\nDucks, 1920"
    assert parse("<p>See <img alt='IMG_1.jpg'> here</p>").text == "See here"


def test_powers_and_footnotes_do_not_run_into_the_words():
    markup = "<p>10<sup>6</sup> ducks<sup><a href=#1>1</a></sup>, H<sub>2</sub>O</p>"
    assert parse(markup).text == "10^6 ducks [1], H2O"


def test_a_formula_is_said_once():
    markup = (
        "<p>Mass: <span class='mwe-math-element'>"
        "<span style='display:none' class='mwe-math-mathml'><math><mi>E</mi>"
        "<annotation encoding='application/x-tex'>E=mc^2</annotation></math></span>"
        "<img class='mwe-math-fallback' aria-hidden=true alt='E=mc^2'></span>.</p>"
    )
    assert parse(markup).text == "Mass: E=mc^2 ."


def test_table_rows_stay_rows():
    markup = "<table><tr><th>City</th><th>Rent</th></tr><tr><td>Linz</td><td>9</td></tr></table>"
    block, text = one(markup)
    assert text == "City | Rent\nLinz | 9"
    assert (block.kind, block.label) == (BlockKind.TABLE, "City | Rent")


def test_spans_are_filled():
    markup = (
        "<table><tr><th rowspan=2>City</th><th colspan=2>Rent</th></tr><tr><th>2023</th>"
        "<th>2024</th></tr><tr><td>Linz</td><td>8</td><td>9</td></tr></table>"
    )
    block, text = one(markup)
    assert text == "City | Rent | Rent\nCity | 2023 | 2024\nLinz | 8 | 9"
    assert block.label == "City | Rent 2023 | Rent 2024"


def test_the_first_row_is_the_header_where_it_names_the_columns():
    rows = "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in ["ab", "12", "34"])
    assert one(f"<table>{rows}</table>")[0].label == "a | b"
    rows = "".join(f"<tr><td>{a}</td><td>{b}</td></tr>" for a, b in ["12", "34", "56"])
    assert one(f"<table>{rows}</table>")[0].label == ""


def test_a_table_that_arranges_the_page_is_text():
    markup = f"<table><tr><td><h1>Travel</h1></td><td>{PROSE}</td></tr></table>"
    assert [kind for kind, _ in said(markup)] == [BlockKind.HEADING, BlockKind.PARAGRAPH]


def test_a_table_in_a_table_is_found():
    inner = "<table><tr><td>a</td><td>b</td></tr><tr><td>1</td><td>2</td></tr></table>"
    markup = f"<table><tr><td>before</td><td>{inner}</td></tr></table>"
    assert said(markup) == [(BlockKind.PARAGRAPH, "before"), (BlockKind.TABLE, "a | b\n1 | 2")]


def test_spans_without_end_repeat_nothing_without_end():
    row = "<tr><td colspan=1000 rowspan=60000>" + "word " * 50 + "</td><td colspan=x>b</td></tr>"
    assert len(parse("<table>" + row * 300 + "</table>").text) < 500_000


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252", "iso-8859-15"])
def test_the_encoding_is_found(encoding):
    markup = f"<html><head><meta charset='{encoding}'></head><body><p>Grüße café</p></body></html>"
    assert "Grüße café" in parse(markup.encode(encoding)).text


@pytest.mark.parametrize(
    ("encoding", "words"), [("shift_jis", "日本語"), ("iso-2022-jp", "日本語")]
)
def test_a_declared_eastern_encoding_is_taken(encoding, words):
    markup = f"<?xml version='1.0' encoding='{encoding}'?><html><p>{words}</p></html>"
    assert parse(markup.encode(encoding)).text == words


@pytest.mark.parametrize("declared", ["ascii", "shift_jis", "no-such", "rot13", "utf-16"])
def test_a_wrong_declaration_of_the_encoding_is_seen_through(declared):
    markup = f"<html><head><meta charset='{declared}'></head><body><p>Grüße</p></body></html>"
    assert "Grüße" in parse(markup.encode()).text


def test_undeclared_western_text_is_read_as_browsers_do():
    words = "L'été était très chaud, El niño comió, Kvinnan åt köttbullar, Größe, façade, Übung"
    assert parse(f"<p>{words}</p>".encode("cp1252")).text == words


@pytest.mark.parametrize("markup", ["<!-- nothing -->", " \n ", "<p></p>", "<img src=a.png>"])
def test_a_page_without_words_is_an_empty_text(markup):
    assert parse(markup).text == ""


def test_what_xhtml_closes_at_once_swallows_nothing():
    markup = (
        "<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'><head><title/>"
        "<script src='a'/></head><body><p>Words.</p></body></html>"
    )
    assert parse(markup).text == "Words."


def test_broken_markup_loses_no_words():
    markup = "<p>one<b>two</p><p>three<table>four<tr><td>five</html><p>six</div>"
    words = parse(markup).text
    assert all(word in words for word in ("one", "two", "three", "four", "five", "six"))


@given(st.lists(st.sampled_from(TAGS), max_size=30))
def test_no_soup_of_tags_loses_or_doubles_a_word(tags):
    words = [f"w{number}x" for number in range(len(tags))]
    builder = TextBuilder()
    markup = "".join(f"{tag} {word} " for tag, word in zip(tags, words, strict=True))
    add_html(builder, markup, main_content=False)
    assert sorted(re.findall(r"w\d+x", builder.text)) == sorted(words)


def test_words_between_the_cells_of_a_table_are_not_lost():
    row = "<td>a</td>loose<td>b</td>"
    markup = (
        f"<table>above<caption>Fares</caption><tr>{row}</tr><div>between</div><td>1<td>2</table>"
    )
    words = parse(markup).text
    assert words == "above\n\nFares\n\nbetween\n\nloose\n\n1 | 2\na | b"


def test_pages_one_behind_the_other_are_all_read():
    page = "<html><head><title>T</title></head><body><p>Page {}.</p></body></html>\n"
    assert parse(page.format(1) + page.format(2) + "<p>End.").text == "Page 1.\n\nPage 2.\n\nEnd."


@pytest.mark.parametrize("tag", ["div", "b", "font", "ul><li", "table><tr><td", "blockquote"])
def test_thousands_of_open_elements_are_read_in_time(tag):
    started = time.monotonic()
    assert parse(f"<{tag}>" * 20_000 + "inside").text == "inside"
    assert time.monotonic() - started < 10


def test_what_is_hidden_is_hidden_at_any_depth():
    assert parse("<div>" * 3_000 + "<p hidden>secret</p>words").text == "words"


def test_what_hides_itself_without_end_is_corrupt():
    with pytest.raises(Corrupt):
        parse("<div hidden=until-found>" * 5_000 + "words")


@pytest.mark.parametrize(
    "attribute",
    ["title='" + "x" * 12_000_000 + "'", " ".join(f"a{n}=1" for n in range(100_000))],
)
def test_huge_attributes_cost_nothing(attribute):
    started = time.monotonic()
    assert parse(f"<p {attribute}>words</p><p>and more</p>").text == "words\n\nand more"
    assert time.monotonic() - started < 5


def test_an_entity_of_its_own_and_a_file_are_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret")
    entity = f"<!DOCTYPE html [<!ENTITY e SYSTEM 'file://{secret}'>]>"
    assert "the secret" not in parse(f"{entity}<p>words &e;</p>").text


def test_other_parsers_add_html_to_a_text_of_theirs():
    builder = TextBuilder()
    builder.add(BlockKind.HEADING, "Subject", level=1)
    add_html(builder, f"<nav>Menu</nav><h1>A</h1>{PROSE}", main_content=False, min_level=2, page=3)
    add_html(builder, "")
    assert [(b.kind, b.level, b.page) for b in builder.blocks] == [
        (BlockKind.HEADING, 1, None),
        (BlockKind.PARAGRAPH, 0, 3),
        (BlockKind.HEADING, 2, 3),
        (BlockKind.PARAGRAPH, 0, 3),
    ]
