"""Telling whether a process that said who it is still lives."""

import os
import re
import socket
from datetime import UTC, datetime
from typing import Final

import psutil

_TAG: Final = re.compile(r"process:(\d+)@(.+)")
_CLOCK_S: Final = 2.0
"""How far two readings of when something began may be apart."""


def own_tag() -> str:
    """The tag that says which process does something."""
    return f"process:{os.getpid()}@{socket.gethostname()}"


def tagged(tags: list[str]) -> int | None:
    """The process on this machine that a tag names."""
    for match in filter(None, map(_TAG.fullmatch, tags)):
        if match[2] == socket.gethostname():
            return int(match[1])
    return None


def is_alive(pid: int, began_at: datetime) -> bool:
    """Whether the process with this id that was there at a moment still is.

    Args:
        pid: On this machine.
        began_at: When it was seen; a younger process has taken its id over.
    """
    try:
        process = psutil.Process(pid)
        created = datetime.fromtimestamp(process.create_time(), UTC)
        is_dead = process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return not is_dead and (created - began_at).total_seconds() < _CLOCK_S
