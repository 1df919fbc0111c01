"""Reading files back, all that there are, for what must not be in them."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

import numpy as np
from numpy.typing import NDArray
from zstandard import ZstdError

from index.erasure.evidence import Evidence, forms_of
from index.erasure.needles import Needles, count_vectors
from index.texts import SUFFIX, unpacked

_BLOCK: Final = 8 * 1024 * 1024
_VECTOR_BYTES: Final = 32
"""Of a vector's start; the same bytes elsewhere are the same vector."""
_VECTOR_FILES: Final = ".bin"
"""Where Chroma keeps vectors, made unit length again: they are compared as numbers."""


class Trace(StrEnum):
    """What is found of a document."""

    TEXT = "text"
    VECTOR = "vector"
    CHUNK_ID = "chunk_id"
    URI = "uri"


@dataclass(slots=True)
class Inspection:
    """What reading all that is kept has found."""

    n_files: int = 0
    n_objects: int = 0
    """Stored texts that lie in another place than the folder."""
    n_bytes: int = 0
    """As they are stored."""
    damaged: list[str] = field(default_factory=list)
    """Stored texts that could not be unpacked, and were looked through as they are."""
    traces: dict[Trace, Counter[str]] = field(default_factory=dict)
    """How often each was found, by the file's path below the folder."""

    def of(self, trace: Trace) -> Counter[str]:
        return self.traces.get(trace, Counter())

    def note(self, trace: Trace, path: str, n: int) -> None:
        if n:
            self.traces.setdefault(trace, Counter())[path] += n


def inspect(
    folder: Path,
    evidence: Evidence,
    *,
    outside: Iterable[tuple[str, bytes]] = (),
    chunk_ids: Iterable[str] = (),
    uris: Iterable[str] = (),
) -> Inspection:
    """Read every file in a folder, and the texts that lie elsewhere.

    Args:
        folder: The state directory; nothing in it may be being written.
        evidence: What to look for.
        outside: Name and packed content of texts that do not lie in the folder.
        chunk_ids: To look for besides.
        uris: To look for besides; a short one is found in others too.

    Raises:
        OSError: A file cannot be read.
    """
    trace_of = {form: Trace.TEXT for words in evidence.words for form in forms_of(words)}
    starts = (vector.astype("<f4").tobytes()[:_VECTOR_BYTES] for vector in evidence.vectors)
    trace_of |= dict.fromkeys(starts, Trace.VECTOR)
    trace_of |= {chunk_id.encode(): Trace.CHUNK_ID for chunk_id in chunk_ids}
    trace_of |= {form: Trace.URI for uri in uris for form in forms_of(uri)}
    needles, seen = Needles(trace_of), Inspection()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not path.is_symlink():
            _inspect_file(path, str(path.relative_to(folder)), needles, trace_of, seen)
            if path.suffix == _VECTOR_FILES:
                n_found = _count_numbers(path, evidence.vectors)
                seen.note(Trace.VECTOR, str(path.relative_to(folder)), n_found)
    for name, packed in outside:
        seen.n_objects += 1
        seen.n_bytes += len(packed)
        _look_through(_unpacked(packed, name, seen), name, needles, trace_of, seen)
    return seen


def _inspect_file(
    path: Path, name: str, needles: Needles, trace_of: Mapping[bytes, Trace], seen: Inspection
) -> None:
    seen.n_files += 1
    seen.n_bytes += path.stat().st_size
    _look_through(_blocks(path, name, seen), name, needles, trace_of, seen)


def _look_through(
    blocks: Iterable[bytes],
    name: str,
    needles: Needles,
    trace_of: Mapping[bytes, Trace],
    seen: Inspection,
) -> None:
    overlap = needles.longest - 1
    before = b""
    for block in blocks:
        for needle, n in needles.find(before + block, after=len(before)).items():
            seen.note(trace_of[needle], name, n)
        before = (before + block)[-overlap:] if overlap else b""


def _blocks(path: Path, name: str, seen: Inspection) -> Iterator[bytes]:
    with path.open("rb") as file:
        if path.name.endswith(SUFFIX):
            yield from _unpacked(file.read(), name, seen)
        else:
            yield from _read(file, _BLOCK)


def _unpacked(stored: bytes, name: str, seen: Inspection) -> Iterator[bytes]:
    """A stored text; what is not one, or is damaged, as it is."""
    if not name.endswith(SUFFIX):
        yield stored
        return
    try:
        yield unpacked(stored)
    except ZstdError:
        seen.damaged.append(name)
        yield stored


def _count_numbers(path: Path, vectors: Sequence[NDArray[np.float32]]) -> int:
    """Vectors in a file of rows that start at multiples of four bytes."""
    n_found = 0
    for size in {vector.nbytes for vector in vectors}:
        alike = [vector for vector in vectors if vector.nbytes == size]
        before = b""
        with path.open("rb") as file:
            for block in _read(file, _BLOCK):
                joined = before + block
                numbers = np.frombuffer(joined, "<f4", count=len(joined) // 4)
                n_found += count_vectors(numbers, alike)
                before = joined[4 - size :]
    return n_found


def _read(file: IO[bytes], size: int) -> Iterator[bytes]:
    while block := file.read(size):
        yield block
