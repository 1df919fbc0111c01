"""Lists in parts, for stores that take only so many items at once."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

_Item = TypeVar("_Item")

MAX_ITEMS: Final = 1_000
"""Below what SQLite, PostgreSQL and Chroma take in one statement or request."""


def batches(items: Iterable[_Item], size: int = MAX_ITEMS) -> Iterator[list[_Item]]:
    """`items` in order, in parts of `size`, the last one shorter."""
    left = iter(items)
    while part := list(islice(left, size)):
        yield part
