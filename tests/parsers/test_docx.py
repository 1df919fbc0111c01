"""Word."""

import io
import re
import zipfile
from contextlib import suppress

import docx
import pytest
from docx.oxml import parse_xml

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb
from parsers.media_type import DOCX
from parsers.office import docx as parser
from tests.documents import word, zipped

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
NAMESPACES = " ".join(
    (
        f'xmlns:w="{W}"',
        'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"',
        'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"',
        'xmlns:v="urn:schemas-microsoft-com:vml"',
        'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"',
    )
)
FOOTNOTES = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/footnotes"
PACKAGE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/package"


def parse(data: bytes, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, DOCX, ParseOptions(**options)))


def body(*elements: str) -> bytes:
    """A Word document with these elements in its body; `w:` is Word's namespace."""
    made = docx.Document()
    section = made.element.body.sectPr
    for element in elements:
        section.addprevious(parse_xml(re.sub(r"^<([\w:]+)", rf"<\1 {NAMESPACES}", element)))
    return saved(made)


def saved(made) -> bytes:
    out = io.BytesIO()
    made.save(out)
    return out.getvalue()


def changed(data: bytes, **parts: bytes) -> bytes:
    """The same zip archive with parts replaced or added; `__` stands for `/`, `_dot_` for `.`."""
    named = {name.replace("__", "/").replace("_dot_", "."): new for name, new in parts.items()}
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as source, zipfile.ZipFile(out, "w") as target:
        for name in source.namelist():
            if name not in named:
                target.writestr(name, source.read(name))
        for name, new in named.items():
            target.writestr(name, new)
    return out.getvalue()


def run(words: str) -> str:
    return f"<w:r><w:t>{words}</w:t></w:r>"


def paragraph(words: str) -> str:
    return f"<w:p>{run(words)}</w:p>"


def shown(document: ParsedDocument) -> list[tuple[BlockKind, str]]:
    return [(block.kind, document.text[block.start : block.end]) for block in document.blocks]


def test_headings_come_from_styles():
    document = parse(
        word(
            ("Heading 1", "Top"), ("Normal", "Words."), ("Heading 2", "Below"), ("Normal", "More.")
        )
    )
    headings = [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]
    assert headings == [(1, "Top"), (2, "Below")]


def test_a_style_based_on_a_heading_is_a_heading():
    made = docx.Document()
    made.styles.add_style("Kapitel", 1).base_style = made.styles["Heading 3"]
    made.add_paragraph("Mietrecht", style="Kapitel")
    (block,) = parse(saved(made)).blocks
    assert (block.kind, block.level, block.label) == (BlockKind.HEADING, 3, "Mietrecht")


def test_a_heading_style_in_another_language_is_a_heading():
    made = docx.Document()
    made.styles.add_style("Überschrift 2", 1)
    made.add_paragraph("Mietrecht", style="Überschrift 2")
    assert [block.level for block in parse(saved(made)).blocks] == [2]


def test_a_paragraphs_own_outline_level_decides():
    outlined = '<w:p><w:pPr><w:outlineLvl w:val="{}"/></w:pPr>' + run("Rent") + "</w:p>"
    (first, second, third) = parse(
        body(outlined.format(0), outlined.format(8), outlined.format(9))
    ).blocks
    assert (first.level, second.level, third.level) == (1, 6, 0)


def test_styles_that_are_based_on_each_other_end():
    made = docx.Document()
    one, other = made.styles.add_style("One", 1), made.styles.add_style("Other", 1)
    one.base_style, other.base_style = other, one
    made.add_paragraph("Round and round", style="One")
    assert parse(saved(made)).text == "Round and round"


def test_list_items_are_known_by_style_and_by_numbering():
    numbered = '<w:p><w:pPr><w:numPr><w:numId w:val="{}"/></w:numPr></w:pPr>' + run("b") + "</w:p>"
    assert parse(word(("List Bullet", "a"))).blocks[0].kind is BlockKind.LIST_ITEM
    assert parse(body(numbered.format(3))).blocks[0].kind is BlockKind.LIST_ITEM
    assert parse(body(numbered.format(0))).blocks[0].kind is BlockKind.PARAGRAPH


def test_a_table_keeps_its_rows_and_repeats_its_header():
    made = docx.Document()
    table = made.add_table(rows=2, cols=2)
    for row, cells in enumerate((("City", "Rent"), ("Linz", "9"))):
        for column, words in enumerate(cells):
            table.cell(row, column).text = words
    document = parse(saved(made))
    (block,) = document.blocks
    assert block.kind is BlockKind.TABLE
    assert block.label == "City | Rent"
    assert document.text == "City | Rent\nLinz | 9"


def test_merged_cells_are_written_once_and_keep_the_columns():
    made = docx.Document()
    table = made.add_table(rows=2, cols=3)
    table.cell(0, 0).merge(table.cell(0, 1)).text = "Wide"
    table.cell(0, 2).merge(table.cell(1, 2)).text = "High"
    table.cell(1, 0).text, table.cell(1, 1).text = "a", "b"
    assert parse(saved(made)).text == "Wide |  | High\na | b"


def test_a_table_in_a_cell_is_read_with_the_cell():
    made = docx.Document()
    outer = made.add_table(rows=1, cols=2)
    outer.cell(0, 0).text = "Outer"
    inner = outer.cell(0, 1).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "first", "second"
    assert parse(saved(made)).text == "Outer | first second"


def test_a_table_of_one_column_is_text_in_a_frame():
    made = docx.Document()
    cell = made.add_table(rows=1, cols=1).cell(0, 0)
    cell.text = "Beware"
    cell.add_paragraph("of the dog", style="List Bullet")
    kinds = [block.kind for block in parse(saved(made)).blocks]
    assert kinds == [BlockKind.PARAGRAPH, BlockKind.LIST_ITEM]


def test_a_claimed_span_makes_no_more_cells_than_word_allows():
    cell = f'<w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr>{paragraph("wide")}</w:tc>'
    row = f"<w:tr>{cell}<w:tc>{paragraph('next')}</w:tc></w:tr>"
    assert len(parse(body(f"<w:tbl>{row}</w:tbl>")).text) < 300


def test_words_in_controls_links_and_tags_are_read_once():
    control = f"<w:sdt><w:sdtContent>{paragraph('In a control.')}</w:sdtContent></w:sdt>"
    link = f"<w:p><w:hyperlink>{run('In a link,')}</w:hyperlink><w:smartTag>{run(' in a tag,')}"
    field = '<w:r><w:instrText>PAGE</w:instrText></w:r></w:smartTag><w:fldSimple w:instr="DATE">'
    document = parse(body(control, f"{link}{field}{run(' in a field.')}</w:fldSimple></w:p>"))
    assert document.text == "In a control.\n\nIn a link, in a tag, in a field."


def test_a_text_box_is_read_once_after_its_paragraph():
    box = f"<w:txbxContent>{paragraph('In the box.')}</w:txbxContent>"
    choice = f'<mc:Choice Requires="wps"><wps:txbx>{box}</wps:txbx></mc:Choice>'
    fallback = f"<mc:Fallback><w:pict><v:textbox>{box}</v:textbox></w:pict></mc:Fallback>"
    anchored = f"<w:r><mc:AlternateContent>{choice}{fallback}</mc:AlternateContent></w:r>"
    document = parse(body(f"<w:p>{run('Around it.')}{anchored}</w:p>", paragraph("After it.")))
    assert document.text == "Around it.\n\nIn the box.\n\nAfter it."


def test_what_a_tracked_change_deletes_is_out_and_what_it_inserts_is_in():
    changes = (
        f"<w:ins>{run('new')}</w:ins><w:del><w:r><w:delText>old</w:delText></w:r></w:del>"
        f"<w:moveFrom>{run('moved')}</w:moveFrom>"
    )
    assert parse(body(f"<w:p>{run('The ')}{changes}</w:p>")).text == "The new"


def test_hidden_text_is_left_out_unless_asked_for():
    hidden = "<w:r><w:rPr><w:vanish/></w:rPr><w:t> hidden</w:t></w:r>"
    unhidden = '<w:r><w:rPr><w:vanish w:val="0"/></w:rPr><w:t> shown</w:t></w:r>'
    data = body(f"<w:p>{run('Plain')}{hidden}{unhidden}</w:p>")
    assert parse(data).text == "Plain shown"
    assert parse(data, include_hidden=True).text == "Plain hidden shown"


def test_breaks_tabs_and_formulas_keep_words_apart_and_whole():
    characters = "<w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r>"
    formula = "<m:oMath><m:r><m:t>a=b</m:t></m:r></m:oMath>"
    assert parse(body(f"<w:p>{characters}{formula}</w:p>")).text == "one\ttwo\nthreea=b"


def test_symbols_are_the_characters_that_they_show():
    symbols = (
        '<w:sym w:font="Symbol" w:char="F061"/><w:sym w:font="Wingdings" w:char="F0FE"/>'
        '<w:sym w:font="Arial" w:char="2192"/><w:sym w:font="Unknown" w:char="F041"/>'
        '<w:sym w:font="Symbol" w:char="none"/><w:sym w:font="Symbol" w:char="D800FFFF"/>'
    )
    assert parse(body(f"<w:p>{run('x ')}<w:r>{symbols}</w:r></w:p>")).text == "x α☑→"


def with_footnote(words: str) -> bytes:
    made = docx.Document(
        io.BytesIO(
            body(
                f'<w:p>{run("Claim.")}<w:r><w:footnoteReference w:id="2"/></w:r></w:p>',
                paragraph("Next."),
            )
        )
    )
    note = f'<w:footnote w:id="2">{words}</w:footnote>'
    part = docx.opc.part.Part(
        docx.opc.packuri.PackURI("/word/footnotes.xml"),
        "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml",
        f'<w:footnotes xmlns:w="{W}">{note}</w:footnotes>'.encode(),
    )
    made.part.relate_to(part, FOOTNOTES)
    return saved(made)


def test_a_footnote_follows_the_paragraph_that_refers_to_it():
    assert parse(with_footnote(paragraph("Proof."))).text == "Claim.\n\nProof.\n\nNext."


def test_a_footnote_that_refers_to_itself_ends():
    itself = f'<w:p>{run("Proof.")}<w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
    assert parse(with_footnote(itself)).text == "Claim.\n\nProof.\n\nNext."


def test_an_embedded_document_becomes_a_member():
    made = docx.Document(io.BytesIO(word(("Normal", "See inside."))))
    inner = word(("Normal", "Inside."))
    part = docx.opc.part.Part(
        docx.opc.packuri.PackURI("/word/embeddings/inner.docx"), DOCX, inner, made.part.package
    )
    made.part.relate_to(part, PACKAGE)
    (member,) = parse(saved(made)).members
    assert (member.name, member.data) == ("word/embeddings/inner.docx", inner)


def test_title_author_and_dates_come_from_the_properties():
    made = docx.Document()
    made.core_properties.title, made.core_properties.author = "Rent law", "A. Writer"
    document = parse(saved(made))
    assert document.title == "Rent law"
    assert document.properties["author"] == "A. Writer"
    assert document.properties["created"] == "2013-12-23T23:15:00+00:00"


@pytest.mark.parametrize("made_up", ["", "Microsoft Word - memo.doc", "Document1", "memo.docx"])
def test_a_title_that_a_program_made_up_gives_way_to_the_first_heading(made_up):
    made = docx.Document()
    made.core_properties.title = made_up
    made.add_paragraph("Rent law", style="Heading 1")
    assert parse(saved(made)).title == "Rent law"


@pytest.mark.parametrize("flavour", ["document.macroEnabled", "template", "template.macroEnabled"])
def test_macro_documents_and_templates_are_read(flavour):
    data = word(("Normal", "Words."))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        types = archive.read("[Content_Types].xml").replace(
            b"wordprocessingml.document.main", f"ms-word.{flavour}.main".encode()
        )
    assert parse(changed(data, **{"[Content_Types]_dot_xml": types})).text == "Words."


def test_it_has_no_pages():
    document = parse(word(("Normal", "Words.")))
    assert document.pages == ()
    assert all(block.page is None for block in document.blocks)


def test_an_empty_document_has_no_blocks():
    document = parse(word(("Normal", ""), ("Heading 1", "  ")))
    assert (document.text, document.blocks) == ("", ())


def test_half_a_file_is_corrupt():
    whole = word(("Normal", "Words."))
    with pytest.raises(Corrupt):
        parse(whole[: len(whole) // 2])


def test_a_zip_that_is_no_word_document_is_corrupt():
    with pytest.raises(Corrupt):
        parse(zipped(a=b"x"))


def test_a_broken_part_is_corrupt_and_not_passed_over():
    broken = changed(with_footnote(paragraph("Proof.")), word__footnotes_dot_xml=b"<w:footnotes")
    with pytest.raises(Corrupt):
        parse(broken)


def test_broken_properties_cost_no_text():
    broken = changed(word(("Heading 1", "Words.")), docProps__core_dot_xml=b"<cp:core")
    assert (parse(broken).title, parse(broken).properties) == ("Words.", {})


def test_elements_nested_without_end_are_corrupt():
    deep = b"<w:sdt>" * 5000 + b"</w:sdt>" * 5000
    document = f'<w:document xmlns:w="{W}"><w:body>'.encode() + deep + b"</w:body></w:document>"
    with pytest.raises(Corrupt):
        parse(changed(word(("Normal", "Words.")), word__document_dot_xml=document))


def test_a_bomb_is_not_unpacked():
    bomb = zipped(**{"word/document.xml": bytes(70 * 1024 * 1024)})
    with pytest.raises(DecompressionBomb, match="64 MiB"):
        parse(bomb)


def with_entity(declared: str) -> bytes:
    data = word(("Normal", "Words."))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        document = archive.read("word/document.xml")
    document = document.replace(b"?>", b"?><!DOCTYPE x [" + declared.encode() + b"]>", 1)
    return changed(data, word__document_dot_xml=document.replace(b"Words.", b"Words. &e;"))


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    assert parse(with_entity(f'<!ENTITY e SYSTEM "file://{secret}">')).text == "Words."


def test_entities_do_not_multiply():
    laughs = '<!ENTITY a "ha ha ha ha ha ha ha ha ha ha">'
    for name, before in zip("bcdefgh", "abcdefg", strict=True):
        laughs += f'<!ENTITY {name} "{f"&{before};" * 10}">'
    with suppress(Corrupt):
        assert len(parse(with_entity(laughs)).text) < 1000
