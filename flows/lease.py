"""One writer at a time: the lease on a state directory.

Two processes that write to one Chroma folder lose vectors without a word. The lease is a lock that
the kernel takes away when its holder ends, however it ends; the file says who that is.
"""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from flows.errors import LeaseHeld


@contextmanager
def write_lease(state_dir: Path) -> Iterator[None]:
    """Be the only writer to a state directory.

    Raises:
        LeaseHeld: Another process is.
    """
    with (state_dir / "lease").open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise LeaseHeld(_who(file.read(), state_dir)) from None
        file.truncate(0)
        holder = {
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        file.write(json.dumps(holder))
        file.flush()
        yield


def _who(written: str, state_dir: Path) -> str:
    try:
        holder = json.loads(written)
        who = f"process {holder['pid']} on {holder['host']}, since {holder['since']}"
    except (ValueError, KeyError):
        who = "another process"
    return f"{who}, is writing to {state_dir}: wait until it ends"
