"""Putting a Chroma folder in the place of another, so that being killed loses neither.

What is built anew lies beside the folder and takes its place in two renames: the old one is moved
away when the new one is complete and on disk, and no earlier. So what lies there tells how far it
came, to whoever holds the lock on the folder next.
"""

import os
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Final

_SEGMENT: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""The name of a folder in which Chroma keeps the vectors of a collection."""


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
