"""Lists in parts, for stores that take only so many items at once."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeVar

_Item = TypeVar("_Item")

MAX_ITEMS: Final = 1_000
"""Below what SQLite, PostgreSQL and Chroma take in one statement or request."""


def batches(items: Sequence[_Item], size: int = MAX_ITEMS) -> Iterator[Sequence[_Item]]:
    """`items` in order, in parts of `size`, the last one shorter."""
    for start in range(0, len(items), size):
        yield items[start : start + size]
