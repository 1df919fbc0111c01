"""PDF."""

import io

import pypdf
import pytest

from parsers import pdf as parser
from parsers.contract import ParseOptions, ParseTask
from parsers.document import ParsedDocument
from parsers.errors import Corrupt, Encrypted, TooManyPages
from parsers.media_type import PDF
from tests.documents import pdf


def parse(data: bytes, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, PDF, ParseOptions(**options)))


def sealed(password: str, owner: str, algorithm: str = "AES-256") -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Sealed words.")))
    writer.encrypt(password, owner, algorithm=algorithm)
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def test_pages_are_numbered_from_one_and_blocks_know_theirs():
    document = parse(pdf("First.", "Second.", "Third."))
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert [document.text[b.start : b.end] for b in document.blocks if b.page == 2] == ["Second."]


def test_a_page_without_text_is_there_and_empty():
    document = parse(pdf("First.", None, "Third."))
    empty = document.pages[1]
    assert (empty.start, empty.has_picture) == (empty.end, True)
    assert document.pages[2].number == 3


def test_a_user_password_is_encrypted():
    with pytest.raises(Encrypted):
        parse(sealed("secret", "owner"))


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
@pytest.mark.parametrize("owner", ["owner", ""])
def test_an_empty_user_password_is_no_obstacle(algorithm, owner):
    assert "Sealed words." in parse(sealed("", owner, algorithm)).text


def test_an_empty_owner_password_does_not_open_what_a_user_password_seals():
    with pytest.raises(Encrypted):
        parse(sealed("secret", "", "AES-256"))


def test_half_a_file_is_repaired_or_corrupt_but_never_empty_without_a_word():
    whole = pdf("Some words on a page.", "More words.")
    for share in (0.3, 0.5, 0.7, 0.9, 0.97):
        try:
            document = parse(whole[: int(len(whole) * share)])
        except Corrupt:
            continue
        assert document.pages


def test_more_pages_than_allowed_are_too_many():
    with pytest.raises(TooManyPages, match="3 pages"):
        parse(pdf("1", "2", "3"), max_pages=2)


def test_the_title_is_kept_unless_a_program_made_it_up():
    assert parse(pdf("x", title="Annual report")).title == "Annual report"
    assert parse(pdf("x", title="Microsoft Word - draft3.doc")).title == ""
    assert parse(pdf("x", title="scan_0001.tif")).title == ""
