"""A page of a longer list, as pages and the API show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from index.catalog.browsing import Paging

_Item = TypeVar("_Item")

PAGE_SIZE: Final = 50


@dataclass(frozen=True, slots=True)
class Listing(Generic[_Item]):
    """Some of many."""

    n_items: int
    """On all pages."""
    page: int
    """1-based."""
    n_pages: int
    items: Sequence[_Item]


def listed(items: Sequence[_Item], n_items: int, paging: Paging) -> Listing[_Item]:
    """A page with how many there are in all."""
    return Listing(n_items, paging.number, max(1, -(-n_items // paging.size)), items)
