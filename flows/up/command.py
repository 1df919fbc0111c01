"""What `headwater up` does."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, Final

from flows.errors import UserError
from flows.orchestration.runtime import be_quiet, is_configured, use_home
from flows.settings import Settings
from flows.up.addresses import Addresses, only_one, publish
from flows.up.parts import make_parts
from flows.up.ports import taken_ports
from flows.up.supervisor import Supervisor
from flows.wiring import make_state_dir, open_catalog
from index.chroma.client import lock_or_address
from index.chroma.service import announce

_PATIENCE_S: Final = 10.0
"""For a command that has Chroma's folder open, and for what a killed one has left."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def put_up(
    settings: Settings,
    config: Path | None,
    state: Path | None,
    *,
    say: Callable[[str], None],
    ready: Callable[[Addresses, float, dict[str, int]], None],
) -> None:
    """Put everything up, and return when a signal has told it to stop and it is down.

    Args:
        settings: Read from `config`.
        config: The settings file, absolute, if there is one.
        state: The state directory, absolute, if it is not the one in the settings.
        say: Told what happens to parts.
        ready: Told where the parts are, after how many seconds, and their processes.

    Raises:
        UserError: It runs already, a part does not start, or anybody could come in.
        StoreBusy: Another process has Chroma's folder open.
    """
    from flows.dashboard.serving import make_access

    began = time.monotonic()
    make_access(settings.dashboard, "")  # Told here, and not in a log: who may come in.
    make_state_dir(settings)
    with (
        only_one(settings.state_dir),
        taken_ports(settings) as ports,
        _folder(settings, ports.addresses.vectors) as lock,
    ):
        be_quiet()
        with open_catalog(settings):
            pass  # Made now: the pages show sources that nothing has been read of.
        if not is_configured():
            use_home(settings.state_dir)
        addresses = ports.addresses
        publish(settings.state_dir, addresses)
        stop = threading.Event()
        supervisor = Supervisor(settings.state_dir / "up", stop, say)
        with _stopped_by_signals(stop, supervisor):
            try:
                supervisor.start(list(make_parts(settings, config, state, ports, lock)))
                if not stop.is_set():
                    ready(addresses, time.monotonic() - began, supervisor.pids())
                supervisor.keep_running()
            finally:
                supervisor.end()


@contextmanager
def _folder(settings: Settings, url: str) -> Iterator[IO[bytes] | None]:
    """The lock on Chroma's folder, with the address of its server; None if there is no folder."""
    if settings.vectors_url:
        yield None
        return
    folder = settings.state_dir / "chroma"
    lock = lock_or_address(folder, _PATIENCE_S)
    if isinstance(lock, str):
        raise UserError(f"a server at {lock} has {folder} open already")
    with lock:
        folder.mkdir(exist_ok=True)
        announce(lock, url)
        try:
            yield lock
        finally:
            announce(lock, "")


@contextmanager
def _stopped_by_signals(stop: threading.Event, supervisor: Supervisor) -> Iterator[None]:
    def tell(signum: int, frame: FrameType | None) -> None:
        if stop.is_set():
            supervisor.kill()  # Asked twice: without waiting for runs to come to their end.
        stop.set()

    before = {one: signal.signal(one, tell) for one in _SIGNALS}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
