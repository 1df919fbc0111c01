"""Names for the documents inside a document: relative, harmless, and all different."""

import re
from pathlib import PurePosixPath
from typing import Final

from parsers.document import clean_text

_DRIVE: Final = re.compile(r"^[A-Za-z]:")
_MAX_PART_CHARACTERS: Final = 200
_MAX_PARTS: Final = 64
_UNNAMED: Final = "unnamed"
_LITTER: Final = frozenset({".DS_Store", "Thumbs.db", "desktop.ini", "__MACOSX"})
_LITTER_START: Final = "._"
"""What macOS keeps about the file of the rest of the name."""


def is_litter(path: str) -> bool:
    """Whether it is what an operating system leaves in folders for itself."""
    parts = path.replace("\\", "/").split("/")
    return parts[-1].startswith(_LITTER_START) or not _LITTER.isdisjoint(parts)


def safe_path(name: str) -> str:
    """`name` as a relative path with `/`, without drive, root, `.` and `..`."""
    path = " ".join(clean_text(name).split())
    path = _DRIVE.sub("", path.replace("\\", "/"))
    parts = [part.strip() for part in path.split("/")]
    kept = [_shortened(part) for part in parts if part not in ("", ".", "..")]
    return "/".join(kept[-_MAX_PARTS:]) or _UNNAMED


def file_name(name: str) -> str:
    """`name` as that of a single file."""
    return safe_path(name.replace("/", " "))


def _shortened(part: str) -> str:
    if len(part) <= _MAX_PART_CHARACTERS:
        return part
    suffix = PurePosixPath(part).suffix[:20]
    return part[: _MAX_PART_CHARACTERS - len(suffix)] + suffix


class DistinctNames:
    """Tells names apart: the second `a.txt` is `a (2).txt`."""

    def __init__(self) -> None:
        self._taken: set[str] = set()
        self._n_asked: dict[str, int] = {}

    def name(self, wanted: str) -> str:
        """`wanted`, or that with the first number that no other name has."""
        found = wanted
        while found in self._taken:
            number = self._n_asked.get(wanted, 1) + 1
            self._n_asked[wanted] = number
            path = PurePosixPath(wanted)
            found = str(path.with_name(f"{path.stem} ({number}){path.suffix}"))
        self._taken.add(found)
        return found
