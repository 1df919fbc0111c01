"""Keeping the parts of `headwater up` running: started, watched, started again, stopped."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.errors import UserError
from flows.up.parent import name_as_parent
from flows.up.parts import Part

_POLL_S: Final = 0.2
_LOOK_EVERY_S: Final = 30.0
_SILENT_S: Final = 180.0
"""A part that has not answered for so long is started again."""
_DELAYS_S: Final = (0.5, 2, 5, 15, 30, 60)
"""Before a part is started again, by how often it has ended in a row."""
_LONG_S: Final = 120.0
"""A part that ran for so long has not ended in a row with what was before."""
_ATTEMPTS: Final = 3
_START_S: Final = 180.0
_MAX_LOG_BYTES: Final = 5_000_000


@dataclass(slots=True)
class _Running:
    """A part and its process."""

    part: Part
    process: subprocess.Popen[bytes]
    started_at: float
    was_ready: bool = False
    answered_at: float = 0.0
    looked_at: float = 0.0
    n_ended: int = 0
    start_at: float | None = None
    """When it is to be started again; None while it runs."""


class Supervisor:
    """Starts parts, and keeps them running until it is told to stop."""

    def __init__(self, logs: Path, stop: threading.Event, say: Callable[[str], None]) -> None:
        """Of each part `logs` gets what it prints; `say` tells people of what happens to one."""
        self._logs = logs
        self._stop = stop
        self._say = say
        self._running: list[_Running] = []
        logs.mkdir(exist_ok=True)

    def start(self, parts: Sequence[Part]) -> None:
        """Start parts, side by side, and return when all are ready, or when it is to stop.

        Raises:
            UserError: One does not start.
        """
        for part in parts:
            self._running.append(_Running(part, self._spawn(part), time.monotonic()))
        give_up_at = time.monotonic() + _START_S
        while not self._stop.wait(_POLL_S) and not self._are_ready():
            for one in self._running:
                self._tend(one)
                too_late = time.monotonic() > give_up_at and not one.was_ready
                if too_late or (one.n_ended >= _ATTEMPTS and not one.was_ready):
                    log = self._logs / f"{one.part.name}.log"
                    raise UserError(f"{one.part.name} does not start; {log} says why")

    def keep_running(self) -> None:
        """Return when it is to stop."""
        while not self._stop.wait(_POLL_S):
            for one in self._running:
                self._tend(one)
                self._look(one)

    def end(self) -> None:
        """Stop all parts, the last one first."""
        for one in reversed(self._running):
            _end(one)

    def kill(self) -> None:
        """End all parts at once."""
        for one in self._running:
            _kill_group(one.process)

    def pids(self) -> dict[str, int]:
        """The process of each part."""
        return {one.part.name: one.process.pid for one in self._running}

    def _are_ready(self) -> bool:
        for one in self._running:
            if not one.was_ready and one.start_at is None:
                one.was_ready = one.part.is_ready(one.process.pid)
                one.answered_at = time.monotonic()
        return all(one.was_ready for one in self._running)

    def _spawn(self, part: Part) -> subprocess.Popen[bytes]:
        log = self._logs / f"{part.name}.log"
        if log.exists() and log.stat().st_size > _MAX_LOG_BYTES:
            log.replace(log.with_suffix(".log.old"))
        environment = os.environ | dict(part.environment)
        name_as_parent(environment)
        with log.open("ab") as output:
            return subprocess.Popen(
                part.command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                env=environment,
                pass_fds=part.kept_open,
                # Ctrl-C is for the command, which then stops its parts in order.
                start_new_session=True,
            )

    def _tend(self, one: _Running) -> None:
        """Start a part again that has ended, after a while."""
        now = time.monotonic()
        if one.start_at is not None:
            if now >= one.start_at:
                one.process, one.started_at = self._spawn(one.part), now
                one.start_at, one.answered_at = None, now
        elif (status := one.process.poll()) is not None:
            _kill_group(one.process)  # What it has started is not to outlive it.
            one.n_ended = 1 if now - one.started_at > _LONG_S else one.n_ended + 1
            delay_s = _DELAYS_S[min(one.n_ended, len(_DELAYS_S)) - 1]
            one.start_at = now + delay_s
            how = f"was ended by {_signal(-status)}" if status < 0 else f"ended with {status}"
            self._say(f"{one.part.name} {how}: it starts again in {delay_s:g} s")

    def _look(self, one: _Running) -> None:
        """End a part that does not answer any more, so that it is started again."""
        now = time.monotonic()
        if one.start_at is not None or now - one.looked_at < _LOOK_EVERY_S:
            return
        one.looked_at = now
        if one.part.is_ready(one.process.pid):
            one.answered_at = now
        elif now - one.answered_at > _SILENT_S:
            self._say(f"{one.part.name} does not answer: it is ended")
            _kill_group(one.process)


def _end(one: _Running) -> None:
    if one.process.poll() is None:
        one.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            one.process.wait(one.part.stop_s)
    _kill_group(one.process)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """End what a part has left, and itself."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
