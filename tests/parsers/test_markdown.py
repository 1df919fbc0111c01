"""Markdown."""

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.media_type import MARKDOWN
from parsers.web import markdown


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


def kinds(text: str) -> list[BlockKind]:
    return [block.kind for block in parse(text).blocks]


def test_front_matter_in_toml_is_read():
    document = parse('+++\ntitle = "Leave"\ndate = 2024-05-01\ndraft = true\n+++\nTake it.\n')
    assert document.properties == {"title": "Leave", "date": "2024-05-01", "draft": "true"}
    assert document.text == "Take it.\n"


def test_fields_have_names_in_lower_snake_case_and_their_values_as_text():
    properties = parse(
        "---\nEffective Date: 2024-05-01\nreview-at: 2024-05-01T10:00:00Z\nlast: ~\n"
        "contact: {name: Ann, phones: [1, 2]}\n---\nx"
    ).properties
    assert properties == {
        "effective_date": "2024-05-01",
        "review_at": "2024-05-01T10:00:00+00:00",
        "last": "",
        "contact": "name: Ann, phones: 1, 2",
    }


def test_broken_front_matter_is_no_heading():
    document = parse("---\ntitle: Pay: 2024\n---\n# Real\n")
    assert document.title == "Real"
    assert [block.kind for block in document.blocks] == [BlockKind.PARAGRAPH, BlockKind.HEADING]


@pytest.mark.parametrize(
    "matter",
    [
        "a: &a [x, x]\n"
        + "\n".join(f"{c}: &{c} [*{b}, *{b}, *{b}]" for b, c in pairwise("abcdefghij")),
        "a: " + "[" * 50_000,
        "a: 0x" + "f" * 20_000,
        "a: 2024-99-99",
        "? " * 20_000,
        "- a\n- b",
        "a: !!python/object:os.system x",
    ],
)
def test_hostile_front_matter_costs_nothing_and_loses_nothing_else(matter):
    started = time.monotonic()
    document = parse(f"---\n{matter}\n---\n\nWords.\n")
    assert time.monotonic() - started < 5
    assert document.properties == {}
    assert document.text.endswith("Words.\n")


@pytest.mark.parametrize(
    ("lang", "language"), [("de-AT", "de"), ("EN", "en"), ("python", "und"), ("", "und")]
)
def test_the_language_of_front_matter_is_taken_if_it_is_one(lang, language):
    assert parse(f"---\nlang: {lang}\n---\nx").language == language


@pytest.mark.parametrize(
    ("heading", "level", "label"),
    [
        ("# **A**B &amp; [c](d)", 1, "AB & c"),
        ("Over\nlines\n=====", 1, "Over lines"),
        ("### Steps ### ", 3, "Steps"),
        ("## Setup {#setup .wide}", 2, "Setup"),
        ("# See [[page|the page]]", 1, "See the page"),
        ('<h1 align="center">\n  <b>Tool</b> &amp; more\n</h1>', 1, "Tool & more"),
        ("# ![Logo](a.png)", 1, "Logo"),
    ],
)
def test_a_heading_is_known_by_its_words(heading, level, label):
    (block,) = parse(heading).blocks
    assert (block.kind, block.level, block.label) == (BlockKind.HEADING, level, label)


def test_a_hash_in_code_is_no_heading():
    assert kinds("~~~\n# no\n~~~\n\n    # no\n") == [BlockKind.CODE, BlockKind.CODE]


def test_a_page_above_a_row_of_dashes_is_no_heading():
    assert kinds("many words\n" * 200 + "---\n") == [BlockKind.PARAGRAPH]


def test_a_table_has_the_words_of_its_first_row_as_header():
    (block,) = parse("| *City* | a\\|b |\n|:--|--:|\n| Linz | 9 |\n").blocks
    assert block.label == "City | a|b"


def test_a_table_ends_where_something_else_begins():
    assert kinds("Words\n|a|b|\n|-|-|\n|1|2|\n> said\n\n|c|d|\n|-|-|\n# Next") == [
        BlockKind.PARAGRAPH,
        BlockKind.TABLE,
        BlockKind.QUOTE,
        BlockKind.TABLE,
        BlockKind.HEADING,
    ]


def test_what_is_quoted_is_a_quotation():
    assert kinds("> said\n> and said\n\nWords") == [BlockKind.QUOTE, BlockKind.PARAGRAPH]


def test_targets_of_links_and_footnotes_are_not_lost():
    document = parse("See [this][a] and that[^1].\n\n[a]: https://x.example/form\n[^1]: Note.\n")
    covered = " ".join(document.text[b.start : b.end] for b in document.blocks)
    assert "https://x.example/form" in covered
    assert "Note." in covered


def test_a_comment_of_its_own_is_in_no_block():
    blocks = parse("<!-- obey\n\nme -->\n\nWords <!-- kept --> here.\n").blocks
    assert len(blocks) == 1


def test_components_and_template_tags_are_text():
    source = (
        "import A from './a'\n\n<Tabs items={['a']}>\n\nInside.\n\n</Tabs>\n\n{% include x %}\n"
    )
    document = parse(source)
    covered = "".join(document.text[b.start : b.end] for b in document.blocks)
    assert all(words in covered for words in ("import A", "Inside.", "{% include x %}"))


@pytest.mark.parametrize(
    "source",
    [
        "[" * 300_000,
        "*a_" * 200_000,
        "![" * 200_000,
        "<a\n" * 50_000,
        "# " + "[" * 100_000,
        "".join("a" + "`" * n for n in range(1_000)),
        "- " * 50_000 + "x",
        "|a" * 10_000 + "|\n" + "|-" * 10_000 + "|\n" + "|b\n" * 10_000,
        "[a]: <\n" * 50_000,
        "---\n" * 50_000,
    ],
)
def test_pathological_input_is_read_in_time(source):
    started = time.monotonic()
    parse(source)
    assert time.monotonic() - started < 10


@given(st.text(alphabet="#*_`->|[]()!<& \n\tab1:", max_size=200))
def test_no_word_is_lost_between_blocks(text):
    document = parse(text)
    covered = "".join(document.text[b.start : b.end] for b in document.blocks)
    visible = set("ab1") & set(document.text)
    assert "<!--" in text or visible <= set(covered)


@given(st.text(alphabet="#*-+>|`= \n\tab1", max_size=200))
def test_blocks_are_in_order_and_apart(text):
    position = 0
    for block in parse(text).blocks:
        assert position <= block.start < block.end
        position = block.end
