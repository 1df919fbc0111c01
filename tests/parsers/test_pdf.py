"""PDF: what the file is, its pages and what it holds besides them."""

import io

import pypdf
import pytest
from pypdf.generic import (
    ArrayObject,
    DecodedStreamObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    TextStringObject,
)

from parsers.contract import ParseOptions, ParseTask
from parsers.document import BlockKind, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, Encrypted, TooManyPages
from parsers.media_type import PDF
from parsers.pdf import parser
from parsers.pdf import second_engine as pdf_second_engine
from parsers.pdf.properties import iso_date
from parsers.reasons import Reason
from tests.documents import pdf


def parse(data: bytes, passwords: tuple[str, ...] = (), **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, PDF, ParseOptions(**options), passwords))


def sealed(password: str, owner: str, algorithm: str = "AES-256") -> bytes:
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(pdf("Sealed words.")))
    writer.encrypt(password, owner, algorithm=algorithm)
    return written(writer)


def written(writer: pypdf.PdfWriter) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def of(*pages: str | None) -> pypdf.PdfWriter:
    return pypdf.PdfWriter(clone_from=io.BytesIO(pdf(*pages)))


def blocks(document: ParsedDocument, kind: BlockKind = BlockKind.PARAGRAPH) -> list[str]:
    return [document.text[b.start : b.end] for b in document.blocks if b.kind is kind]


def test_pages_are_numbered_from_one_and_blocks_know_theirs():
    document = parse(pdf("First.", "Second.", "Third."))
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert [document.text[b.start : b.end] for b in document.blocks if b.page == 2] == ["Second."]


def test_a_page_is_the_stretch_of_its_blocks():
    document = parse(pdf("First.", None, "Third."))
    assert [document.text[page.start : page.end] for page in document.pages] == [
        "First.",
        "",
        "Third.",
    ]


def test_a_page_without_text_is_there_and_empty():
    document = parse(pdf("First.", None, "Third."))
    empty = document.pages[1]
    assert (empty.start, empty.has_picture) == (empty.end, True)
    assert document.pages[2].number == 3


def test_a_page_with_text_is_not_taken_for_a_picture():
    assert not parse(pdf("First.")).pages[0].has_picture


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


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-128", "AES-256"])
def test_a_given_password_opens_what_it_seals(algorithm):
    data = sealed("Schlüssel", "owner", algorithm)
    assert "Sealed words." in parse(data, ("wrong", "Schlüssel")).text


def test_wrong_passwords_are_counted_and_not_told():
    with pytest.raises(Encrypted) as raised:
        parse(sealed("secret", "owner"), ("hunter2", "letmein"))
    assert "2 given" in raised.value.detail
    assert "hunter2" not in raised.value.detail


def test_half_a_file_is_repaired_or_corrupt_but_never_empty_without_a_word():
    whole = pdf("Some words on a page.", "More words.")
    for share in (0.3, 0.5, 0.7, 0.9, 0.97):
        try:
            document = parse(whole[: int(len(whole) * share)])
        except Corrupt:
            continue
        assert document.pages


def test_noise_is_corrupt():
    with pytest.raises(Corrupt):
        parse(b"%PDF-1.7\n" + bytes(range(256)) * 20)


def test_more_pages_than_allowed_are_too_many():
    with pytest.raises(TooManyPages, match="3 pages"):
        parse(pdf("1", "2", "3"), max_pages=2)


def test_a_page_tree_that_claims_a_billion_pages_costs_nothing():
    claim = pdf("Only one.").replace(b"/Count 1 ", b"/Count 1000000000 ")
    try:
        assert "Only one." in parse(claim).text
    except (Corrupt, TooManyPages) as error:
        assert error.detail


def test_what_pdfium_does_not_open_is_read_by_pypdf():
    document = parse(pdf("Words of a file.", "More.").replace(b"%PDF-", b"%FDP-"))
    assert document.text == "Words of a file.\n\nMore."
    assert [page.engine for page in document.pages] == ["pypdf", "pypdf"]


def test_what_pdfium_opens_is_read_by_pdfium():
    assert [page.engine for page in parse(pdf("Words.", None)).pages] == ["pdfium", "pdfium"]


def test_a_page_that_the_second_engine_refuses_is_a_problem_of_that_page():
    data = pdf("Words.", "Odd.").replace(b"/Length 43 >>", b"/Length 43 /Filter /Fl >>")
    document = parse(data.replace(b"%PDF-", b"%FDP-"))
    assert [page.problem for page in document.pages] == ["", "pypdf: DeprecationError"]


def test_the_second_engine_stops_at_its_budget(monkeypatch):
    monkeypatch.setattr(pdf_second_engine, "_MAX_OPERATORS", 12)
    long = "\n".join(f"Line {number}." for number in range(20))
    document = parse(pdf("Short.", long).replace(b"%PDF-", b"%FDP-"))
    assert document.text == "Short."
    assert "drawing operators" in document.pages[1].problem


def test_a_file_of_which_no_page_can_be_read_is_corrupt(monkeypatch):
    monkeypatch.setattr(pdf_second_engine, "_MAX_OPERATORS", 0)
    with pytest.raises(Corrupt, match="no page can be read"):
        parse(pdf("Words.").replace(b"%PDF-", b"%FDP-"))


def test_page_labels_are_kept_where_they_are_not_the_position():
    writer = of("Preface.", "More.", "Start.")
    writer.set_page_label(0, 1, style="/r")
    writer.set_page_label(2, 2, style="/D", start=3)
    assert [page.label for page in parse(written(writer)).pages] == ["i", "ii", ""]


def test_the_title_is_kept_unless_a_program_made_it_up():
    assert parse(pdf("x", title="Annual report")).title == "Annual report"
    for made_up in ("Microsoft Word - draft3.doc", "scan_0001.tif", "untitled", "(anonymous)"):
        assert parse(pdf("x", title=made_up)).title == ""


def test_properties_are_read_and_dates_are_iso():
    writer = of("x")
    writer.add_metadata(
        {
            "/Author": "Ada",
            "/Subject": "Engines",
            "/Keywords": "a, b",
            "/CreationDate": "D:20240229093000+01'00'",
            "/ModDate": "yesterday",
        }
    )
    assert parse(written(writer)).properties == {
        "author": "Ada",
        "subject": "Engines",
        "keywords": "a, b",
        "created": "2024-02-29T09:30:00+01:00",
    }


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ("D:20240229093000Z", "2024-02-29T09:30:00Z"),
        ("D:20240229093000-05'30'", "2024-02-29T09:30:00-05:30"),
        ("D:2024022909", "2024-02-29"),
        ("D:202402", "2024-02"),
        ("2024", "2024"),
        ("D:", ""),
        ("", ""),
    ],
)
def test_a_date_is_as_exact_as_it_is_stated(stated, expected):
    assert iso_date(stated) == expected


def test_attached_files_are_members_with_names_of_their_own():
    writer = of("See the attachment.")
    writer.add_attachment("data.csv", b"a,b\n1,2\n")
    writer.add_attachment("other.txt", b"words")
    found = {member.name: member.data for member in parse(written(writer)).members}
    assert found == {"data.csv": b"a,b\n1,2\n", "other.txt": b"words"}


def test_attachments_of_one_name_are_told_apart():
    writer = of("x")
    writer.add_attachment("a.txt", b"one")
    writer.add_attachment("a.txt", b"two")
    found = {member.name: member.data for member in parse(written(writer)).members}
    assert found == {"a.txt": b"one", "a-2.txt": b"two"}


def test_an_attachment_that_is_gone_is_a_member_that_says_so():
    writer = of("x")
    writer.add_attachment("a.txt", b"words of the file")
    broken = written(writer).replace(b"/EF", b"/XX").replace(b"/Type /EmbeddedFile", b"/Type /Gone")
    (member,) = parse(broken).members
    assert (member.name, member.data, member.code) == ("a.txt", b"", Reason.CORRUPT)


def test_half_a_character_in_a_title_is_no_crash():
    broken = pdf("x", title="Report").replace(b"(Report)", b"<FEFF00520065D83D>")
    assert parse(broken).title.startswith("Re")


def test_attachments_that_unpack_to_too_much_are_a_bomb():
    writer = of("x")
    writer.add_attachment("zeros.bin", bytes(2 * 1024 * 1024))
    with pytest.raises(DecompressionBomb):
        parse(written(writer), max_unpacked_mib=1)


def test_more_attachments_than_allowed_are_a_bomb():
    writer = of("x")
    for number in range(3):
        writer.add_attachment(f"{number}.txt", b"words")
    with pytest.raises(DecompressionBomb):
        parse(written(writer), max_members=2)


def test_a_remark_on_a_page_is_part_of_its_text():
    writer = of("Words.")
    place = ArrayObject(map(FloatObject, (100, 100, 200, 200)))
    writer.add_annotation(
        0,
        DictionaryObject(
            {
                NameObject("/Subtype"): NameObject("/Text"),
                NameObject("/Rect"): place,
                NameObject("/Contents"): TextStringObject("Check this figure."),
            }
        ),
    )
    assert blocks(parse(written(writer))) == ["Words.", "Check this figure."]


def test_a_filled_in_field_is_read_with_its_name():
    writer = of("Form.")
    field = DictionaryObject(
        {
            NameObject("/Subtype"): NameObject("/Widget"),
            NameObject("/FT"): NameObject("/Tx"),
            NameObject("/T"): TextStringObject("City"),
            NameObject("/V"): TextStringObject("Linz"),
            NameObject("/Rect"): ArrayObject(map(FloatObject, (100, 100, 200, 120))),
        }
    )
    added = writer.add_annotation(0, field)
    form = DictionaryObject(
        {NameObject("/Fields"): ArrayObject([added.indirect_reference or added])}
    )
    writer.root_object[NameObject("/AcroForm")] = form
    assert "City: Linz" in parse(written(writer)).text


def test_a_picture_inside_a_form_is_a_picture():
    writer = of(None)
    page = writer.pages[0]
    resources = page["/Resources"]
    form = DecodedStreamObject()
    form.set_data(b"q 500 0 0 700 50 50 cm /P Do Q")
    form.update(
        {
            NameObject("/Type"): NameObject("/XObject"),
            NameObject("/Subtype"): NameObject("/Form"),
            NameObject("/BBox"): ArrayObject(map(FloatObject, (0, 0, 612, 792))),
            NameObject("/Resources"): resources.clone(writer, force_duplicate=True),
        }
    )
    resources["/XObject"][NameObject("/P")] = writer._add_object(form)
    assert parse(written(writer)).pages[0].has_picture


def test_a_long_page_is_read_in_time_that_grows_with_it():
    document = parse(pdf("\n".join(f"line {number}" for number in range(5_000))))
    assert "line 4999" in document.text
