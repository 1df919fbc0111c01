"""E-books."""

import io
import zipfile

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, Encrypted
from parsers.media_type import EPUB
from parsers.web import epub as parser
from tests.documents import zipped

CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>'
    '<rootfile full-path="OPS/book.opf"/></rootfiles></container>'
)
METADATA = (
    "<dc:title>Rent law</dc:title><dc:creator>A. Writer</dc:creator>"
    "<dc:creator>B. Other</dc:creator><dc:language>de-AT</dc:language>"
    '<dc:date>2024-05-01</dc:date><meta property="dcterms:modified">2024-06-01T00:00:00Z</meta>'
)
NAV = (
    '<html xmlns="http://www.w3.org/1999/xhtml"><body><nav><ol>'
    '<li><a href="b%20c.xhtml#x">Chapter of the contents</a></li></ol></nav></body></html>'
)


def chapter(inner: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><!DOCTYPE html>'
        '<html xmlns="http://www.w3.org/1999/xhtml"><head><title>no text</title>'
        f"<style>no text</style></head><body>{inner}</body></html>"
    )


def book(*chapters: str, spine: str = "", metadata: str = METADATA, **parts: str) -> bytes:
    """An EPUB with a file for each chapter, the second of them `b c.xhtml`."""
    names = ["a.xhtml", "b c.xhtml", "d.xhtml"][: len(chapters)]
    items = "".join(
        f'<item id="i{n}" href="{name.replace(" ", "%20")}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(names)
    )
    items += '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    spine = spine or "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        f"<metadata>{metadata}</metadata><manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    named = {
        "mimetype": EPUB,
        "META-INF/container.xml": CONTAINER,
        "OPS/book.opf": package,
        "OPS/nav.xhtml": NAV,
        **{f"OPS/{name}": words for name, words in zip(names, chapters, strict=True)},
        **{name.replace("__", "/").replace("_dot_", "."): part for name, part in parts.items()},
    }
    return zipped(**{name: part.encode() for name, part in named.items()})


def parse(data: bytes) -> ParsedDocument:
    return parser.parse(ParseTask(data, EPUB, ParseOptions()))


def headings(document: ParsedDocument) -> list[tuple[int, str]]:
    return [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING]


def test_chapters_come_in_the_order_of_the_spine():
    spine = '<itemref idref="i1"/><itemref idref="i0"/>'
    document = parse(
        book(chapter("<h1>Two</h1><p>b</p>"), chapter("<h1>One</h1><p>a</p>"), spine=spine)
    )
    assert document.text == "One\n\na\n\nTwo\n\nb"
    assert headings(document) == [(1, "One"), (1, "Two")]


def test_a_chapter_without_a_heading_takes_its_name_from_the_contents():
    document = parse(book(chapter("<h1>One</h1>"), chapter("<p>Words.</p>")))
    assert document.text == "One\n\nChapter of the contents\n\nWords."
    assert headings(document)[1] == (1, "Chapter of the contents")


def test_the_table_of_contents_is_no_chapter():
    document = parse(
        book(chapter("<h1>One</h1>"), spine='<itemref idref="nav"/><itemref idref="i0"/>')
    )
    assert document.text == "One"


def test_a_chapter_that_the_spine_names_twice_is_read_once():
    spine = '<itemref idref="i0"/><itemref idref="i0"/>'
    assert parse(book(chapter("<h1>One</h1>"), spine=spine)).text == "One"


def test_title_authors_dates_and_language_come_from_the_metadata():
    document = parse(book(chapter("<h1>One</h1>")))
    assert (document.title, document.language) == ("Rent law", "de")
    assert document.properties == {
        "author": "A. Writer, B. Other",
        "published": "2024-05-01",
        "modified": "2024-06-01T00:00:00Z",
    }


def test_without_metadata_the_first_heading_is_the_title():
    document = parse(book(chapter("<h1>One</h1>"), metadata=""))
    assert (document.title, document.language, document.properties) == ("One", "und", {})


def test_an_encoding_that_a_chapter_declares_is_used_and_one_that_is_wrong_is_not():
    latin = chapter("<h1>caf\xe9</h1>").replace("utf-8", "iso-8859-1")
    data = book("", "")
    declared = {"OPS/a.xhtml": latin.encode("latin-1")}
    wrong = {"OPS/b c.xhtml": chapter("<h1>thé</h1>").replace("utf-8", "utf-16").encode()}
    assert parse(zipped(**members(data) | declared | wrong)).text == "café\n\nthé"


def members(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_scrambled_fonts_leave_a_book_readable_and_rights_management_does_not():
    encryption = (
        "<encryption><EncryptedData><EncryptionMethod Algorithm='{}'/></EncryptedData></encryption>"
    )
    one = chapter("<h1>One</h1>")
    fonts = encryption.format("http://www.idpf.org/2008/embedding")
    assert parse(book(one, **{"META-INF__encryption_dot_xml": fonts})).text == "One"
    whole = encryption.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    with pytest.raises(Encrypted):
        parse(book(one, **{"META-INF__encryption_dot_xml": whole}))


def test_a_broken_table_of_contents_costs_no_chapter():
    assert parse(book(chapter("<p>Words.</p>"), **{"OPS__nav_dot_xhtml": "<a>&nbsp;"})).text == (
        "Words."
    )


def test_a_missing_chapter_is_corrupt_and_not_passed_over():
    parts = members(book(chapter("<h1>One</h1>"), chapter("<h1>Two</h1>")))
    del parts["OPS/b c.xhtml"]
    with pytest.raises(Corrupt):
        parse(zipped(**parts))


@pytest.mark.parametrize(
    "missing", ["OPS/book.opf", "META-INF/container.xml OPS/book.opf"], ids=["package", "both"]
)
def test_without_a_package_document_it_is_corrupt(missing):
    parts = members(book(chapter("<h1>One</h1>")))
    for name in missing.split():
        del parts[name]
    with pytest.raises(Corrupt):
        parse(zipped(**parts))


def test_without_a_spine_it_is_corrupt():
    with pytest.raises(Corrupt):
        parse(book(chapter("<h1>One</h1>"), spine='<itemref idref="other"/>'))


def test_half_a_file_is_corrupt():
    whole = book(chapter("<h1>One</h1>"))
    with pytest.raises(Corrupt):
        parse(whole[: len(whole) // 2])


def test_a_bomb_is_not_unpacked():
    with pytest.raises(DecompressionBomb):
        parse(zipped(**{"OPS/a.xhtml": bytes(70 * 1024 * 1024)}))


def test_a_path_out_of_the_book_leads_nowhere():
    parts = members(book(chapter("<h1>One</h1>")))
    parts["OPS/book.opf"] = parts["OPS/book.opf"].replace(b"a.xhtml", b"../../../etc/hostname")
    with pytest.raises(Corrupt):
        parse(zipped(**parts))


def test_an_external_entity_is_not_read(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret of this machine")
    entity = f'<!DOCTYPE html [<!ENTITY e SYSTEM "file://{secret}">]>'
    hostile = chapter("<h1>One</h1><p>&e;</p>").replace("<!DOCTYPE html>", entity)
    assert "secret of" not in parse(book(hostile)).text
