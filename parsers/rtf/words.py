"""What control words of Rich Text Format mean."""

import codecs
from typing import Final

CHARACTERS: Final = {
    "tab": "\t",
    "line": "\n",
    "lbr": "\n",
    "~": "\xa0",
    "_": "\u2011",
    "emdash": "\u2014",
    "endash": "\u2013",
    "emspace": "\u2003",
    "enspace": "\u2002",
    "qmspace": "\u2005",
    "bullet": "\u2022",
    "lquote": "\u2018",
    "rquote": "\u2019",
    "ldblquote": "\u201c",
    "rdblquote": "\u201d",
    "nestcell": " ",
    "nestrow": "\n",
}
PARAGRAPH_ENDS: Final = frozenset({"par", "sect", "page", "column"})

LEFT_OUT: Final = frozenset(
    {
        *("colortbl", "pict", "shprslt", "sp", "nonesttables", "xe", "tc", "rxe", "txe", "bkmkend"),
        *("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"),
        *("filetbl", "listtable", "listoverridetable", "revtbl", "template", "datafield"),
        *("objdata", "objclass", "objname", "fldinst", "formfield", "annotation", "comment"),
        *("listtext", "pntext", "pntxta", "pntxtb", "pn", "ftnsep", "ftnsepc", "aftnsep"),
        *("mmathPict", "nextfile", "themedata", "fontemb", "fontfile", "panose", "falt"),
    }
)
"""Destinations whose content is no text of the document, or is there a second time."""
STARRED_TEXT: Final = frozenset(
    {"shpinst", "shptxt", "do", "shpgrp", "moMath", "moMathPara", "footnote"}
)
"""Destinations that old programs are to pass over, and that hold text nevertheless."""
APART: Final = frozenset({"footnote", "shptxt", "dptxbxtext"})
"""Destinations with text of their own: notes and text boxes."""
LIST_MARKS: Final = frozenset({"listtext", "pntext"})
INFO_TEXTS: Final = frozenset({"title", "author", "subject", "keywords"})
INFO_DATES: Final = {"creatim": "created", "revtim": "modified"}

CODE_PAGES: Final = {"mac": "mac_roman", "pc": "cp437", "pca": "cp850", "ansi": "cp1252"}
_CHARSETS: Final = {
    77: "mac_roman",
    78: "shift_jis",
    79: "euc_kr",
    80: "gb2312",
    81: "big5",
    83: "mac_greek",
    85: "mac_turkish",
    88: "mac_latin2",
    89: "mac_cyrillic",
    128: "cp932",
    129: "cp949",
    130: "johab",
    134: "gbk",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
    163: "cp1258",
    177: "cp1255",
    178: "cp1256",
    186: "cp1257",
    204: "cp1251",
    222: "cp874",
    238: "cp1250",
    254: "cp437",
    255: "cp850",
}
"""Code pages of the character sets that Windows fonts have; the others take the document's."""


def charset_code_page(charset: int) -> str:
    """The codec for a font's character set; empty where the document's own serves."""
    return _CHARSETS.get(charset, "")


def numbered_code_page(number: int) -> str:
    """The codec of a Windows code page; empty if there is none."""
    name = {65001: "utf-8", 10000: "mac_roman"}.get(number, f"cp{number}")
    try:
        return codecs.lookup(name).name
    except LookupError:
        return ""
