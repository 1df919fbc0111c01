"""Texts that PDFium hands out through a buffer."""

import ctypes
from collections.abc import Callable
from typing import Any

import pypdfium2.raw as pdfium

from parsers.document import clean_text


def text_of(read: Callable[..., int], *arguments: Any) -> str:
    """What a function of PDFium writes when it is given a buffer; halves of characters replaced.

    Args:
        read: Takes a buffer and its size in bytes last, and says how many bytes it needs.
        arguments: What it takes before.
    """
    n_bytes = read(*arguments, None, 0)
    if n_bytes <= ctypes.sizeof(pdfium.FPDF_WCHAR):
        return ""
    buffer = ctypes.create_string_buffer(n_bytes)
    read(*arguments, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), n_bytes)
    text = buffer.raw.decode("utf-16-le", "replace")
    return clean_text(text.partition("\0")[0]).strip()
