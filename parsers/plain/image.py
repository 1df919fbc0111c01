"""Pictures: their size and date. Their words would need OCR, so there is no text.

Pixels are never decoded. Pillow reads no HEIC, and its plug-in for that ships a GPL encoder, so the
size of those is read here from the boxes of the file (ISO/IEC 23008-12).
"""

import io
import re
import struct
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from typing import Final

from PIL import Image

from parsers.contract import ParseTask
from parsers.document import Page, ParsedDocument
from parsers.errors import Corrupt, DecompressionBomb, TooManyPages

NAME: Final = "image"
VERSION: Final = f"1+pillow-{version('pillow')}"

_HEIC: Final = "image/heic"
_FORMATS: Final = ("PNG", "JPEG", "TIFF", "GIF", "BMP", "WEBP")
_MALFORMED: Final = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    OverflowError,
    ZeroDivisionError,
    struct.error,
)
"""How Pillow fails on files that are not what they claim to be."""
_MAX_PIXELS: Final = 178_956_970
"""Where Pillow refuses a picture; a sheet of A0 at 300 dpi has 139 million."""
_JPEG: Final = ("jpeg", "mpo")
"""The second is several in one file, as some cameras write them."""
_JPEG_SCAN: Final = b"\xff\xda"
_JPEG_END: Final = b"\xff\xd9"
_EXIF_FOLDER: Final = 0x8769
_TAKEN: Final = 0x9003
_CHANGED: Final = 0x0132
_EXIF_DATE: Final = re.compile(r"(\d{4}):(\d\d):(\d\d)[ T](\d\d:\d\d:\d\d)")
_HEIC_FOLDERS: Final = {b"meta": 4, b"iprp": 0, b"ipco": 0}
"""Boxes that hold boxes, with the number of bytes that come before those."""


def parse(task: ParseTask) -> ParsedDocument:
    is_heic = task.media_type == _HEIC
    n_pages, properties = _heic(task.data) if is_heic else _picture(task.data)
    if n_pages > task.options.max_pages:
        raise TooManyPages(f"{n_pages} pictures in one file")
    return ParsedDocument(
        text="",
        blocks=(),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        pages=tuple(Page(number, 0, 0, has_picture=True) for number in range(1, n_pages + 1)),
        properties=properties,
    )


def _picture(data: bytes) -> tuple[int, dict[str, str]]:
    """How many pages it has, and its properties."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Of sizes that are still allowed.
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                n_pages = int(getattr(image, "n_frames", 1)) if image.format == "TIFF" else 1
                properties = _properties(image)
            if properties["format"] == "png":
                _verify(data)
    except Image.DecompressionBombError as error:
        raise DecompressionBomb("more pixels than any document has") from error
    except _MALFORMED as error:
        raise Corrupt(f"pillow: {type(error).__name__}") from error
    # Between the start of the last scan and the end of the picture no other end can stand.
    if properties["format"] in _JPEG and data.rfind(_JPEG_END) < data.rfind(_JPEG_SCAN):
        raise Corrupt("the end of the picture is missing")
    return n_pages, properties


def _check_size(width: int, height: int) -> None:
    if width * height > _MAX_PIXELS:
        raise DecompressionBomb(f"{width} by {height} pixels")


def _properties(image: Image.Image) -> dict[str, str]:
    width, height = image.size
    found = {"format": str(image.format).lower(), "width": str(width), "height": str(height)}
    exif = _exif(image)
    taken = exif.get_ifd(_EXIF_FOLDER).get(_TAKEN) or exif.get(_CHANGED)
    if date := _EXIF_DATE.match(str(taken)):
        year, month, day, time = date.groups()
        found["taken_at"] = f"{year}-{month}-{day}T{time}"
    return found


def _exif(image: Image.Image) -> Image.Exif:
    """Without `getexif`, which decodes the whole of a PNG to look for it at the end."""
    if image.format == "TIFF":
        return image.getexif()
    exif = Image.Exif()
    exif.load(image.info.get("exif", b""))
    return exif


def _verify(data: bytes) -> None:
    """Check the sums of all parts of a PNG."""
    with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
        image.verify()


def _heic(data: bytes) -> tuple[int, dict[str, str]]:
    sizes = list(_heic_sizes(data, 0, len(data)))
    if not sizes:
        raise Corrupt("no size of a picture in it")
    # A picture is stored in tiles, each with its own size: the largest is the whole.
    width, height = max(sizes, key=lambda size: size[0] * size[1])
    _check_size(width, height)
    return 1, {"format": "heic", "width": str(width), "height": str(height)}


def _heic_sizes(data: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        head = 8
        if size == 1 and start + 16 <= end:
            (size,) = struct.unpack_from(">Q", data, start + 8)
            head = 16
        stop = start + size if size >= head else end
        if kind in _HEIC_FOLDERS:
            yield from _heic_sizes(data, start + head + _HEIC_FOLDERS[kind], min(stop, end))
        elif kind == b"ispe" and start + head + 12 <= end:
            yield struct.unpack_from(">II", data, start + head + 4)
        start = stop
