"""Small documents made for tests."""

import io
import zipfile

import docx
import pypdf


def pdf(*pages: str | None, title: str = "") -> bytes:
    """A PDF with these words on its pages; None is a page that holds only a picture."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>"]
    kids = " ".join(f"{5 + 2 * number} 0 R" for number in range(len(pages)))
    objects.append(f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode())
    objects.append(b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    picture = b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray"
    objects.append(_stream(picture + b" /BitsPerComponent 8", b"\x80"))
    for words in pages:
        contents = _words(words) if words is not None else b"q 500 0 0 700 50 50 cm /P Do Q"
        number = len(objects) + 2
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources "
            b"<< /Font << /F 3 0 R >> /XObject << /P 4 0 R >> >> >>" % number
            if words is None
            else b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F 3 0 R >> >> >>" % number
        )
        objects.append(_stream(b"<<", contents))
    objects.append(f"<< /Title ({title}) >>".encode())
    return _assembled(objects)


def encrypted_pdf(words: str, password: str) -> bytes:
    """A PDF of one page that opens with a password."""
    writer, out = pypdf.PdfWriter(clone_from=io.BytesIO(pdf(words))), io.BytesIO()
    writer.encrypt(password, algorithm="AES-256")
    writer.write(out)
    return out.getvalue()


def _words(words: str) -> bytes:
    lines = words.replace("(", r"\(").replace(")", r"\)").splitlines()
    shown = " ".join(f"({line}) Tj T*" for line in lines)
    return f"BT /F 12 Tf 14 TL 72 720 Td {shown} ET".encode("latin-1")


def _stream(dictionary: bytes, data: bytes) -> bytes:
    return dictionary + b" /Length %d >>\nstream\n%s\nendstream" % (len(data), data)


def _assembled(objects: list[bytes]) -> bytes:
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, body))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % offset for offset in offsets))
    out.write(
        b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\nstartxref\n%d\n%%%%EOF\n"
        % (len(objects) + 1, len(objects), start)
    )
    return out.getvalue()


def word(*paragraphs: tuple[str, str]) -> bytes:
    """A Word document of (style, words)."""
    document = docx.Document()
    for style, words in paragraphs:
        document.add_paragraph(words, style=style)
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return out.getvalue()


def slow_pdf(n_pages: int = 200) -> bytes:
    """A few bytes that draw a million letters on each of many pages."""
    resources = b"/Resources << /Font << /F 4 0 R >> /XObject << /X %d 0 R >> >>"
    form = b"<< /Type /XObject /Subtype /Form /BBox [0 0 612 792] "
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b"3 0 R " * n_pages, n_pages),
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 5 0 R %s >>"
        % (resources % 6),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        _stream(b"<<", b"/X Do"),
    ]
    objects += [_stream(form + resources % number, b"/X Do " * 10) for number in range(7, 12)]
    objects.append(_stream(form + resources % 11, b"BT /F 12 Tf 72 700 Td (x) Tj ET"))
    return _assembled([*objects, b"<< >>"])
