"""In which order the parts of a page are read.

The order in which a file draws its text is mostly the order in which it is read. It is kept, except
that what stands above goes before what stands below it: many programs draw titles, headers and
footers last.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

from parsers.pdf.lines import Line

_MAX_SORTED: Final = 300
"""Parts of a page; more keep the order of the file, for each is compared with every other."""


def reading_order(parts: Sequence[Sequence[Line]]) -> list[int]:
    """The 0-based indices of parts, which come in the order of the file."""
    if len(parts) > _MAX_SORTED:
        return list(range(len(parts)))
    boxes = [_Box.around(lines) for lines in parts]
    below = [[i for i, other in enumerate(boxes) if box.is_above(other)] for box in boxes]
    n_above = [sum(other.is_above(box) for other in boxes) for box in boxes]
    ready = [index for index, count in enumerate(n_above) if count == 0]
    order: list[int] = []
    while ready:
        index = heapq.heappop(ready)
        order.append(index)
        for other in below[index]:
            n_above[other] -= 1
            if n_above[other] == 0:
                heapq.heappush(ready, other)
    return order


@dataclass(frozen=True, slots=True)
class _Box:
    left: float
    bottom: float
    right: float
    top: float

    @classmethod
    def around(cls, lines: Sequence[Line]) -> Self:
        return cls(
            min(line.left for line in lines),
            min(line.baseline for line in lines),
            max(line.right for line in lines),
            max(line.baseline + line.size / 2 for line in lines),
        )

    def is_above(self, other: "_Box") -> bool:
        overlaps = min(self.right, other.right) > max(self.left, other.left)
        return overlaps and self.bottom >= other.top
