"""Markdown."""

from hypothesis import given
from hypothesis import strategies as st

from parsers import markdown
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import MARKDOWN


def parse(text: str) -> ParsedDocument:
    return markdown.parse(ParseTask(text.encode(), MARKDOWN, ParseOptions()))


def test_front_matter_becomes_properties_and_leaves_the_text():
    document = parse("---\ntitle: Leave\nowner: HR\neffective_date: 2024-05-01\n---\nTake it.\n")
    assert document.title == "Leave"
    assert document.properties["owner"] == "HR"
    assert document.properties["effective_date"] == "2024-05-01"
    assert document.text == "Take it.\n"


def test_lists_in_front_matter_are_readable():
    assert parse("---\ntags: [a, b]\n---\nx").properties["tags"] == "a, b"


def test_broken_front_matter_stays_in_the_text():
    document = parse("---\ntitle: [unclosed\n---\nWords.\n")
    assert "unclosed" in document.text
    assert "Words." in document.text


def test_a_rule_at_the_top_is_no_front_matter():
    assert "between the rules" in parse("---\nbetween the rules\n---\nafter").text


def test_the_first_heading_is_the_title_where_front_matter_has_none():
    assert parse("# The *big* `plan`\n\nWords.").title == "The big plan"


def test_a_code_fence_is_one_block():
    (block,) = parse("```python\na = 1\n\n# not a heading\n```\n").blocks
    assert block.kind is BlockKind.CODE


def test_a_table_is_one_block():
    (block,) = parse("| a | b |\n|---|---|\n| 1 | 2 |\n").blocks
    assert block.kind is BlockKind.TABLE


def test_a_list_item_holds_what_is_nested_in_it():
    blocks = parse("- one\n  - inner\n- two\n").blocks
    assert [block.kind for block in blocks] == [BlockKind.LIST_ITEM] * 2


def test_a_thousand_block_quotes_inside_one_another_are_read_in_time():
    assert "inside" in parse(">" * 1000 + " inside").text


@given(st.text(alphabet="#*_`->|[]()!<& \n\tab1", max_size=200))
def test_no_word_is_lost_between_blocks(text):
    document = parse(text)
    covered = "".join(document.text[b.start : b.end] for b in document.blocks)
    if "[" not in text:  # Definitions of links are in no block: nothing of them is shown.
        lost = set("ab1") & set(document.text) - set(covered)
        assert not lost
