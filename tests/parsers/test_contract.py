"""Every parser keeps the promises of `parsers.contract.Parse`."""

from pathlib import Path

import pytest

from parsers import registry
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument, clean_text, from_json, to_json
from parsers.errors import ParseError
from parsers.media_type import DOCX, MARKDOWN, ODT, PICTURES, RTF, SEALED_OOXML, route
from tests.examples import EXAMPLES, HOLDS_OTHERS, SUFFIXES, WORDS, WORDS_OF

HOSTILE = [b"\x00", b"\xff" * 100, b"%PDF-1.4", b"PK\x03\x04", b"<", b"---\n---\n", b"# ", b"\n\n"]


def parse(media_type: str, data: bytes) -> ParsedDocument:
    return registry.load(media_type).parse(ParseTask(data, media_type, ParseOptions()))


def assert_sound(document: ParsedDocument) -> None:
    """What holds for whatever a parser returns."""
    assert document.text == clean_text(document.text)
    end = 0
    for block in document.blocks:
        assert end <= block.start < block.end <= len(document.text)
        assert document.text[block.start : block.end].strip()
        assert block.kind is BlockKind.HEADING or not block.level
        end = block.end
    numbers = [page.number for page in document.pages]
    assert numbers == list(range(1, len(numbers) + 1))
    for page in document.pages:
        assert 0 <= page.start <= page.end <= len(document.text)
    assert {block.page for block in document.blocks} <= {None, *numbers}
    assert from_json(to_json(document)).blocks == document.blocks
    assert all(member.name for member in document.members)


@pytest.fixture(params=sorted(registry.MODULES))
def media_type(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_is_an_example_for_every_parser():
    assert set(EXAMPLES) == set(registry.MODULES)


def test_the_type_is_known_by_the_content(media_type):
    name = f"example{SUFFIXES.get(media_type, '')}"
    assert route(EXAMPLES[media_type], name, registry.READABLE) == media_type


def test_the_words_are_in_the_text(media_type):
    document = parse(media_type, EXAMPLES[media_type])
    assert_sound(document)
    assert WORDS_OF.get(media_type, WORDS) in document.text
    if media_type in HOLDS_OTHERS:
        assert WORDS.encode() in document.members[0].data
    elif media_type not in PICTURES:
        assert document.blocks


def test_the_same_bytes_give_the_same_document(media_type):
    first, second = (parse(media_type, EXAMPLES[media_type]) for _ in range(2))
    assert first == second


def test_the_document_says_who_made_it_of_what(media_type):
    document, module = parse(media_type, EXAMPLES[media_type]), registry.load(media_type)
    if media_type == SEALED_OOXML:
        assert (document.media_type, document.parser) == (DOCX, "docx")
    else:
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
        assert_sound(document)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_document_cut_short_is_read_or_is_the_documents_fault(media_type, share):
    data = EXAMPLES[media_type]
    try:
        assert_sound(parse(media_type, data[: int(len(data) * share)]))
    except ParseError as error:
        assert WORDS not in error.detail


def test_parsing_reads_no_other_file_and_writes_none(media_type, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    parse(media_type, EXAMPLES[media_type])
    assert list(Path(tmp_path).iterdir()) == []


@pytest.mark.parametrize("media_type", [MARKDOWN, DOCX, ODT, RTF])
def test_headings_carry_their_level_and_words(media_type):
    blocks = parse(media_type, EXAMPLES[media_type]).blocks
    headings = [(b.level, b.label) for b in blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "Rules")]
