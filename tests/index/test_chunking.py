"""Chunks."""

import textwrap

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from index.chunking import ChunkerSettings, chunk_document
from index.identity import fold
from parsers.contract import ParseOptions, ParseTask
from parsers.document import Block, BlockKind, Page, ParsedDocument
from parsers.media_type import MARKDOWN, PLAIN
from parsers.plain import text as plain_text
from parsers.web import markdown

SETTINGS = ChunkerSettings()
SENTENCE = "The kettle in the kitchen on the second floor is descaled on Fridays. "


def md(text: str) -> ParsedDocument:
    return markdown.parse(ParseTask(text.encode(), MARKDOWN, ParseOptions()))


def txt(text: str) -> ParsedDocument:
    return plain_text.parse(ParseTask(text.encode(), PLAIN, ParseOptions()))


MARKUP = st.lists(
    st.sampled_from(
        ["# Head\n", "## Sub\n\n", "Words and words. ", "\n\n", "- item\n", "1. one\n", "x" * 300,
         "```\ncode\n```\n", "[a link](https://example.org/a/b/c?d=e#f) ", "日本語の文。", "\t",
         "| a | b |\n|---|---|\n| 1 | 2 |\n", "é\u0301 ", "<b>bold</b> ", "> quote\n",
         "unbroken" * 40 + " ", "![i](x.png)"]
    ),
    max_size=60,
).map("".join)  # fmt: skip


@given(MARKUP)
def test_a_chunk_is_its_span_and_fits_the_model(counter, text):
    document = md(text)
    end = 0
    for number, chunk in enumerate(chunk_document(document, counter, SETTINGS)):
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.ordinal == number
        assert end <= chunk.start < chunk.end
        assert chunk.text.strip() == chunk.text
        assert 1 <= chunk.n_tokens <= counter.window
        end = chunk.end


@given(MARKUP)
def test_no_word_of_a_block_is_left_out(counter, text):
    document = md(text)
    chunks = chunk_document(document, counter, SETTINGS)
    kept = fold("".join(chunk.text for chunk in chunks)).replace(" ", "")
    words = "".join(document.text[b.start : b.end] for b in document.blocks)
    assert kept == fold(words).replace(" ", "")


@given(st.text(max_size=3000))
def test_any_plain_text_can_be_cut(counter, text):
    document = txt(text)
    for chunk in chunk_document(document, counter, SETTINGS):
        assert document.text[chunk.start : chunk.end] == chunk.text
        assert chunk.n_tokens <= counter.window


def test_sizes_are_those_of_the_models_own_tokenizer(counter):
    (chunk,) = chunk_document(txt(SENTENCE), counter, SETTINGS)
    assert chunk.n_tokens == counter.count([chunk.embedding_text])[0] + 2


def test_a_chunk_comes_near_its_target(counter):
    chunks = chunk_document(txt(SENTENCE * 100), counter, SETTINGS)
    assert all(120 <= chunk.n_tokens <= 180 for chunk in chunks[:-1])


def test_a_heading_starts_a_chunk_and_stands_over_what_follows(counter):
    chunks = chunk_document(md(f"# A\n\n{SENTENCE}\n\n## B\n\n{SENTENCE}"), counter, SETTINGS)
    assert [chunk.heading_path for chunk in chunks] == [("A",), ("A", "B")]
    assert chunks[1].text.startswith("## B")


def test_headings_in_a_row_stay_with_the_text_below_them(counter):
    chunks = chunk_document(md(f"# A\n\n## B\n\n{SENTENCE * 30}"), counter, SETTINGS)
    assert chunks[0].text.startswith("# A\n\n## B\n\nThe kettle")


def test_a_sibling_heading_takes_the_place_of_the_one_before(counter):
    chunks = chunk_document(
        md(f"# A\n{SENTENCE}\n## B\n{SENTENCE}\n## C\n{SENTENCE}\n# D\n{SENTENCE}"),
        counter,
        SETTINGS,
    )
    assert [chunk.heading_path for chunk in chunks] == [("A",), ("A", "B"), ("A", "C"), ("D",)]


def test_title_and_headings_are_embedded_with_the_text_but_are_not_in_the_span(counter):
    text = f"---\ntitle: House rules\n---\n## Kitchen\n\n{SENTENCE * 30}"
    second = chunk_document(md(text), counter, SETTINGS)[1]
    assert second.embedding_text.startswith("House rules. Kitchen The kettle")
    assert second.text.startswith("The kettle")


def test_a_long_title_does_not_crowd_out_the_text(counter):
    text = f"---\ntitle: {'very ' * 200}long\n---\n{SENTENCE}"
    (chunk,) = chunk_document(md(text), counter, SETTINGS)
    assert chunk.n_tokens < 80


def test_addresses_of_links_are_not_embedded(counter):
    (chunk,) = chunk_document(md("See [the guide](https://example.org/x?y=z)."), counter, SETTINGS)
    assert chunk.embedding_text == "See the guide."
    assert "example.org" in chunk.text


def test_re_wrapping_a_text_changes_nothing_that_is_embedded(counter):
    text = f"# A\n\n{SENTENCE * 20}\n\n- {SENTENCE * 3}\n\n## B\n\n{SENTENCE * 9}"
    rewrapped = text.replace("second floor", "second\nfloor").replace(". The", ".\nThe")
    before, after = (
        [chunk.embedding_text for chunk in chunk_document(md(one), counter, SETTINGS)]
        for one in (text, rewrapped)
    )
    assert before == after


WORDS = st.lists(
    st.sampled_from(["kettle", "descaled", "on", "Friday.", "Is it?", "(no)", "ready;", "2017."]),
    min_size=150,
    max_size=300,
).map(" ".join)


@settings(max_examples=20)
@given(WORDS, st.integers(20, 60), st.integers(70, 120))
def test_long_items_wrapped_at_another_width_are_cut_in_the_same_places(counter, words, one, other):
    def embedded(width: int) -> list[str]:
        item = textwrap.fill(words, width, initial_indent="- ", subsequent_indent="  ")
        below = textwrap.fill(words, width, initial_indent="  - ", subsequent_indent="    ")
        text = f"# A\n\n{item}\n{below}\n- Last.\n"
        return [chunk.embedding_text for chunk in chunk_document(md(text), counter, SETTINGS)]

    assert embedded(one) == embedded(other)


def test_a_long_item_is_cut_before_the_items_above_which_it_stands(counter):
    rows = "".join(f"  - Room {n}, where the kettle of this floor is descaled\n" for n in range(40))
    chunks = chunk_document(md(f"- Rooms:\n{rows}"), counter, SETTINGS)
    assert len(chunks) > 2
    assert all(chunk.text.startswith("- Room") for chunk in chunks)


def test_a_table_whose_columns_are_padded_is_cut_in_the_same_places(counter):
    rows = [(f"Room {n}", "The kettle is descaled on Fridays.") for n in range(40)]

    def embedded(width: int) -> list[str]:
        body = "".join(f"| {room:{width}} | {when:{width}} |\n" for room, when in rows)
        text = f"Rooms of the house.\n\n| Room | When |\n|---|---|\n{body}"
        return [chunk.embedding_text for chunk in chunk_document(md(text), counter, SETTINGS)]

    assert embedded(0) == embedded(300)


def test_an_edit_changes_no_chunk_below_the_next_heading(counter):
    sections = [f"## S{n}\n\n{SENTENCE * 20}\n\n" for n in range(5)]
    edited = [*sections]
    edited[1] = f"## S1\n\nSomething quite new. {SENTENCE * 20}\n\n"
    before, after = (
        {c.embedding_text for c in chunk_document(md("".join(s)), counter, SETTINGS)}
        for s in (sections, edited)
    )
    assert all("S1" in text for text in after - before)


def test_one_word_of_a_megabyte_is_cut(counter):
    chunks = chunk_document(txt("x" * 1_000_000), counter, SETTINGS)
    assert "".join(chunk.text for chunk in chunks) == "x" * 1_000_000
    assert max(len(chunk.text) for chunk in chunks) <= 2000


def test_pages_of_a_chunk_are_those_of_its_blocks(counter):
    text = "One page.\n\nAnother page."
    blocks = (
        Block(BlockKind.PARAGRAPH, 0, 9, page=3),
        Block(BlockKind.PARAGRAPH, 11, 24, page=4),
    )
    document = ParsedDocument(text, blocks, "application/pdf", "p", "1", (Page(3, 0, 9),))
    (chunk,) = chunk_document(document, counter, SETTINGS)
    assert (chunk.page_first, chunk.page_last) == (3, 4)


def test_unusable_pages_are_left_out(counter):
    text = "Good page.\n\nNoise."
    blocks = (
        Block(BlockKind.PARAGRAPH, 0, 10, page=1),
        Block(BlockKind.PARAGRAPH, 12, 18, page=2),
    )
    document = ParsedDocument(text, blocks, "application/pdf", "p", "1")
    (chunk,) = chunk_document(document, counter, SETTINGS, unusable_pages=frozenset({2}))
    assert chunk.text == "Good page."


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_nothing_makes_no_chunk(counter, text):
    assert chunk_document(txt(text), counter, SETTINGS) == []
