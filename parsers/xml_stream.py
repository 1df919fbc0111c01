"""Large XML parts, element by element, in memory that does not grow with them."""

import io
from collections.abc import Iterator, Sequence

from lxml import etree

from parsers.errors import Corrupt


def elements(
    data: bytes, names: Sequence[str], *, events: Sequence[str] = ("end",)
) -> Iterator[tuple[str, etree._Element]]:
    """The elements of these names, one after the other, each gone when the next one comes.

    Args:
        data: The whole part.
        names: Without their namespaces, which differ between dialects.
        events: `start`, when only attributes are known, or `end`.

    Yields:
        The event and its element.

    Raises:
        Corrupt: It is not well-formed, or it declares a document type, which no office document
            does: entities could be lost in silence.
    """
    context = etree.iterparse(
        io.BytesIO(data),
        events=tuple(events),
        tag=[f"{{*}}{name}" for name in names],
        resolve_entities=False,
        no_network=True,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    )
    try:
        for event, element in context:
            yield event, element
            if event == "end":
                _forget(element)
    except etree.XMLSyntaxError as error:
        raise Corrupt(f"XML: {type(error).__name__}") from error
    if context.root is not None and context.root.getroottree().docinfo.doctype:
        raise Corrupt("XML with a document type")


def _forget(element: etree._Element) -> None:
    element.clear(keep_tail=False)
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
