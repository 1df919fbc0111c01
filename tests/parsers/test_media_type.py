"""What a file is."""

import gzip
import io
import zipfile

import pytest

from parsers.errors import TypeMismatch, UnsupportedType
from parsers.media_type import DOCX, HTML, MARKDOWN, PDF, PLAIN, SEALED_OOXML, detect, route
from parsers.registry import READABLE
from tests.documents import pdf, word, zipped

MAIL_WITH_LONG_HEAD = (
    b"Return-Path: <a@b>\r\n"
    + b"Received: from x\r\n  by y; today\r\n" * 300
    + b"From: a@b\r\nSubject: tea\r\n\r\nIt is ready.\r\n"
)
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        (pdf("x"), "a.pdf", PDF),
        (pdf("x"), "a.docx", PDF),
        (pdf("x"), "no-suffix", PDF),
        (b"HTTP/1.1 200 OK\r\n\r\n" + pdf("x"), "a.pdf", PDF),
        (word(("Normal", "x")), "a.docx", DOCX),
        (word(("Normal", "x")), "a.pdf", DOCX),
        (b"# Title", "a.md", MARKDOWN),
        (b"Words.", "a.txt", PLAIN),
        (b"Words.", "README", PLAIN),
        (b"<!DOCTYPE html><p>x", "page", HTML),
        (b"<p>x", "page.html", HTML),
        (b"<html><table><tr><td>1</td></tr></table></html>", "export.xls", HTML),
        ("Grüße".encode("utf-16"), "a.txt", PLAIN),
        ("Grüße aus Linz".encode("utf-16-le"), "a.txt", PLAIN),
        (b"\x00" * 3 + b"%PDF-", "broken.pdf", PDF),
    ],
)
def test_content_decides(data, name, expected):
    assert route(data, name, READABLE) == expected


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (PNG, "scan.pdf"),
        (b"\x7fELF" + bytes(64), "letter.docx"),
        (b"<!DOCTYPE html><title>Please log in</title>", "report.pdf"),
        (b"404 not found", "report.pdf"),
    ],
)
def test_a_name_that_promises_what_the_content_is_not_is_a_mismatch(data, name):
    with pytest.raises(TypeMismatch, match="named as"):
        route(data, name, READABLE)


@pytest.mark.parametrize(
    ("data", "name", "named"),
    [
        (b"SQLite format 3\0" + bytes(100), "a.db", "application/x-sqlite3"),
        (b"\x7fELF\x02\x01\x01" + bytes(100), "program", "application/x-executable"),
        (bytes(range(256)) * 4, "blob.bin", "application/octet-stream"),
    ],
)
def test_an_unsupported_type_is_named(data, name, named):
    with pytest.raises(UnsupportedType, match=named):
        route(data, name, READABLE)


def test_bytes_that_are_nothing_are_left_to_the_parser_that_their_name_promises():
    assert route(bytes(range(1, 256)) * 4, "noise.pdf", READABLE) == PDF


def test_an_office_file_sealed_with_a_password_is_known_as_one(samples):
    data = (samples.parent / "tests/fixtures/encrypted_agile.docx").read_bytes()
    assert detect(data) == SEALED_OOXML


@pytest.mark.parametrize(
    ("data", "name", "found"),
    [
        (PNG, "a.png", "image/png"),
        (gzip.compress(b"x"), "a.gz", "application/gzip"),
        (b"a,b\n1,2\n", "a.csv", "text/csv"),
        (b'{"a": 1}', "a.json", "application/json"),
        (b"From: a@b\nTo: c@d\nDate: today\n\nHello", "mail", "message/rfc822"),
        (MAIL_WITH_LONG_HEAD, "mail_10", "message/rfc822"),
        (b"From: Ann\nSubject: tea\nis not a header\n", "note", "text/plain"),
        (zipped(a=b"x"), "a.zip", "application/zip"),
        (b"{\\rtf1 x}", "a.doc", "application/rtf"),
        (b"1\n00:00:01,000 --> 00:00:02,000\nHi.\n", "a.srt", "application/x-subrip"),
    ],
)
def test_content_tells_the_type(data, name, found):
    assert route(data, name, READABLE) == found


def test_a_pdf_inside_of_something_else_does_not_make_it_one():
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("a.pdf", pdf("Words."))
    assert route(stored.getvalue(), "box", READABLE) == "application/zip"
    assert route(b"A file that begins with %PDF-1.4 is a PDF.\n", "notes.txt", READABLE) == PLAIN


@pytest.mark.parametrize("suffix", ["docx", "xlsx", "epub", "odt"])
def test_an_archive_of_other_things_is_no_office_file(suffix):
    with pytest.raises(TypeMismatch):
        route(zipped(a=b"x"), f"a.{suffix}", READABLE)


def test_an_office_file_without_its_list_of_types_is_still_one():
    data = zipped(**{"word/document.xml": b"<w/>"})
    assert route(data, "a.docx", READABLE) == DOCX
    assert route(data, "a.zip", READABLE) == "application/zip"


def test_a_pdf_is_known_below_what_was_put_before_it():
    assert route(b"\x00junk\x01\n" + pdf("Words."), "a.pdf", READABLE) == PDF
