"""The characters of a PDF's page and their places, as PDFium gives them."""

import ctypes
import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pypdfium2.raw as pdfium

from parsers.pdf.text import HYPHEN

_LAST: Final = 0x10FFFF
_LOST: Final = "\ufffd"
_FOUND_HYPHEN: Final = "\x02"
_CONTROLS: Final = {code: _LOST for code in range(32) if chr(code) not in "\t\n\r\x02"} | {3: " "}
"""Characters that mean nothing. 3 is a space in most TrueType fonts without a character map."""
_RIGHT_TO_LEFT: Final = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]")


class Glyphs:
    """PDFium's characters of a page by their 0-based index."""

    def __init__(self, text_page: Any) -> None:
        self._page = text_page
        self._turns = 0
        self._rectangle = pdfium.FS_RECTF()
        self._matrix = pdfium.FS_MATRIX()
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        read = pdfium.FPDFText_GetUnicode
        n_glyphs = max(0, pdfium.FPDFText_CountChars(text_page))
        codes = [read(text_page, index) for index in range(n_glyphs)]
        self.text = "".join([chr(code) if code <= _LAST else _LOST for code in codes])
        self.text = self._with_hyphens(self.text.translate(_CONTROLS))
        self.is_right_to_left = _RIGHT_TO_LEFT.search(self.text) is not None

    def _with_hyphens(self, text: str) -> str:
        """With `HYPHEN` where PDFium found one at a line's end; it gives a control character."""
        if _FOUND_HYPHEN not in text:
            return text
        characters = list(text)
        for index, character in enumerate(characters):
            if character == _FOUND_HYPHEN:
                is_hyphen = pdfium.FPDFText_IsHyphen(self._page, index) == 1
                characters[index] = HYPHEN if is_hyphen else _LOST
        return "".join(characters)

    def turn(self, spans: Sequence[tuple[int, int]]) -> None:
        """Turn all places by the quarter turns that set most characters upright."""
        votes: Counter[int] = Counter()
        for start, end in spans:
            votes[self._quarters(start)] += end - start
        if votes:
            self._turns = votes.most_common(1)[0][0]

    @property
    def is_turned(self) -> bool:
        return self._turns != 0

    def is_upright(self, index: int) -> bool:
        return self._quarters(index) == self._turns

    def _quarters(self, index: int) -> int:
        clockwise = pdfium.FPDFText_GetCharAngle(self._page, index)
        return round(-clockwise / (math.pi / 2)) % 4 if clockwise >= 0 else 0

    def is_generated(self, index: int) -> bool:
        return bool(pdfium.FPDFText_IsGenerated(self._page, index) == 1)

    def box(self, index: int) -> tuple[float, float, float, float]:
        """Left, bottom, right, top."""
        area = self._rectangle
        pdfium.FPDFText_GetLooseCharBox(self._page, index, area)
        if not self._turns:
            return area.left, area.bottom, area.right, area.top
        (x0, y0), (x1, y1) = (
            self._turned(area.left, area.bottom),
            self._turned(area.right, area.top),
        )
        return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)

    def origin(self, index: int) -> tuple[float, float]:
        pdfium.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        return self._turned(self._x.value, self._y.value)

    def size(self, index: int) -> float:
        pdfium.FPDFText_GetMatrix(self._page, index, self._matrix)
        stated: float = pdfium.FPDFText_GetFontSize(self._page, index)
        return abs(stated) * math.hypot(self._matrix.c, self._matrix.d)

    def _turned(self, x: float, y: float) -> tuple[float, float]:
        return ((x, y), (y, -x), (-x, -y), (-y, x))[self._turns]
