"""Every parser keeps the promises of `parsers.contract.Parse`."""

from pathlib import Path

import pytest

from parsers import registry
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument, clean_text, from_json, to_json
from parsers.errors import ParseError
from parsers.media_type import DOCX, HTML, MARKDOWN, PDF, PLAIN
from tests.documents import pdf, word

WORDS = "The kettle is descaled on Fridays."

EXAMPLES = {
    PDF: pdf(WORDS, "Second page."),
    MARKDOWN: f"---\ntitle: Kitchen\n---\n# Rules\n\n{WORDS}\n".encode(),
    PLAIN: f"Kitchen rules\n\n{WORDS}\n".encode(),
    HTML: f"<html><head><title>Kitchen</title></head><body><p>{WORDS}</p></body></html>".encode(),
    DOCX: word(("Heading 1", "Rules"), ("Normal", WORDS)),
}
HOSTILE = [b"\x00", b"\xff" * 100, b"%PDF-1.4", b"PK\x03\x04", b"<", b"---\n---\n", b"# ", b"\n\n"]


def parse(media_type: str, data: bytes) -> ParsedDocument:
    return registry.load(media_type).parse(ParseTask(data, media_type, ParseOptions()))


@pytest.fixture(params=sorted(registry.MODULES))
def media_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_is_an_example_for_every_parser():
    assert set(EXAMPLES) == set(registry.MODULES)


def test_the_words_are_in_the_text(media_type):
    assert WORDS in parse(media_type, EXAMPLES[media_type]).text


def test_blocks_are_in_order_do_not_overlap_and_are_not_blank(media_type):
    document = parse(media_type, EXAMPLES[media_type])
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip()
        end = block.end
    assert document.blocks


def test_the_text_is_normalised(media_type):
    text = parse(media_type, EXAMPLES[media_type]).text
    assert clean_text(text) == text


def test_the_same_bytes_give_the_same_document(media_type):
    first, second = (parse(media_type, EXAMPLES[media_type]) for _ in range(2))
    assert first == second


def test_a_document_survives_being_stored(media_type):
    document = parse(media_type, EXAMPLES[media_type])
    assert from_json(to_json(document)) == document


def test_the_document_says_who_made_it_of_what(media_type):
    document, module = parse(media_type, EXAMPLES[media_type]), registry.load(media_type)
    assert (document.media_type, document.parser) == (media_type, module.NAME)
    assert document.parser_version == module.VERSION


@pytest.mark.parametrize("data", HOSTILE)
def test_bytes_of_another_type_are_the_documents_fault_or_plain_characters(media_type, data):
    try:
        document = parse(media_type, data)
    except ParseError as error:
        assert error.remedy
        assert error.detail
    else:
        assert document.text == clean_text(document.text)
        assert "\x00" not in document.text


def test_parsing_reads_no_other_file_and_writes_none(media_type, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parse(media_type, EXAMPLES[media_type])
    assert list(Path(tmp_path).iterdir()) == []


def test_headings_carry_their_level_and_words():
    for media_type in (MARKDOWN, DOCX):
        blocks = parse(media_type, EXAMPLES[media_type]).blocks
        headings = [(b.level, b.label) for b in blocks if b.kind is BlockKind.HEADING]
        assert headings == [(1, "Rules")]
