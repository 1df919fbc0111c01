"""HTML."""

import pytest

from parsers import html
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import HTML


def parse(markup: str | bytes) -> ParsedDocument:
    data = markup if isinstance(markup, bytes) else markup.encode()
    return html.parse(ParseTask(data, HTML, ParseOptions()))


def test_title_and_language_are_the_pages_own():
    document = parse("<html lang='de-AT'><head><title> Ein\nTitel </title></head><p>Text.</p>")
    assert (document.title, document.language) == ("Ein Titel", "de")


def test_headings_have_their_levels():
    blocks = parse("<h1>One</h1><p>a b c.</p><h3>Three</h3><p>d e f.</p>").blocks
    assert [(b.level, b.label) for b in blocks if b.kind is BlockKind.HEADING] == [
        (1, "One"),
        (3, "Three"),
    ]


@pytest.mark.parametrize(
    "unseen",
    [
        "<script>secret()</script>",
        "<style>.secret{}</style>",
        "<nav><a href='/'>secret</a></nav>",
        "<p hidden>secret</p>",
        "<div style='display: none'>secret</div>",
        "<p aria-hidden='true'>secret</p>",
        "<!-- secret -->",
        "<template><p>secret</p></template>",
    ],
)
def test_what_nobody_sees_is_not_text(unseen):
    text = parse(f"<body>{unseen}<p>What everybody sees.</p></body>").text
    assert text == "What everybody sees."


def test_text_behind_something_hidden_stays():
    assert "after" in parse("<p>before <span hidden>x</span> after</p>").text


def test_table_rows_stay_rows():
    markup = "<table><tr><th>City</th><th>Rent</th></tr><tr><td>Linz</td><td>9</td></tr></table>"
    assert parse(markup).text == "City | Rent\nLinz | 9"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "windows-1252", "iso-8859-15"])
def test_the_encoding_is_found(encoding):
    markup = f"<html><head><meta charset='{encoding}'></head><body><p>Grüße café</p></body></html>"
    assert "Grüße café" in parse(markup.encode(encoding)).text


def test_a_wrong_declaration_of_the_encoding_is_seen_through():
    markup = "<html><head><meta charset='ascii'></head><body><p>Grüße</p></body></html>"
    assert "Grüße" in parse(markup.encode()).text


def test_nothing_but_comments_is_an_empty_text():
    assert parse("<!-- nothing -->").text == ""
