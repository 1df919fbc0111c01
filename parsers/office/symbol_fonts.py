"""Characters of symbol fonts, which have code points of their own instead of Unicode's."""

from typing import Final

_PRIVATE: Final = range(0xF000, 0xF100)
"""Where Word keeps the 256 characters of a symbol font."""
_GREEK: Final = dict(
    zip(
        (*range(0x41, 0x5B), *range(0x61, 0x7B)),
        "ΑΒΧΔΕΦΓΗΙϑΚΛΜΝΟΠΘΡΣΤΥςΩΞΨΖαβχδεφγηιϕκλμνοπθρστυϖωξψζ",
        strict=True,
    )
)
_SYMBOL: Final = _GREEK | {
    **{0xA3: "≤", 0xA5: "∞", 0xAB: "↔", 0xAC: "←", 0xAE: "→", 0xB0: "°", 0xB1: "±", 0xB3: "≥"},
    **{0xB4: "×", 0xB6: "∂", 0xB7: "•", 0xB8: "÷", 0xB9: "≠", 0xBA: "≡", 0xBB: "≈", 0xC5: "⊕"},
    **{0xCE: "∈", 0xCF: "∉", 0xD1: "∇", 0xD5: "∏", 0xD6: "√", 0xDE: "⇒", 0xE5: "∑", 0xF2: "∫"},
}
_WINGDINGS: Final = {
    **{0x6E: "■", 0x6F: "☐", 0x71: "☐", 0x78: "☒", 0xA7: "▪", 0xA8: "☐", 0xD8: "➢", 0xDF: "←"},
    **{0xE0: "→", 0xFB: "✗", 0xFC: "✓", 0xFD: "☒", 0xFE: "☑"},
}
_FONTS: Final[dict[str, dict[int, str]]] = {"symbol": _SYMBOL, "wingdings": _WINGDINGS}


def symbol(font: str, code: str) -> str:
    """The Unicode character that a symbol stands for; empty if it is not known.

    Args:
        font: Its name.
        code: Of the character, in hexadecimal.
    """
    try:
        number = int(code, 16)
    except ValueError:
        return ""
    if number not in _PRIVATE:
        return chr(number) if 0x20 <= number < 0x10000 else ""
    return _FONTS.get(font.lower(), {}).get(number - _PRIVATE.start, "")
