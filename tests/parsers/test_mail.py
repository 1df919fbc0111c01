"""Mails and mailboxes."""

import time
from email.message import EmailMessage
from email.policy import SMTP

import pytest

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, EmptyFile, Encrypted
from parsers.mail import parser
from parsers.media_type import EML, MBOX
from tests.documents import pdf

HEAD = "From: Ann Lee <ann@example.com>\nTo: bob@example.com\nSubject: Kettle\n"


def parse(data: bytes | str, media_type: str = EML, **options: int) -> ParsedDocument:
    raw = data.encode() if isinstance(data, str) else data
    return parser.parse(ParseTask(raw, media_type, ParseOptions(**options)))


def message(plain: str = "", html: str = "", subject: str = "Kettle") -> EmailMessage:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = "ann@example.com", "bob@example.com", subject
    if plain:
        made.set_content(plain)
    if html and plain:
        made.add_alternative(html, subtype="html")
    elif html:
        made.set_content(html, subtype="html")
    return made


def quoted(document: ParsedDocument) -> str:
    return words(document, BlockKind.QUOTE)


def new(document: ParsedDocument) -> str:
    return words(document, BlockKind.PARAGRAPH)


def words(document: ParsedDocument, kind: BlockKind) -> str:
    return "\n".join(document.text[b.start : b.end] for b in document.blocks if b.kind is kind)


def test_headers_are_properties_and_the_subject_is_the_title():
    document = parse(
        "From: =?utf-8?q?Ann_L=C3=A9e?= <ann@example.com>\nTo: Bob <bob@example.com>,\n"
        " carl@example.com\nCc: dora@example.com\nDate: Tue, 5 Mar 2024 15:02:31 +0100\n"
        "Message-ID: <1@example.com>\nIn-Reply-To: <0@example.com>\n"
        "Subject: =?iso-8859-1?q?K=E4se?=\n =?iso-8859-1?q?_und_Brot?=\n\nWords.\n"
    )
    assert document.title == "Käse und Brot"
    assert document.properties == {
        "subject": "Käse und Brot",
        "from": "Ann Lée <ann@example.com>",
        "to": "Bob <bob@example.com>, carl@example.com",
        "cc": "dora@example.com",
        "date": "2024-03-05T14:02:31+00:00",
        "message_id": "<1@example.com>",
        "in_reply_to": "<0@example.com>",
    }
    assert document.blocks[0].kind is BlockKind.HEADING
    assert document.text == "Käse und Brot\n\nWords."


@pytest.mark.parametrize("date", ["yesterday", "", "Fri, 99 Mar 2024 99:99 +9999"])
def test_a_date_that_is_none_is_left_out(date):
    assert "date" not in parse(f"{HEAD}Date: {date}\n\nWords.").properties


def test_of_two_forms_that_say_the_same_the_plain_one_is_read():
    document = parse(
        message("Descale it on Friday.", "<p>Descale it <b>on Friday.</b></p>").as_bytes()
    )
    assert document.text.count("Descale") == 1
    assert document.text == "Kettle\n\nDescale it on Friday."


def test_where_the_plain_form_says_less_the_rich_one_is_read():
    html = "<h1>Rules</h1><p>Descale the kettle on Friday, with vinegar, not with lemon.</p>"
    document = parse(message("Your program shows no HTML.", html).as_bytes())
    assert "vinegar" in document.text
    assert "shows no HTML" not in document.text
    assert [(b.level, b.label) for b in document.blocks if b.kind is BlockKind.HEADING] == [
        (1, "Kettle"),
        (2, "Rules"),
    ]


def test_words_outside_the_two_forms_are_kept_whichever_is_read():
    made = message("Plain.", "<p>Rich words of some length, as they are read.</p>")
    made.make_mixed()
    footer = EmailMessage()
    footer.set_content("The footer of the list.")
    made.attach(footer)
    assert "Rich words" in parse(made.as_bytes()).text
    assert "The footer of the list." in parse(made.as_bytes()).text


REPLIES = {
    "on wrote": "New.\n\nOn Tue, Mar 5, 2024 at 2:02 PM Bob <bob@example.com> wrote:\n\nOld.\n",
    "wrapped": "New.\n\nOn Tue, Mar 5, 2024 at 2:02 PM Bob\n<bob@example.com> wrote:\n> Old.\n",
    "german": "New.\n\nAm 05.03.2024 um 14:02 schrieb Bob Müller:\n> Old.\n",
    "marks": "> Old.\n>> Old too.\n\nNew.\n",
    "original": "New.\n\n-----Original Message-----\nFrom: Bob\nSent: today\n\nOld.\n",
    "outlook": "New.\n\nFrom: Bob <bob@example.com>\nSent: Tuesday\nTo: Ann\nSubject: x\n\nOld.\n",
    "forward": "New.\n\n---------- Forwarded message ---------\nFrom: Bob\nDate: today\n\nOld.\n",
}


@pytest.mark.parametrize("text", REPLIES.values(), ids=REPLIES)
def test_what_is_quoted_is_told_from_what_is_new(text):
    document = parse(f"{HEAD}\n{text}")
    assert "New." in new(document)
    assert "Old." in quoted(document)
    assert "Old." not in new(document)
    assert "New." not in quoted(document)
    assert ">" not in quoted(document).replace("com>", "")


def test_answers_between_quoted_lines_are_new():
    document = parse(
        f"{HEAD}\nOn Tue, 5 Mar 2024, Bob wrote:\n> When?\n\nOn Friday.\n\n> With what?\n\n"
        "Vinegar.\n"
    )
    assert new(document) == "On Friday.\nVinegar."
    assert "When?" in quoted(document)
    assert "With what?" in quoted(document)


@pytest.mark.parametrize(
    "text",
    [
        "On Friday we wrote:\n- a list\n",
        "From: the kettle\nWith: love\n",
        "He wrote: nothing.\n\nAnn\n-- \nAnn Lee, kitchen\n",
        "On the 5th floor he wrote a book\n\nabout kettles: good ones.\n",
    ],
)
def test_what_only_looks_like_a_quotation_is_new(text):
    document = parse(f"{HEAD}\n{text}")
    assert quoted(document) == ""


HISTORIES = {
    "gmail": "<div>New.</div><div class='gmail_quote'><div class='gmail_attr'>On Tue Bob wrote:"
    "</div><blockquote>Old.</blockquote></div>",
    "cite": "<p>New.</p><blockquote type='cite'><p>Old.</p></blockquote><p>New below.</p>",
    "outlook": "<p>New.</p><div id='divRplyFwdMsg'><b>From:</b> Bob</div><div><p>Old.</p></div>",
    "word": "<p>New.</p><div><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>From: Bob"
    "</p></div></div><p>Old.</p>",
    "words": "<p>New.</p><p>On Tue, Mar 5, 2024 Bob &lt;bob@example.com&gt; wrote:</p><p>Old.</p>",
}


@pytest.mark.parametrize("html", HISTORIES.values(), ids=HISTORIES)
def test_quotations_are_found_in_html(html):
    document = parse(message(html=f"<html><body>{html}</body></html>").as_bytes())
    assert "New." in new(document)
    assert "Old." in quoted(document)
    assert "Old." not in new(document)
    assert ("New below." in html) == ("New below." in new(document))
    assert not set(document.text) & set("\ue000\ue001\ue002")


def test_attachments_are_members_and_pictures_in_the_text_are_not():
    made = message("See the file.", '<p>See the file. <img src="cid:logo@1"></p>')
    made.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@1>")
    made.add_attachment(pdf("Rules"), "application", "pdf", filename="Régeln.pdf")
    made.add_attachment(b"1", "text", "csv", filename="../../a.csv")
    made.add_attachment(b"2", "text", "csv", filename="a.csv")
    made.add_attachment(message("Inner words.", subject="Inner"))
    names = {member.name: member.data for member in parse(made.as_bytes()).members}
    assert list(names) == ["Régeln.pdf", ".. .. a.csv", "a.csv", "Inner.eml"]
    assert names["Régeln.pdf"] == pdf("Rules")
    inner = parse(names["Inner.eml"])
    assert (inner.title, inner.text) == ("Inner", "Inner\n\nInner words.")


def test_attachments_of_one_name_stay_different():
    made = message("Words.")
    for number in range(3):
        made.add_attachment(bytes([number]), "image", "png", filename="scan.png")
    names = [member.name for member in parse(made.as_bytes()).members]
    assert names == ["scan.png", "scan (2).png", "scan (3).png"]


def test_too_many_attachments_are_refused():
    made = message("Words.")
    for _ in range(4):
        made.add_attachment(b"x", "image", "png", filename="scan.png")
    assert len(parse(made.as_bytes(), max_members=4).members) == 4
    with pytest.raises(DecompressionBomb):
        parse(made.as_bytes(), max_members=3)


SEALED = {
    "pgp/mime": 'Content-Type: multipart/encrypted; boundary="b"\n\n--b\n'
    "Content-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b--\n",
    "s/mime": "Content-Type: application/pkcs7-mime; smime-type=enveloped-data\n"
    "Content-Transfer-Encoding: base64\n\nMIAGCSqGSIb3DQEHA6CAMIACAQAxgDCAAgEAMBI=\n",
    "inline": "\n-----BEGIN PGP MESSAGE-----\n\nhQEMA5vJ\n-----END PGP MESSAGE-----\n",
}


@pytest.mark.parametrize("rest", SEALED.values(), ids=SEALED)
def test_an_encrypted_mail_says_so(rest):
    with pytest.raises(Encrypted):
        parse(f"{HEAD}{rest}")


def der(tag: int, *content: bytes) -> bytes:
    body = b"".join(content)
    size = bytes([len(body)]) if len(body) < 128 else b"\x82" + len(body).to_bytes(2, "big")
    return bytes([tag]) + size + body


def test_signed_mails_are_read():
    inner = b"Content-Type: text/plain\r\n\r\nSigned words.\r\n"
    data_oid, signed_oid = (der(0x06, bytes.fromhex(f"2a864886f70d01070{n}")) for n in (1, 2))
    content = der(0x30, data_oid, der(0xA0, der(0x04, inner)))
    signed = der(0x30, der(0x02, b"\x01"), der(0x31), content, der(0x31))
    made = EmailMessage(policy=SMTP)
    made["Subject"] = "Signed"
    made.set_content(der(0x30, signed_oid, der(0xA0, signed)), "application", "pkcs7-mime")
    assert parse(made.as_bytes()).text == "Signed\n\nSigned words."
    clear = parse(
        f'{HEAD}Content-Type: multipart/signed; boundary="b"\n\n--b\n\nClear words.\n--b\n'
        "Content-Type: application/pgp-signature; name=signature.asc\n\nxyz\n--b--\n"
    )
    assert (clear.text, clear.members) == ("Kettle\n\nClear words.", ())
    inline = parse(
        f"{HEAD}\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nInline words.\n"
        "-----BEGIN PGP SIGNATURE-----\n\nabc\n-----END PGP SIGNATURE-----\n"
    )
    assert inline.text == "Kettle\n\nInline words."


def test_a_body_in_utf_8_is_read_as_that_whatever_it_claims():
    words = "你好！我公司可代开各类增值税发票"
    head = f"{HEAD}Content-Type: text/plain; charset=GB2312\nContent-Transfer-Encoding: 8bit\n\n"
    assert words in parse(head.encode() + words.encode()).text
    assert "联通" in parse(head.encode() + "联通".encode("gb2312")).text


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8", "no-such-charset", "punycode", "base64"])
def test_wrong_charsets_are_survived(charset):
    body = "Die Käsekiste steht über der Küche, wie früher.".encode("cp1252")
    head = f"{HEAD}Content-Type: text/plain; charset={charset}\n\n".encode()
    assert "Käsekiste" in parse(head + body).text


def test_damage_does_not_change_the_charset():
    body = "Чайник очищен от накипи, как всегда по пятницам. ".encode() * 3 + b"\xd0.\xff"
    head = f"{HEAD}Content-Type: text/plain; charset=utf-8\n\n".encode()
    assert "Чайник очищен от накипи" in parse(head + body).text


def test_headers_in_raw_bytes_are_read():
    assert parse("Subject: Käse\n\nx".encode()).title == "Käse"
    russian = "Привет всем коллегам, чайник очищен от накипи"
    assert parse(f"Subject: {russian}\n\nx".encode("koi8-r")).title == russian


def test_a_mail_saved_as_utf16_is_read():
    assert parse(f"{HEAD}\nWords.".encode("utf-16")).text == "Kettle\n\nWords."


def test_flowed_lines_are_joined():
    document = parse(f"{HEAD}Content-Type: text/plain; format=flowed\n\nOne \nline.\nNext.\n")
    assert document.text == "Kettle\n\nOne line.\nNext."


def test_parts_are_found_although_their_boundary_is_another():
    document = parse(
        f'{HEAD}Content-Type: multipart/mixed; boundary="there"\n\n--here\n'
        "Content-Type: text/plain\n\nFound words.\n--here--\n"
    )
    assert document.text == "Kettle\n\nFound words."


def test_a_bounce_says_what_failed():
    document = parse(
        f'{HEAD}Content-Type: multipart/report; boundary="b"\n\n--b\n\nIt failed.\n--b\n'
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\n"
        "Final-Recipient: rfc822; bob@example.com\nStatus: 5.1.1\n\n--b--\n"
    )
    assert "It failed." in document.text
    assert "Status: 5.1.1" in document.text


@pytest.mark.parametrize("data", [b"no headers here", b"\x00\x01\x02", b"<html></html>"])
def test_what_is_no_mail_is_corrupt(data):
    with pytest.raises(Corrupt):
        parse(data)


def test_white_space_is_an_empty_file():
    with pytest.raises(EmptyFile):
        parse(" \r\n\n")


def test_parts_that_lie_deep_in_each_other_end_in_an_answer():
    def nested(depth: int) -> str:
        heads = "".join(
            f'Content-Type: multipart/mixed; boundary="b{n}"\n\n--b{n}\n' for n in range(depth)
        )
        return f"{HEAD}{heads}Content-Type: text/plain\n\nBottom.\n"

    assert "Bottom." in parse(nested(100)).text
    with pytest.raises(Corrupt):
        parse(nested(5_000))


def test_hostile_lines_cost_little():
    started = time.monotonic()
    parse(f"{HEAD}\n" + "On 1 " * 50_000 + "\n" + "On 1 x\n" * 50_000)
    parse(f"{HEAD}\n" + "On Mon, Bob wrote:\n> a\n" * 20_000)
    parse(f"{HEAD}\n" + "From: x\n" * 50_000)
    parse("Subject: " + "=?utf-8?q?" * 50_000 + "\nTo: " + "(" * 50_000 + "\n\nx")
    parse(f"{HEAD}\n" + "-----BEGIN PGP SIGNATURE-----\n" * 50_000)
    parse(mailbox("One") + b"From x " + b"1:11 " * 200_000, MBOX)
    assert time.monotonic() - started < 8


def mailbox(*subjects: str) -> bytes:
    mails = (
        f"From ann@example.com Tue Mar  5 14:02:31 2024\nSubject: {subject}\n"
        f"Message-ID: <{subject}@example.com>\n\nWords of {subject}.\n>From now on.\n\n"
        for subject in subjects
    )
    return "".join(mails).encode()


def test_each_mail_of_a_box_is_a_member():
    document = parse(mailbox("One", "Two: a/b"), MBOX)
    assert document.text == ""
    assert [member.name.rsplit("-", 1)[0] for member in document.members] == ["one", "two-a-b"]
    assert "From now on." in parse(document.members[0].data).text
    assert parse(document.members[1].data).title == "Two: a/b"


def test_a_mail_keeps_its_name_when_another_goes():
    before = {member.name for member in parse(mailbox("One", "Two", "Three"), MBOX).members}
    after = {member.name for member in parse(mailbox("Two", "Three"), MBOX).members}
    assert after < before


def test_a_bad_mail_does_not_take_the_box_with_it():
    box = mailbox("One") + b"From x Tue Mar  5 14:02:31 2024\n\xff\xfe broken\n\n" + mailbox("Two")
    assert len(parse(box, MBOX).members) == 3


def test_a_box_that_is_none_or_too_large_is_refused():
    with pytest.raises(Corrupt):
        parse("Subject: x\n\nWords.\n", MBOX)
    with pytest.raises(DecompressionBomb):
        parse(mailbox("One", "Two"), MBOX, max_members=1)
