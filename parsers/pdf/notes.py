"""What was put onto a PDF's page later: values of form fields, remarks, attached files."""

from collections.abc import Iterator
from typing import Any, Final

import pypdfium2
import pypdfium2.raw as pdfium

from parsers.document import Member
from parsers.pdf.strings import text_of
from parsers.reasons import Reason

_REMARKS: Final = frozenset(
    {
        pdfium.FPDF_ANNOT_TEXT,
        pdfium.FPDF_ANNOT_FREETEXT,
        pdfium.FPDF_ANNOT_HIGHLIGHT,
        pdfium.FPDF_ANNOT_UNDERLINE,
        pdfium.FPDF_ANNOT_SQUIGGLY,
        pdfium.FPDF_ANNOT_STRIKEOUT,
        pdfium.FPDF_ANNOT_STAMP,
        pdfium.FPDF_ANNOT_CARET,
        pdfium.FPDF_ANNOT_SQUARE,
        pdfium.FPDF_ANNOT_CIRCLE,
        pdfium.FPDF_ANNOT_LINE,
        pdfium.FPDF_ANNOT_POLYGON,
        pdfium.FPDF_ANNOT_INK,
    }
)
_TICKED: Final = frozenset({pdfium.FPDF_FORMFIELD_CHECKBOX, pdfium.FPDF_FORMFIELD_RADIOBUTTON})
_WRITTEN: Final = frozenset(
    {
        pdfium.FPDF_FORMFIELD_TEXTFIELD,
        pdfium.FPDF_FORMFIELD_COMBOBOX,
        pdfium.FPDF_FORMFIELD_LISTBOX,
    }
)


def notes(document: pypdfium2.PdfDocument, page: pypdfium2.PdfPage) -> tuple[str, ...]:
    """Filled-in fields as `name: value`, together one text, then each remark; each only once."""
    form = document.formenv and document.formenv.raw
    fields: dict[str, None] = {}
    remarks: dict[str, None] = {}
    for annotation in _annotations(page):
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if pdfium.FPDFAnnot_GetFlags(annotation) & pdfium.FPDF_ANNOT_FLAG_HIDDEN:
            continue
        if kind == pdfium.FPDF_ANNOT_WIDGET and form:
            fields[_field(form, annotation)] = None
        elif kind in _REMARKS:
            remarks[_contents(annotation)] = None
    filled = "\n".join(filter(None, fields))
    return tuple(filter(None, (filled, *remarks)))


def attached_to_document(document: pypdfium2.PdfDocument) -> Iterator[Member]:
    """Files that a reader lists beside the pages; those of a portfolio too."""
    for index in range(document.count_attachments()):
        yield _member(pdfium.FPDFDoc_GetAttachment(document, index), document)


def attached_to_page(page: pypdfium2.PdfPage) -> tuple[Member, ...]:
    """Files that a page shows as a paper clip."""
    return tuple(
        _member(pdfium.FPDFAnnot_GetFileAttachment(annotation), page.pdf)
        for annotation in _annotations(page)
        if pdfium.FPDFAnnot_GetSubtype(annotation) == pdfium.FPDF_ANNOT_FILEATTACHMENT
    )


def _member(handle: Any, document: pypdfium2.PdfDocument) -> Member:
    """An attached file, or the fact that there is one that cannot be taken out."""
    if not handle:
        return Member("", b"", Reason.CORRUPT, "pdfium: the attachment is not there")
    name = text_of(pdfium.FPDFAttachment_GetName, handle).replace("\\", "/")
    try:
        return Member(name, bytes(pypdfium2.PdfAttachment(handle, document).get_data()))
    except pypdfium2.PdfiumError:
        return Member(name, b"", Reason.CORRUPT, "pdfium: the attachment has no data")


def _annotations(page: pypdfium2.PdfPage) -> Iterator[Any]:
    for index in range(pdfium.FPDFPage_GetAnnotCount(page)):
        if annotation := pdfium.FPDFPage_GetAnnot(page, index):
            yield annotation
            pdfium.FPDFPage_CloseAnnot(annotation)


def _field(form: Any, annotation: Any) -> str:
    kind = pdfium.FPDFAnnot_GetFormFieldType(form, annotation)
    if kind in _TICKED and not pdfium.FPDFAnnot_IsChecked(form, annotation):
        return ""
    if kind not in _TICKED | _WRITTEN:
        return ""
    value = text_of(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
    if not value:
        return ""
    name = text_of(pdfium.FPDFAnnot_GetFormFieldAlternateName, form, annotation)
    name = name or text_of(pdfium.FPDFAnnot_GetFormFieldName, form, annotation)
    return f"{name}: {value}" if name else value


def _contents(annotation: Any) -> str:
    return text_of(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents\x00")
