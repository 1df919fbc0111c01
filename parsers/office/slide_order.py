"""The order in which the shapes of a slide are read."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

Shape = TypeVar("Shape")


def reading_order(placed: Iterable[tuple[float, float, Shape]], same_row: float) -> Iterator[Shape]:
    """Shapes from top to bottom, and in a row from left to right.

    Args:
        placed: Top edge, left edge and shape, in any unit.
        same_row: Shapes whose tops lie no further below the first one's are in its row.
    """
    row: list[tuple[float, float, Shape]] = []
    for item in sorted(placed, key=lambda item: item[:2]):
        if row and item[0] - row[0][0] > same_row:
            yield from _left_to_right(row)
            row = []
        row.append(item)
    yield from _left_to_right(row)


def _left_to_right(row: list[tuple[float, float, Shape]]) -> list[Shape]:
    return [shape for _, _, shape in sorted(row, key=lambda item: item[1])]
