"""A stretch of a version's text as the model reads it: its words without the markup."""

import re
from typing import Final

from index.identity import fold
from parsers.document import ParsedDocument
from parsers.media_type import MARKDOWN

_LINK: Final = re.compile(r"!?\[([^\[\]]*)\](?:\([^()\s]*(?:\s+\"[^\"]*\")?\)|\[[^\[\]]*\])")
_TAG: Final = re.compile(r"</?[a-zA-Z][^<>]*>|<!--.*?-->|\{[{%].*?[%}]\}", re.S)
_MARKER: Final = re.compile(r"(?m)^\s{0,3}(?:#{1,6}|>+|[-*+]|\d{1,3}[.)])\s+|[*_`]{2,3}|\|")
"""Numbers of items are short: a line may begin with the year that ends a sentence."""


def plain(document: ParsedDocument, start: int, end: int) -> str:
    """`text[start:end]` without link targets, tags and other markup, white space folded."""
    words = document.text[start:end]
    if document.media_type == MARKDOWN:
        words = _TAG.sub(" ", _LINK.sub(r"\1", words))
        words = _MARKER.sub(" ", words)
    return fold(words)
