"""Pictures."""

import io
import struct
import zlib

import pytest
from PIL import Image, TiffImagePlugin

from parsers.contract import ParseOptions, ParseTask
from parsers.document import ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, TooManyPages
from parsers.plain import image as parser


def parse(data: bytes, media_type: str, **options: int) -> ParsedDocument:
    return parser.parse(ParseTask(data, media_type, ParseOptions(**options)))


def picture(kind: str, **how: object) -> bytes:
    out = io.BytesIO()
    Image.effect_noise((64, 48), 90).save(out, kind, **how)
    return out.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def heic(*sizes: tuple[int, int]) -> bytes:
    sized = b"".join(box(b"ispe", struct.pack(">III", 0, *size)) for size in sizes)
    inner = box(b"hdlr", bytes(12)) + box(b"iprp", box(b"ipco", sized))
    return box(b"ftyp", b"heicmif1") + box(b"meta", bytes(4) + inner) + box(b"mdat", b"xyz")


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("TIFF", "image/tiff"),
        ("GIF", "image/gif"),
        ("BMP", "image/bmp"),
        ("WEBP", "image/webp"),
    ],
)
def test_a_picture_is_a_page_without_text_and_says_its_size(kind, media_type):
    document = parse(picture(kind), media_type)
    assert (document.text, document.blocks) == ("", ())
    assert [(page.number, page.has_picture) for page in document.pages] == [(1, True)]
    assert document.properties == {"format": kind.lower(), "width": "64", "height": "48"}


def test_a_heic_picture_says_the_size_of_the_whole_not_of_its_tiles():
    document = parse(heic((512, 512), (4032, 3024)), "image/heic")
    assert (document.properties["width"], document.properties["height"]) == ("4032", "3024")
    assert document.pages[0].has_picture


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_the_time_it_was_taken_is_a_property(kind, media_type):
    exif = Image.Exif()
    exif[0x0132] = "2024:03:05 14:02:31"
    document = parse(picture(kind, exif=exif), media_type)
    assert document.properties["taken_at"] == "2024-03-05T14:02:31"


def test_a_date_that_is_none_is_left_out():
    exif = Image.Exif()
    exif[0x0132] = "yesterday"
    assert "taken_at" not in parse(picture("JPEG", exif=exif), "image/jpeg").properties


def pages(number: int) -> bytes:
    out = io.BytesIO()
    with TiffImagePlugin.AppendingTiffWriter(out, new=True) as writer:
        for _ in range(number):
            Image.new("1", (8, 8)).save(writer, "TIFF")
            writer.newFrame()
    return out.getvalue()


def test_each_picture_of_a_scan_is_a_page():
    document = parse(pages(3), "image/tiff")
    assert [page.number for page in document.pages] == [1, 2, 3]
    assert all(page.has_picture for page in document.pages)


def test_a_scan_of_too_many_pages_is_refused():
    assert len(parse(pages(3), "image/tiff", max_pages=3).pages) == 3
    with pytest.raises(TooManyPages):
        parse(pages(3), "image/tiff", max_pages=2)


@pytest.mark.parametrize(("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png")])
def test_half_a_picture_is_corrupt(kind, media_type):
    whole = picture(kind)
    with pytest.raises(Corrupt):
        parse(whole[: len(whole) // 2], media_type)


@pytest.mark.parametrize("media_type", ["image/png", "image/tiff", "image/heic"])
def test_what_is_no_picture_is_corrupt(media_type):
    with pytest.raises(Corrupt):
        parse(b"no picture at all", media_type)


def test_a_picture_of_a_billion_pixels_is_refused_without_decoding_it():
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 1, 0, 0, 0, 0)
    sum_ = struct.pack(">I", zlib.crc32(b"IHDR" + head))
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", len(head)) + b"IHDR" + head + sum_
    bomb += struct.pack(">I", 9) + b"IDAT" + bytes(13)
    with pytest.raises(DecompressionBomb):
        parse(bomb, "image/png")
    with pytest.raises(DecompressionBomb, match="60000 by 60000"):
        parse(heic((60_000, 60_000)), "image/heic")


def test_boxes_that_lie_about_their_size_end_the_search():
    endless = struct.pack(">I4sQ", 1, b"meta", 3) + bytes(64)
    with pytest.raises(Corrupt):
        parse(box(b"ftyp", b"heic") + endless, "image/heic")
