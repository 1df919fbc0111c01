"""Word."""

import io
import zipfile

import docx
import pytest

from parsers import docx as parser
from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb
from parsers.media_type import DOCX
from tests.documents import word, zipped


def parse(data: bytes, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, DOCX, ParseOptions(**options)))


def test_headings_come_from_styles():
    document = parse(
        word(
            ("Heading 1", "Top"), ("Normal", "Words."), ("Heading 2", "Below"), ("Normal", "More.")
        )
    )
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "Top"), (2, "Below")]


def test_a_table_keeps_its_rows():
    made = docx.Document()
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("City", "Rent"), ("Linz", "9"))):
        for column, words in enumerate(cells):
            table.cell(row, column).text = words
    out = io.BytesIO()
    made.save(out)
    (block,) = parse(out.getvalue()).blocks
    assert block.kind is BlockKind.TABLE
    assert parse(out.getvalue()).text == "City | Rent\nLinz | 9"


def test_it_has_no_pages():
    document = parse(word(("Normal", "Words.")))
    assert document.pages == ()
    assert all(block.page is None for block in document.blocks)


def test_half_a_file_is_corrupt():
    whole = word(("Normal", "Words."))
    with pytest.raises(Corrupt):
        parse(whole[: len(whole) // 2])


def test_a_zip_that_is_no_word_document_is_corrupt():
    with pytest.raises(Corrupt):
        parse(zipped(a=b"x"))


def test_a_bomb_is_not_unpacked():
    bomb = zipped(**{"word/document.xml": bytes(70 * 1024 * 1024)})
    with pytest.raises(DecompressionBomb, match="70 MiB"):
        parse(bomb)


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(word(("Normal", "Words.")))) as source:
        with zipfile.ZipFile(out, "w") as target:
            for name in source.namelist():
                data = source.read(name)
                if name == "word/document.xml":
                    entity = f'<!DOCTYPE x [<!ENTITY e SYSTEM "file://{secret}">]>'.encode()
                    data = data.replace(b"?>", b"?>" + entity, 1).replace(b"Words.", b"&e;")
                target.writestr(name, data)
    try:
        text = parse(out.getvalue()).text
    except Corrupt:
        return
    assert "secret" not in text
