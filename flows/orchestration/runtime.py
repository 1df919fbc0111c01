"""Where flows run: on the Prefect server that is configured, on that of `headwater up`, or on one
of our own.

This module sets Prefect's environment and so must have done its work before Prefect is imported.
"""

import os
import shutil
import socket
import subprocess
import sys
import time
import tomllib
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, cast

from flows.errors import UserError
from flows.orchestration.processes import own_tag
from flows.up.addresses import running

_START_TIMEOUT_S: Final = 120
_MIN_FREE_BYTES: Final = 4 * 1024 * 1024
"""Prefect's own database takes as much."""
_QUIET: Final = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    # What an operator should read is printed by the command; the rest is in Prefect's database.
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_CLI_PROMPT": "false",
}


def is_configured() -> bool:
    """Whether the user has a Prefect API of their own, by environment or by profile."""
    if os.environ.get("PREFECT_API_URL"):
        return True
    home = Path(os.environ.get("PREFECT_HOME") or Path.home() / ".prefect")
    file = Path(os.environ.get("PREFECT_PROFILES_PATH") or home / "profiles.toml")
    try:
        stored = tomllib.loads(file.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError):
        return False
    active = os.environ.get("PREFECT_PROFILE") or stored.get("active")
    return bool(stored.get("profiles", {}).get(active, {}).get("PREFECT_API_URL"))


def is_there(state_dir: Path) -> bool:
    """Whether a Prefect API is there to be used, so that none is to be started."""
    up = running(state_dir)
    return is_configured() or (up is not None and bool(up.prefect_api))


@contextmanager
def prefect_server(state_dir: Path) -> Iterator[None]:
    """Have a Prefect API to run flows on, started if none is configured and none is up.

    Args:
        state_dir: Where our own server keeps its files.

    Raises:
        UserError: It did not start.
    """
    be_quiet()
    if is_configured():
        yield
        return
    home = use_home(state_dir)
    up = running(state_dir)
    if up is not None and up.prefect_api:
        with _used(up.prefect_api, lambda: running(state_dir) is not None, home):
            yield
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(128)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api"
        server = _start(listener, home / "server.log")
    try:
        with _used(url, lambda: server.poll() is None, home):
            yield
    finally:
        _stop(server)


def is_own(state_dir: Path) -> bool:
    """Whether the Prefect API in use is that of a state directory."""
    return os.environ.get("PREFECT_HOME") == str(state_dir / "prefect")


def be_quiet() -> None:
    """Have Prefect neither chat nor call home."""
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)


def use_home(state_dir: Path) -> Path:
    """Have Prefect keep its files in the state directory; returns where."""
    home = state_dir / "prefect"
    home.mkdir(parents=True, exist_ok=True)
    os.environ["PREFECT_HOME"] = str(home)
    os.environ["PREFECT_PROFILES_PATH"] = str(home / "profiles.toml")
    return home


@contextmanager
def _used(url: str, is_there: Callable[[], bool], home: Path) -> Iterator[None]:
    """Use the server at an address once it answers, as long as it can still come to that."""
    os.environ["PREFECT_API_URL"] = url
    try:
        _wait(is_there, url, home / "server.log")
        with _our_runs():
            yield
    finally:
        _send_logs()
        del os.environ["PREFECT_API_URL"]


def _start(listener: socket.socket, log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "flows.orchestration.server", str(listener.fileno())],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            pass_fds=[listener.fileno()],
            # Ctrl-C is for the command, which then stops its server.
            start_new_session=True,
        )


def answers(url: str) -> bool:
    """Whether the Prefect API at an address is there."""
    try:
        # Our own sockets listen from the start: the answer comes when the server is ready.
        with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310
            return True
    except (urllib.error.URLError, OSError):
        return False


def _wait(is_there: Callable[[], bool], url: str, log: Path) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while time.monotonic() < deadline and is_there():
        if answers(url):
            return
        time.sleep(0.1)
    if shutil.disk_usage(log.parent).free < _MIN_FREE_BYTES:
        raise UserError(f"the disk of {log.parent.parent} is full: make room, then run again")
    raise UserError(f"Prefect's server did not start; {log} says why")


@contextmanager
def _our_runs() -> Iterator[None]:
    """Flow runs say whose they are, and send no heartbeats: these cost a second for each run."""
    from prefect import tags
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    with temporary_settings({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}), tags(own_tag()):
        yield


def _send_logs() -> None:
    """What Prefect still holds of a run's logs would be lost, loudly, once the server is gone."""
    if "prefect.logging.handlers" in sys.modules:
        from prefect.logging.handlers import APILogWorker

        APILogWorker.drain_all(timeout=5)


def _stop(server: subprocess.Popen[bytes]) -> None:
    assert server.stdin is not None
    server.stdin.close()
    try:
        server.wait(timeout=5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


class SecretMissing(UserError):
    """Prefect holds no such secret, or does not give it away."""


def secret_block(name: str) -> str:
    """What a Prefect Secret block holds.

    Raises:
        SecretMissing: It is not there, or the API cannot be reached.
    """
    from httpx import HTTPError
    from prefect.blocks.system import Secret
    from prefect.exceptions import PrefectException

    try:
        return str(cast("Secret[str]", Secret.load(name)).get())
    except ValueError:
        raise SecretMissing(f"Prefect has no Secret block {name!r}") from None
    except (HTTPError, PrefectException, RuntimeError) as error:
        said = type(error).__name__
        raise SecretMissing(f"Prefect does not give its block {name!r} away: {said}") from None
