"""XML and SVG."""

import time

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt
from parsers.media_type import SVG, XML
from parsers.plain import xml as parser


def parse(markup: str | bytes, media_type: str = XML) -> ParsedDocument:
    data = markup.encode() if isinstance(markup, str) else markup
    return parser.parse(ParseTask(data, media_type, ParseOptions()))


def blocks(document: ParsedDocument) -> list[tuple[str, int, str]]:
    return [(b.kind.value, b.level, document.text[b.start : b.end]) for b in document.blocks]


def test_titles_are_headings_at_the_depth_of_their_sections():
    document = parse(
        "<article xmlns='http://docbook.org/ns/docbook' xml:lang='en-GB'><info><title>Kitchen"
        "</title></info><title>Kitchen</title><section><title>Kettle</title><para>Descale it "
        "<emphasis>on Fridays</emphasis>.</para><section><title>How</title><para>Vinegar.</para>"
        "</section></section><section><title>Oven</title><para>Hot.</para></section></article>"
    )
    assert [(level, words) for kind, level, words in blocks(document) if kind == "heading"] == [
        (1, "Kitchen"),
        (1, "Kitchen"),
        (2, "Kettle"),
        (3, "How"),
        (2, "Oven"),
    ]
    assert "Descale it on Fridays." in document.text
    assert (document.title, document.language) == ("Kitchen", "en")


def test_items_of_a_feed_are_sections_and_their_markup_is_read():
    document = parse(
        "<rss><channel><title>News</title><item><title>Kettle descaled</title><description>"
        "&lt;p&gt;On &lt;b&gt;Friday&lt;/b&gt;.&lt;/p&gt;</description></item></channel></rss>"
    )
    found = blocks(document)
    assert found[:2] == [("heading", 1, "News"), ("heading", 2, "Kettle descaled")]
    assert found[2][2] == "On Friday."
    assert "<b>" not in document.text


def test_neighbouring_values_make_one_block_with_their_names():
    document = parse(
        "<l><c><name>Linz</name><rent>9</rent></c><c><name>Graz</name><rent>8</rent></c></l>"
    )
    assert [words for _, _, words in blocks(document)] == [
        "name: Linz\nrent: 9",
        "name: Graz\nrent: 8",
    ]


def test_tables_keep_their_rows_and_header():
    document = parse(
        "<doc><table><caption>Rents</caption><thead><tr><th>City</th><th>Rent</th></tr></thead>"
        "<tbody><tr><td>Linz</td><td>9</td></tr></tbody></table></doc>"
    )
    table = document.blocks[-1]
    assert (table.kind, table.label) == (BlockKind.TABLE, "City | Rent")
    assert document.text == "Rents\n\nCity | Rent\nLinz | 9"


def test_code_keeps_its_lines_and_attributes_of_prose_are_kept():
    document = parse(
        "<doc><programlisting>a\n  b</programlisting><image alt='A red kettle' id='x1'/>"
        "<outline text='A thought' xmlUrl='http://localhost/'/></doc>"
    )
    assert "a\n  b" in document.text
    assert "alt: A red kettle" in document.text
    assert "text: A thought" in document.text
    assert "x1" not in document.text


def test_words_between_elements_are_kept_in_order():
    paragraphs = "".join(f"<p>part {number}</p>" for number in range(200))
    document = parse(f"<doc>before<!-- unseen -->{paragraphs}after</doc>")
    assert document.text.startswith("before\n\npart 0\n\npart 1\n\n")
    assert document.text.endswith("part 199\n\nafter")
    assert "unseen" not in document.text


def test_a_drawing_says_its_title_its_description_and_its_labels():
    document = parse(
        "<svg xmlns='http://www.w3.org/2000/svg'><title>Plan</title><desc>Of the kitchen</desc>"
        "<style>.a{fill:red}</style><g><path d='M0 0 L9 9'/><text>Sink <tspan>A</tspan></text></g>"
        "</svg>",
        SVG,
    )
    assert document.text == "Plan\n\nOf the kitchen\n\nSink A"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_the_encoding_is_found_also_where_another_is_claimed(encoding):
    claimed = parse(f'<?xml version="1.0" encoding="{encoding}"?><a>Käse</a>'.encode(encoding))
    assert claimed.text == "a: Käse"
    wrong = parse('<?xml version="1.0" encoding="UTF-8"?><a>Käse und Brot</a>'.encode("utf-16"))
    assert wrong.text == "a: Käse und Brot"


@pytest.mark.parametrize("markup", ["<a><b>cut off</b>", "no markup", "<a>&undeclared;</a>", "<"])
def test_what_is_not_well_formed_is_corrupt(markup):
    with pytest.raises(Corrupt) as caught:
        parse(markup)
    assert "cut off" not in caught.value.detail


def test_external_entities_are_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    document = parse(f'<!DOCTYPE r [<!ENTITY x SYSTEM "file://{secret}">]><r>a &x; b</r>')
    assert document.text == "r: a &x; b"


def test_entities_do_not_multiply():
    entities = '<!ENTITY e0 "lollollol">' + "".join(
        f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10)
    )
    for use in ("<r>&e9;</r>", "<r a='&e9;'/>"):
        try:
            text = parse(f"<!DOCTYPE r [{entities}]>{use}").text
        except Corrupt:
            continue
        assert len(text) < 100


def test_depth_and_width_end_in_an_answer():
    with pytest.raises(Corrupt):
        parse("<a>" * 100_000 + "</a>" * 100_000)
    assert parse("<a>x" * 200 + "</a>" * 200).text.count("x") == 200
    started = time.monotonic()
    parse("<l>" + "<r><a>1</a><b>2</b></r>" * 50_000 + "</l>")
    assert time.monotonic() - started < 8
