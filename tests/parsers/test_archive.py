"""Archives and compressed files."""

import bz2
import gzip
import io
import lzma
import stat
import struct
import tarfile
import zipfile

import pytest
import pyzipper

from parsers.archives import parser
from parsers.contract import ParseOptions, ParseTask
from parsers.document import Member, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, UnsupportedType
from parsers.media_type import BZIP2, GZIP, TAR, XZ, ZIP
from parsers.reasons import Reason

MIB = 1024 * 1024


def parse(
    data: bytes, media_type: str = ZIP, passwords: tuple[str, ...] = (), **options: int
) -> ParsedDocument:
    return parser.parse(ParseTask(data, media_type, ParseOptions(**options), passwords))


def found(document: ParsedDocument) -> dict[str, bytes]:
    return {member.name: member.data for member in document.members}


def zipped(*members: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return out.getvalue()


def tarred(*members: tuple[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def test_each_file_of_a_zip_is_a_member_under_its_path():
    document = parse(zipped(("a/", b""), ("a/b.txt", b"words"), ("c.txt", b"")))
    assert found(document) == {"a/b.txt": b"words", "c.txt": b""}
    assert (document.text, document.pages) == ("", ())


@pytest.mark.parametrize(
    ("media_type", "pack"),
    [(TAR, bytes), (GZIP, gzip.compress), (BZIP2, bz2.compress), (XZ, lzma.compress)],
)
def test_a_tar_is_found_under_every_compression(media_type, pack):
    document = parse(pack(tarred(("a/b.txt", b"words"), ("c.txt", b"more"))), media_type)
    assert found(document) == {"a/b.txt": b"words", "c.txt": b"more"}


@pytest.mark.parametrize(
    ("media_type", "pack"), [(GZIP, gzip.compress), (BZIP2, bz2.compress), (XZ, lzma.compress)]
)
def test_a_single_compressed_file_is_one_member(media_type, pack):
    assert found(parse(pack(b"words"), media_type)) == {"content": b"words"}


def test_a_gzip_header_gives_the_name():
    out = io.BytesIO()
    with gzip.GzipFile("/home/ann/notes.txt", "wb", fileobj=out) as stream:
        stream.write(b"words")
    assert found(parse(out.getvalue(), GZIP)) == {"notes.txt": b"words"}


def test_the_same_bytes_give_the_same_members():
    data = zipped(("a.txt", b"1"), ("b.txt", b"2"))
    assert parse(data) == parse(data)


def test_names_are_harmless_and_stay_different():
    names = ["../x.txt", "/x.txt", "C:\\x.txt", "a\\..\\..\\x.txt", "./a//x.txt", "..", "a\x00b/c"]
    document = parse(zipped(*((name, name.encode()) for name in names)))
    assert len(document.members) == len({member.name for member in document.members}) == 7
    for member in document.members:
        assert ".." not in member.name.split("/")
        assert not member.name.startswith("/")
        assert not set(member.name) & set("\\:\x00")


def test_a_name_in_utf8_without_the_flag_is_read():
    data = zipped(("k__se.txt", b"words")).replace(b"k__se.txt", "käse.txt".encode())
    assert list(found(parse(data))) == ["käse.txt"]


def test_litter_links_and_devices_are_left_out():
    link = zipfile.ZipInfo("link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    data = zipped(
        ("__MACOSX/._a.txt", b"x"), (".DS_Store", b"x"), ("d/Thumbs.db", b"x"), (link, b"/etc"),
        ("a.txt", b"words"),
    )  # fmt: skip
    assert found(parse(data)) == {"a.txt": b"words"}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE):
            entry = tarfile.TarInfo(f"special{kind!r}")
            entry.type, entry.linkname = kind, "/etc/passwd"
            archive.addfile(entry)
    assert parse(out.getvalue(), TAR).members == ()


def sealed(password: bytes, encryption: int | None) -> bytes:
    out = io.BytesIO()
    with pyzipper.AESZipFile(out, "w", encryption=encryption) as archive:
        archive.setpassword(password)
        archive.writestr("a.txt", b"words")
    return out.getvalue()


def test_an_encrypted_member_is_named_and_the_others_are_read():
    member = Member("a.txt", b"", Reason.ENCRYPTED, "no known password opens this member")
    data = sealed(b"s3cret", pyzipper.WZ_AES)
    assert parse(data).members == (member,)
    assert parse(data, passwords=("wrong",)).members == (member,)
    assert found(parse(data, passwords=("wrong", "s3cret"))) == {"a.txt": b"words"}


def test_a_damaged_member_is_named_and_the_others_are_read():
    data = zipped(("a.txt", b"first words"), ("b.txt", b"second words"))
    start = data.index(b"a.txt") + len(b"a.txt")
    members = parse(data[:start] + b"\xff\xff" + data[start + 2 :]).members
    assert [(member.name, member.code) for member in members] == [
        ("a.txt", Reason.CORRUPT),
        ("b.txt", None),
    ]
    assert members[1].data == b"second words"


def test_an_unknown_compression_is_named():
    data = bytearray(zipped(("a.txt", b"words")))
    for mark, offset in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", data, data.index(mark) + offset, 98)
    (member,) = parse(bytes(data)).members
    assert member.code is Reason.UNSUPPORTED_TYPE
    assert "98" in member.detail


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (zipped(("a.txt", b"words"))[:40], ZIP),
        (b"no archive", ZIP),
        (b"no archive", TAR),
        (b"no archive", GZIP),
        (b"no archive", XZ),
        (gzip.compress(b"words " * 10_000)[:60], GZIP),
    ],
)
def test_what_cannot_be_opened_is_corrupt(data, media_type):
    with pytest.raises(Corrupt):
        parse(data, media_type)


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_tar_that_breaks_off_yields_what_is_there_and_says_so(pack):
    noise = b"".join(bytes([number * number % 251]) for number in range(40_000))
    whole = pack(tarred(("a.txt", b"words"), ("b.bin", noise), ("c.txt", b"more")))
    members = parse(whole[: len(whole) // 2], GZIP if pack is gzip.compress else TAR).members
    assert members[0] == Member("a.txt", b"words")
    assert {member.code for member in members[1:]} == {Reason.CORRUPT}
    assert not any(member.data for member in members[1:])


def test_noise_after_the_first_members_of_a_tar_is_not_lost_in_silence():
    data = tarred(("a.txt", b"words"))[:1024] + b"noise" * 200
    members = parse(data, TAR).members
    assert [member.code for member in members] == [None, Reason.CORRUPT]


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        (zipped(("a", bytes(65 * MIB))), ZIP),
        (gzip.compress(bytes(65 * MIB)), GZIP),
        (bz2.compress(bytes(65 * MIB)), BZIP2),
        (lzma.compress(bytes(65 * MIB)), XZ),
    ],
)
def test_a_bomb_is_not_unpacked(data, media_type):
    with pytest.raises(DecompressionBomb, match="64 MiB"):
        parse(data, media_type)


def test_a_small_file_may_be_as_dense_as_it_can():
    assert len(found(parse(gzip.compress(bytes(MIB)), GZIP))["content"]) == MIB


def test_many_members_share_one_limit():
    noise = bytes(range(256)) * 4096
    with pytest.raises(DecompressionBomb, match="2 MiB"):
        parse(zipped(*((f"{number}", noise) for number in range(3))), max_unpacked_mib=2)


def test_a_size_in_a_header_is_not_believed():
    data = bytearray(zipped(("a", bytes(65 * MIB))))
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 5)
    try:
        (member,) = parse(bytes(data)).members
    except DecompressionBomb:
        return
    assert member.code is Reason.CORRUPT


def test_holes_of_a_tar_are_counted():
    entry = tarfile.TarInfo("sparse")
    entry.size = 0
    entry.pax_headers = {
        "GNU.sparse.map": "0,0",
        "GNU.sparse.size": str(10**12),
        "GNU.sparse.name": "sparse",
    }
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(entry)
    with pytest.raises(DecompressionBomb):
        parse(out.getvalue(), TAR)


def test_members_that_lie_over_each_other_are_refused():
    data = bytearray(zipped(("a", b"words " * 100), ("b", b"words " * 100)))
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 0)
    with pytest.raises(DecompressionBomb, match="over each other"):
        parse(bytes(data))


@pytest.mark.parametrize("media_type", [ZIP, TAR])
def test_too_many_members_are_refused(media_type):
    members = [(f"{number}.txt", b"") for number in range(11)]
    data = zipped(*members) if media_type == ZIP else tarred(*members)
    with pytest.raises(DecompressionBomb, match="more than 10 members"):
        parse(data, media_type, max_members=10)
    assert len(parse(data, media_type, max_members=11).members) == 11


def test_archives_stay_closed_where_that_is_set():
    with pytest.raises(UnsupportedType, match="open_archives"):
        parse(zipped(("a.txt", b"words")), open_archives=False)
