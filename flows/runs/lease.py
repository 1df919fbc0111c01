"""Who may write: leases on the state and on sources.

Where Chroma is a folder, one process at a time writes to the state. With a Chroma server and a
database, runs over different sources go side by side, and what concerns the whole index waits for
all of them. A lease is a lock that the kernel or the database takes away when its holder ends,
however it ends; whoever is kept waiting is told who that is.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from flows.errors import LeaseHeld
from flows.orchestration.processes import is_alive
from flows.settings import Settings
from index.catalog.database import Catalog

_POLL_S: Final = 0.2
_BATCH_ENDS_WITHIN_S: Final = 600
_WHOLE: Final = "the whole index"


@contextmanager
def source_lease(
    settings: Settings, catalog: Catalog, source: str, *, wait_s: float = 0
) -> Iterator[None]:
    """Be the only one to write documents of a source.

    Args:
        settings: That say where the stores are.
        catalog: Open.
        source: Its name.
        wait_s: How long to wait for others.

    Raises:
        LeaseHeld: Another process still is.
    """
    if not is_shared(settings):
        with index_lease(settings, catalog, wait_s=wait_s):
            yield
        return
    give_up_at = time.monotonic() + wait_s
    with ExitStack() as held:
        _enter(held, settings, catalog, _WHOLE, give_up_at, shared=True)
        _enter(held, settings, catalog, source, give_up_at, shared=False)
        yield


@contextmanager
def index_lease(settings: Settings, catalog: Catalog, *, wait_s: float = 0) -> Iterator[None]:
    """Be the only one to write anything.

    Args:
        settings: That say where the stores are.
        catalog: Open.
        wait_s: How long to wait for others.

    Raises:
        LeaseHeld: Another process still writes.
    """
    with ExitStack() as held:
        _enter(held, settings, catalog, _WHOLE, time.monotonic() + wait_s, shared=False)
        yield


@contextmanager
def batch_lease(settings: Settings, catalog: Catalog, source: str) -> Iterator[None]:
    """Be one of those that work on batches of a source's run, which others cannot begin meanwhile.

    Raises:
        LeaseHeld: Somebody else writes to the source, or to the whole index.
    """
    with ExitStack() as held:
        for name in (_WHOLE, _batches_of(source)):
            _enter(held, settings, catalog, name, time.monotonic(), shared=True)
        yield


def await_batches(settings: Settings, catalog: Catalog, source: str) -> None:
    """Wait until no worker goes on with a batch of an earlier run of a source.

    To be called when that run is no longer `running`, so that no worker begins another.

    Raises:
        LeaseHeld: One still does after a long time.
    """
    if is_shared(settings):
        with ExitStack() as held:
            give_up_at = time.monotonic() + _BATCH_ENDS_WITHIN_S
            _enter(held, settings, catalog, _batches_of(source), give_up_at, shared=False)


def _batches_of(source: str) -> str:
    return f"batches of {source}"


def is_shared(settings: Settings) -> bool:
    """Whether several processes may write at a time."""
    return bool(settings.catalog_url and settings.vectors_url)


def is_dead(settings: Settings, began_at: datetime) -> bool:
    """Whether a run that began then, and of which no end is known, was killed.

    Where several may write at a time only its successor finds that out.
    """
    if is_shared(settings):
        return False
    try:
        holder = json.loads((settings.state_dir / "lease").read_text("utf-8"))
        here, pid = holder["host"] == socket.gethostname(), int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return True
    return here and not is_alive(pid, began_at)


def _enter(
    held: ExitStack,
    settings: Settings,
    catalog: Catalog,
    name: str,
    give_up_at: float,
    *,
    shared: bool,
) -> None:
    def attempt() -> str | None:
        if is_shared(settings):
            return catalog.lock(held, f"headwater {name}", _in_words(_holder()), shared=shared)
        return _lock_file(held, settings.state_dir / "lease")

    _patiently(attempt, name, str(settings.state_dir), give_up_at)


def _patiently(attempt: Callable[[], str | None], name: str, place: str, give_up_at: float) -> None:
    """Try until it works; `attempt` returns who is in the way, or None."""
    while (holder := attempt()) is not None:
        if time.monotonic() >= give_up_at:
            what = place if name == _WHOLE else name
            raise LeaseHeld(f"{holder}, is writing to {what}: wait until it ends, or use --wait")
        time.sleep(_POLL_S)


def _lock_file(held: ExitStack, path: Path) -> str | None:
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        written = file.read()
        file.close()
        return _read(written)
    held.enter_context(file)
    _sign(file)
    return None


def _sign(file: IO[str]) -> None:
    file.truncate(0)
    file.write(json.dumps(_holder()))
    file.flush()


def _holder() -> dict[str, str]:
    return {
        "pid": str(os.getpid()),
        "host": socket.gethostname(),
        "since": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _in_words(holder: dict[str, str]) -> str:
    return f"process {holder['pid']} on {holder['host']}, since {holder['since']}"


def _read(written: str) -> str:
    try:
        return _in_words(json.loads(written))
    except (ValueError, KeyError, TypeError):
        return "another process"
