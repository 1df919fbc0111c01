"""Putting a Chroma folder in the place of another, so that being killed loses neither.

What is built anew lies beside the folder and takes its place in two renames: the old one is moved
away when the new one is complete and on disk, and no earlier. So what lies there tells how far it
came, to whoever holds the lock on the folder next.
"""

import os
import re
import shutil
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Final

_SEGMENT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name of a folder in which Chroma keeps the vectors of a collection."""
_HEADER: Final = struct.Struct("<12x3Q")
"""Of `header.bin`: how many vectors there is room for, how many there are, and bytes of each."""
_LENGTH: Final = 4
"""Bytes of each entry of `length.bin`."""


def make_beside(folder: Path) -> Path:
    """An empty folder beside `folder`, which `swap` puts in its place."""
    new = _new(folder)
    if new.exists():
        shutil.rmtree(new)
    new.mkdir()
    return new


def swap(folder: Path) -> None:
    """Put what lies beside `folder` in its place, and remove what was there."""
    for path in _new(folder).rglob("*"):
        _flush(path)
    _flush(_new(folder))
    folder.rename(_old(folder))
    _flush(folder.parent)
    settle(folder)


def settle(folder: Path) -> None:
    """Finish a swap that has begun, or throw away what was being built."""
    new, old = _new(folder), _old(folder)
    if new.exists() and old.exists():
        new.rename(folder)
        _flush(folder.parent)
    elif new.exists():
        shutil.rmtree(new)
    if old.exists():
        shutil.rmtree(old)


def blank_unused(folder: Path) -> None:
    """Overwrite with zeros what Chroma has room for in its vector files and does not use.

    It writes there whatever was in memory before: words that were just parsed, or vectors of an
    index that was closed. Files that are not as Chroma 1.5 writes them are left alone.
    """
    for header in folder.glob("*/header.bin"):
        data = header.read_bytes()
        if len(data) >= _HEADER.size:
            n_rooms, n_used, n_bytes = _HEADER.unpack_from(data)
            _blank(header.with_name("data_level0.bin"), n_used * n_bytes, n_rooms * n_bytes)
            _blank(header.with_name("length.bin"), n_used * _LENGTH, n_rooms * _LENGTH)


def _blank(file: Path, start: int, end: int) -> None:
    if file.exists() and file.stat().st_size == end:
        with file.open("r+b") as opened:
            opened.seek(start)
            if any(opened.read()):
                opened.seek(start)
                opened.write(bytes(end - start))


def remove_strays(folder: Path) -> None:
    """Remove the vectors of collections that the database in `folder` does not name any more."""
    database = folder.absolute() / "chroma.sqlite3"
    with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
        known = {name for (name,) in connection.execute("SELECT id FROM segments")}
    for path in folder.iterdir():
        if _SEGMENT.fullmatch(path.name) and path.name not in known:
            shutil.rmtree(path)


def _new(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.new")


def _old(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.old")


def _flush(path: Path) -> None:
    """Have a file on disk, or the names that a folder holds."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
