"""unstructured's partitioners, kept off the network, and what they yield as blocks of text.

On first use unstructured downloads a spaCy model and installs it into site-packages, sends usage
telemetry, and advertises on standard error. Here a rule-based stand-in takes the place of its
tokenizer before anything of it is imported. The model serves it to tell narrative text from other
text, a difference that we do not use; the stand-in also spares 3 s and 200 MiB of imports.
"""

import os
import re
import sys
from collections.abc import Iterable
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Final

from lxml import html as lxml_html

from parsers.document import BlockKind, TextBuilder

if TYPE_CHECKING:
    from unstructured.documents.elements import Element

VERSION: Final = f"unstructured-{version('unstructured')}+rules-1"

_SENTENCE_END: Final = re.compile(r"(?<=[.!?])\s+")
_WORD: Final = re.compile(r"\w+|[^\w\s]")
_KINDS: Final = {
    "Title": BlockKind.HEADING,
    "ListItem": BlockKind.LIST_ITEM,
    "Table": BlockKind.TABLE,
    "CodeSnippet": BlockKind.CODE,
}
_LEFT_OUT: Final = frozenset({"PageBreak", "Header", "Footer", "PageNumber"})


def keep_offline() -> None:
    """Call before any import of unstructured in this process; calling it again does no harm."""
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["SCARF_NO_ANALYTICS"] = "true"
    os.environ["UNSTRUCTURED_DISABLE_NOTICE"] = "1"
    sys.modules.setdefault("unstructured.nlp.tokenize", _tokenizer_stand_in())


def _tokenizer_stand_in() -> ModuleType:
    module = ModuleType("unstructured.nlp.tokenize")
    vars(module).update(sent_tokenize=_sentences, word_tokenize=_words, pos_tag=_untagged)
    return module


def _sentences(text: str) -> list[str]:
    return _SENTENCE_END.split(text)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)


def _untagged(text: str) -> list[tuple[str, str]]:
    return [(word, "") for word in _words(text)]


def build_text(elements: "Iterable[Element]") -> TextBuilder:
    """The elements as blocks, in their order; running headers and footers are left out."""
    builder = TextBuilder()
    for element in elements:
        if element.category in _LEFT_OUT:
            continue
        kind = _KINDS.get(element.category, BlockKind.PARAGRAPH)
        level = 1 + min(element.metadata.category_depth or 0, 5)
        if kind is BlockKind.HEADING:
            builder.add(kind, " ".join(element.text.split()), level=level)
        elif kind is BlockKind.TABLE:
            builder.add(kind, _table_text(element.metadata.text_as_html) or element.text)
        else:
            builder.add(kind, element.text)
    return builder


def _table_text(table_html: str | None) -> str:
    """Rows as lines, cells divided by ` | `."""
    if not table_html:
        return ""
    rows = []
    for row in lxml_html.fragment_fromstring(table_html, create_parent=True).iter("tr"):
        cells = [" ".join(cell.text_content().split()) for cell in row.iter("td", "th")]
        if any(cells):
            rows.append(" | ".join(cells))
    return "\n".join(rows)
