"""Finding many byte strings, or many vectors, in large files."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

_ANCHOR: Final = 8
"""Bytes at the start of a string by which it is recognised."""
_SLOT_BITS: Final = 20
_SPREAD: Final = np.uint64(0x9E3779B97F4A7C15)
"""2^64 divided by the golden ratio: multiplied by it, bits spread upwards."""
_TOLERANCE: Final = 1e-5
"""A vector that the vector store has made unit length again differs by less."""


class Needles:
    """Byte strings that are looked for together, in one pass whatever their number."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        """Those that are empty are left out."""
        wanted = {needle for needle in needles if needle}
        self.longest = max(map(len, wanted), default=1)
        """Bytes of the longest."""
        self._short = [needle for needle in wanted if len(needle) < _ANCHOR]
        self._by_anchor: dict[int, list[bytes]] = {}
        for needle in wanted.difference(self._short):
            anchor = int.from_bytes(needle[:_ANCHOR], "little")
            self._by_anchor.setdefault(anchor, []).append(needle)
        self._anchors = np.array(list(self._by_anchor), np.uint64)
        self._slots = np.zeros(1 << _SLOT_BITS, np.bool_)
        self._slots[_slots_of(self._anchors)] = True

    def find(self, hay: bytes, after: int = 0) -> Counter[bytes]:
        """How often each occurs, of those that end behind the first `after` bytes."""
        found: Counter[bytes] = Counter()
        for needle in self._short:
            start = hay.find(needle, max(0, after - len(needle) + 1))
            while start >= 0:
                found[needle] += 1
                start = hay.find(needle, start + 1)
        for shift in range(_ANCHOR if len(hay) >= 2 * _ANCHOR else max(0, len(hay) - _ANCHOR + 1)):
            count = (len(hay) - shift) // _ANCHOR
            windows = np.frombuffer(hay, "<u8", count=count, offset=shift)
            hits = np.flatnonzero(self._slots[_slots_of(windows)])
            for hit in hits[np.isin(windows[hits], self._anchors)].tolist():
                start = hit * _ANCHOR + shift
                for needle in self._by_anchor[int(windows[hit])]:
                    if hay.startswith(needle, start) and start + len(needle) > after:
                        found[needle] += 1
        return found


def _slots_of(windows: NDArray[np.uint64]) -> NDArray[np.uint64]:
    slots: NDArray[np.uint64] = (windows * _SPREAD) >> np.uint64(64 - _SLOT_BITS)
    return slots


def count_vectors(hay: NDArray[np.float32], vectors: Sequence[NDArray[np.float32]]) -> int:
    """How often one of the vectors stands in a row of numbers, rounding apart."""
    n_found = 0
    for vector in vectors:
        starts = hay[: max(0, len(hay) - len(vector) + 1)]
        with np.errstate(all="ignore"):  # What is not a number is read as one too.
            hits = np.flatnonzero(np.abs(starts - vector[0]) < _TOLERANCE)
            for place in range(1, len(vector)):
                hits = hits[np.abs(hay[hits + place] - vector[place]) < _TOLERANCE]
        n_found += len(hits)
    return n_found
