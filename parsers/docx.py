"""Word documents by unstructured. Pages are a matter of the printer, so there are none."""

import io
import zipfile
import zlib
from typing import Final

from lxml import etree

from parsers.contract import ParseTask
from parsers.document import BlockKind, ParsedDocument, clean_text
from parsers.errors import Corrupt
from parsers.unpacking import check_unpacked_size
from parsers.unstructured_elements import VERSION as ELEMENTS_VERSION
from parsers.unstructured_elements import build_text, keep_offline

NAME: Final = "docx"
VERSION: Final = f"1+{ELEMENTS_VERSION}"

_MALFORMED: Final = (
    zipfile.BadZipFile,
    zlib.error,
    etree.XMLSyntaxError,
    KeyError,
    ValueError,
    AttributeError,
    TypeError,
    IndexError,
    OSError,
    NotImplementedError,
)
"""How python-docx and the layers below it fail on files that are not what they claim to be."""


def parse(task: ParseTask) -> ParsedDocument:
    keep_offline()
    import docx
    from docx.opc.exceptions import OpcError
    from unstructured.partition.docx import partition_docx

    check_unpacked_size(task.data, task.options)
    try:
        properties = docx.Document(io.BytesIO(task.data)).core_properties
        author, title = properties.author or "", properties.title or ""
        elements = partition_docx(file=io.BytesIO(task.data), languages=[""])
    except (*_MALFORMED, OpcError) as error:
        raise Corrupt(f"python-docx: {type(error).__name__}") from error
    builder = build_text(elements)
    first_heading = next((b.label for b in builder.blocks if b.kind is BlockKind.HEADING), "")
    return ParsedDocument(
        text=builder.text,
        blocks=tuple(builder.blocks),
        media_type=task.media_type,
        parser=NAME,
        parser_version=VERSION,
        title=clean_text(title).strip() or first_heading,
        properties={"author": clean_text(author).strip()} if author.strip() else {},
    )
