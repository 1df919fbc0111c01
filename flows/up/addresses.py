"""Where `headwater up` of a state directory is, for other commands to find."""

import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from flows.errors import UserError

_FILE: Final = "up.json"
_LOCK: Final = "up.lock"
_PATIENCE_S: Final = 1.0
"""Longer than another command takes to look whether the lock is held."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Of the parts; empty where there is no such part."""

    pid: int
    """Of the command itself."""
    since: str
    """ISO 8601, UTC."""
    prefect: str = ""
    """Of Prefect's user interface; its API is below `/api`."""
    vectors: str = ""
    dashboard: str = ""

    @property
    def prefect_api(self) -> str:
        return f"{self.prefect}/api" if self.prefect else ""


@contextmanager
def only_one(state_dir: Path) -> Iterator[None]:
    """Be the one `headwater up` of a state directory.

    Raises:
        UserError: Another one is there.
    """
    with (state_dir / _LOCK).open("ab") as file:
        if not _locks(file.fileno(), _PATIENCE_S):
            raise UserError(_already(_read(state_dir), state_dir))
        try:
            yield
        finally:
            (state_dir / _FILE).unlink(missing_ok=True)


def publish(state_dir: Path, addresses: Addresses) -> None:
    """Let other commands know."""
    written = state_dir / f"{_FILE}.new"
    written.write_text(json.dumps(asdict(addresses)), "utf-8")
    written.replace(state_dir / _FILE)


def running(state_dir: Path) -> Addresses | None:
    """Where `headwater up` is; None if it is not running, whatever it has left behind."""
    lock = state_dir / _LOCK
    found = _read(state_dir)
    if found is None or not lock.is_file():
        return None
    descriptor = os.open(lock, os.O_RDONLY)
    try:
        return None if _locks(descriptor, 0, shared=True) else found
    finally:
        os.close(descriptor)


def _already(found: Addresses | None, state_dir: Path) -> str:
    if found is None:
        return f"headwater up is starting already on {state_dir}"
    where = found.dashboard or found.prefect
    at = f", at {where}" if where else ""
    return f"headwater up runs already on {state_dir}: process {found.pid}, since {found.since}{at}"


def _locks(descriptor: int, patience_s: float, *, shared: bool = False) -> bool:
    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    give_up_at = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= give_up_at:
                return False
            time.sleep(0.05)
        else:
            return True


def _read(state_dir: Path) -> Addresses | None:
    try:
        return Addresses(**json.loads((state_dir / _FILE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None
