"""Outlook messages."""

from pathlib import Path

import compressed_rtf
import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, Encrypted
from parsers.mail import outlook as parser
from parsers.mail import parser as mail
from parsers.media_type import EML, MSG
from parsers.reasons import Reason
from tests.outlook_messages import attached, binary, compound, message, recipient, text

FIXTURES = Path(__file__).parent.parent / "fixtures"
SUBJECT, BODY, HTML, RTF, CLASS = 0x0037, 0x1000, 0x1013, 0x1009, 0x001A
FILE_NAME, DATA, CONTENT_ID, MIME = 0x3707, 0x3701, 0x3712, 0x370E
SENDER, SENDER_ADDRESS, MESSAGE_ID = 0x0C1A, 0x0C1F, 0x1035


def parse(data: bytes, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, MSG, ParseOptions(**options)))


def test_a_real_message_is_read():
    document = parse((FIXTURES / "fake-email-attachment.msg").read_bytes())
    assert document.title == "Fake email with attachment"
    assert document.properties["from"] == "Mallori Harrell <mallori@unstructured.io>"
    assert document.properties["date"] == "2022-12-23T18:08:48+00:00"
    assert "Lots of whitespace" in document.text
    assert [(member.name, len(member.data)) for member in document.members] == [
        ("fake-attachment.txt", 30)
    ]


def test_who_wrote_to_whom_is_known_without_the_headers_of_the_way():
    document = parse(
        compound(
            message(
                text(SUBJECT, "Kettle"),
                text(BODY, "Descale it.\r\n\r\nOn Tue, Mar 5, 2024 Bob wrote:\r\n> When?\r\n"),
                text(SENDER, "Ann Lee"),
                text(SENDER_ADDRESS, "ann@example.com"),
                text(MESSAGE_ID, "<1@example.com>"),
                recipient(0, 1, "Bob", "bob@example.com"),
                recipient(1, 2, "Carl", "/O=EXAMPLE/CN=CARL"),
                recipient(2, 3, "Secret", "secret@example.com"),
            )
        )
    )
    assert document.properties == {
        "subject": "Kettle",
        "from": "Ann Lee <ann@example.com>",
        "to": "Bob <bob@example.com>",
        "cc": "Carl",
        "message_id": "<1@example.com>",
    }
    assert document.blocks[-1].kind is BlockKind.QUOTE
    assert document.text.endswith("Descale it.\n\nOn Tue, Mar 5, 2024 Bob wrote:\nWhen?")


def test_a_body_in_html_is_read_in_its_charset():
    html = "<p>Descale the kettle, früher.</p>".encode("cp1252")
    assert "früher" in parse(compound(message(binary(HTML, html), x3FDE=1252))).text


def test_a_body_only_in_compressed_rtf_is_read():
    rtf = rb"{\rtf1\ansi\ansicpg1252 Descale the kettle \'fcber Nacht.\par Twice.}"
    for compressed in (True, False):
        data = compressed_rtf.compress(rtf, compressed=compressed)
        document = parse(compound(message(text(SUBJECT, "Kettle"), binary(RTF, data))))
        assert "Descale the kettle über Nacht." in document.text
        assert "Twice." in document.text


def test_damaged_rtf_is_corrupt():
    data = compressed_rtf.compress(rb"{\rtf1 Words.}" * 20)
    for broken in (data[:-4], data[:10], data[:8] + b"XXXX" + data[12:]):
        with pytest.raises(Corrupt):
            parse(compound(message(binary(RTF, broken))))


def test_attachments_are_members_and_pictures_in_the_text_are_not():
    document = parse(
        compound(
            message(
                binary(HTML, b'<p>See <img src="cid:logo@1"></p>'),
                attached(0, text(FILE_NAME, "Régeln.pdf") | binary(DATA, b"%PDF-")),
                attached(
                    1, text(CONTENT_ID, "logo@1") | text(MIME, "image/png") | binary(DATA, b"x")
                ),
                attached(2, text(FILE_NAME, "Régeln.pdf") | binary(DATA, b"other")),
            )
        )
    )
    assert [(member.name, member.data) for member in document.members] == [
        ("Régeln.pdf", b"%PDF-"),
        ("Régeln (2).pdf", b"other"),
    ]


def embedded() -> bytes:
    inner = message(
        text(SUBJECT, "Inner – subject"),
        text(BODY, "Inner wörds."),
        attached(0, text(FILE_NAME, "a.txt") | binary(DATA, b"deepest")),
        n_head_bytes=24,
    )
    outer = attached(0, {"__substg1.0_3701000D": inner}, x3705=5)
    return compound(message(text(SUBJECT, "Outer"), text(BODY, "Outer words."), outer))


def test_a_message_inside_a_message_becomes_a_mail_with_its_attachments():
    (member,) = parse(embedded()).members
    assert member.name == "Inner – subject.eml"
    inner = mail.parse(ParseTask(member.data, EML, ParseOptions()))
    assert inner.text == "Inner – subject\n\nInner wörds."
    assert [(found.name, found.data) for found in inner.members] == [("a.txt", b"deepest")]


def test_the_same_bytes_give_the_same_members():
    assert parse(embedded()) == parse(embedded())


def test_what_cannot_be_taken_out_is_named():
    ole = attached(0, text(FILE_NAME, "sheet") | {"__substg1.0_3701000D": {"x": b"y"}}, x3705=6)
    link = attached(1, text(FILE_NAME, "plan.docx"), x3705=7)
    members = parse(compound(message(text(BODY, "Words."), ole, link))).members
    assert [(member.name, member.code) for member in members] == [
        ("sheet", Reason.UNSUPPORTED_TYPE),
        ("plan.docx", Reason.UNSUPPORTED_TYPE),
    ]


def test_a_sealed_message_is_encrypted():
    pgp = attached(0, text(MIME, "application/pgp-encrypted") | binary(DATA, b"Version: 1"))
    for tree in (
        message(text(CLASS, "IPM.Note.SMIME"), attached(0, binary(DATA, b"0"))),
        message(text(CLASS, "IPM.Note"), pgp),
    ):
        with pytest.raises(Encrypted):
            parse(compound(tree))


def test_a_signed_message_is_read():
    signed = (
        b'Subject: Signed\nContent-Type: multipart/signed; boundary="b"\n\n--b\n\nSigned words.\n'
        b"--b\nContent-Type: application/pkcs7-signature\n\nxyz\n--b--\n"
    )
    tree = message(text(CLASS, "IPM.Note.SMIME.MultipartSigned"), attached(0, binary(DATA, signed)))
    assert parse(compound(tree)).text == "Signed\n\nSigned words."


def test_text_that_does_not_fit_its_charset_is_survived():
    tree = message(
        {f"__substg1.0_{BODY:04X}001E": "früher und später".encode("cp1252")}, x3FFD=65001
    )
    assert "früher" in parse(compound(tree)).text


def test_too_many_attachments_are_refused():
    parts = [attached(number, binary(DATA, b"x")) for number in range(4)]
    data = compound(message(text(BODY, "Words."), *parts))
    assert len(parse(data, max_members=4).members) == 4
    with pytest.raises(DecompressionBomb):
        parse(data, max_members=3)


@pytest.mark.parametrize("data", [b"no message", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)])
def test_what_is_no_message_is_corrupt(data):
    with pytest.raises(Corrupt):
        parse(data)


def test_a_message_without_properties_or_cut_off_is_corrupt():
    whole = compound(message(text(BODY, "Words. " * 2000)))
    for data in (compound(text(BODY, "Words.")), whole[:700], whole[: len(whole) // 2]):
        with pytest.raises(Corrupt):
            parse(data)


def test_storages_that_lie_deep_in_each_other_end_in_an_answer():
    tree = message(text(BODY, "Bottom."))
    for _ in range(400):
        tree = {"deeper": tree}
    with pytest.raises(Corrupt):
        parse(compound(tree))


def test_streams_that_claim_more_than_the_file_has_are_refused():
    whole = bytearray(compound(message(text(BODY, "Words. " * 1000), text(SUBJECT, "Kettle"))))
    entry = whole.index(f"__substg1.0_{BODY:04X}001F".encode("utf-16-le"))
    whole[entry + 120 : entry + 124] = b"\xff\xff\xff\x7f"
    with pytest.raises(Corrupt):
        parse(bytes(whole))
